/** Rules of ours in chains of others: nft and iptables are the witnesses. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { request } from '../../src/kernel/nft-requests.ts';
import { passageProblems } from '../../src/kernel/passage-problems.ts';
import { inTransaction } from '../../src/kernel/transaction.ts';
import { passageFault } from '../../src/model/forward-chains.ts';
import {
  chainMessage,
  NF_INET,
  NFPROTO,
  NFT_MSG,
  NFT_TABLE_F,
  nfgenmsg,
  tableMessage,
} from '../../src/netlink/nftables.ts';
import { NFT_VERDICT } from '../../src/netlink/nftables-expressions.ts';
import { NLM_F } from '../../src/netlink/session.ts';
import { prefix } from '../sim/samples.ts';
import { DOCKER, NETWORKS, PassageLab } from './passage-lab.ts';

const [, IPV6 = prefix('fd42::/48')] = NETWORKS;
/** A prefix that ends within a byte. */
const ODD = prefix('10.40.0.0/13');

let lab: PassageLab;

beforeEach(() => {
  lab = new PassageLab();
});

afterEach(() => lab[Symbol.dispose]());

describe('rules of ours in them', () => {
  function set(networks = NETWORKS): void {
    expect(lab.passage.set(networks)).toBeUndefined();
    expect(
      lab
        .look()
        .map((chain) => passageFault(chain, networks))
        .filter(Boolean),
    ).toEqual([]);
  }

  test('iptables prints them as its own, and takes them out', () => {
    lab.sh(`${DOCKER}; ip6tables-nft -P FORWARD DROP`);
    const before = lab.sh('iptables-nft -S FORWARD');
    set([ODD, IPV6]);
    expect(lab.sh('iptables-nft -S FORWARD').split('\n').slice(0, 4)).toEqual([
      '-P FORWARD DROP',
      '-A FORWARD -s 10.40.0.0/13 -m comment --comment flannelette -j ACCEPT',
      '-A FORWARD -d 10.40.0.0/13 -m comment --comment flannelette -j ACCEPT',
      '-A FORWARD -j DOCKER-USER',
    ]);
    expect(lab.sh('ip6tables-nft -S FORWARD')).toContain(
      '-A FORWARD -s fd42::/48 -m comment --comment flannelette -j ACCEPT\n',
    );
    expect(lab.sh('iptables-nft-save')).toContain(
      '-A FORWARD -s 10.40.0.0/13 -m comment --comment flannelette -j ACCEPT\n',
    );
    lab.sh('iptables-nft-save | iptables-nft-restore');
    set([ODD, IPV6]);
    lab.sh('iptables-nft -C FORWARD -s 10.40.0.0/13 -m comment --comment flannelette -j ACCEPT');
    lab.sh('iptables-nft -D FORWARD -s 10.40.0.0/13 -m comment --comment flannelette -j ACCEPT');
    expect(lab.look().map((chain) => passageFault(chain, [ODD, IPV6]))).toContain(
      'ip filter FORWARD had no ip saddr 10.40.0.0/13 accept',
    );
    expect(lab.passage.set([])).toBeUndefined();
    expect(lab.sh('iptables-nft -S FORWARD')).toBe(before);
  });

  test('nft prints what was meant, and in the family inet both', () => {
    lab.nft(
      'add table inet shut { chain forward { type filter hook forward priority 0; policy drop; tcp dport 22 accept; }; }',
    );
    const before = lab.nft('list ruleset');
    set();
    const lines = lab
      .nft('list chain inet shut forward')
      .split('\n')
      .map((line) => line.trim());
    expect(lines.slice(3, 8)).toEqual([
      'ip saddr 10.42.0.0/16 counter packets 0 bytes 0 accept comment "flannelette"',
      'ip daddr 10.42.0.0/16 counter packets 0 bytes 0 accept comment "flannelette"',
      'ip6 saddr fd42::/48 counter packets 0 bytes 0 accept comment "flannelette"',
      'ip6 daddr fd42::/48 counter packets 0 bytes 0 accept comment "flannelette"',
      'tcp dport 22 accept',
    ]);
    const generation = lab.handles();
    set();
    expect(lab.handles()).toBe(generation);
    expect(lab.passage.set([])).toBeUndefined();
    expect(lab.nft('list ruleset')).toBe(before);
  });

  test.each([
    ['one deleted', (handle: number) => `delete rule ip shut way handle ${handle}`],
    ['the chain flushed', () => 'flush chain ip shut way'],
    [
      'one spoiled',
      (handle: number) =>
        `replace rule ip shut way handle ${handle} ip saddr 10.42.0.0/16 drop comment "flannelette"`,
    ],
    ['one more', () => 'add rule ip shut way ip saddr 10.43.0.0/16 accept comment "flannelette"'],
    ['an end in front of them', () => 'insert rule ip shut way drop'],
    ['a policy that drops nothing', () => 'add chain ip shut way { policy accept; }'],
  ])('%s: found and put right', (_, damage) => {
    lab.nft('add table ip shut { chain way { type filter hook forward priority 0; policy drop; }; }');
    set();
    const handle = lab.look()[0]?.ours[0]?.handle ?? 0;
    lab.nft(damage(handle));
    expect(
      lab
        .look()
        .map((chain) => passageFault(chain, NETWORKS))
        .filter(Boolean).length,
    ).toBe(1);
    set();
  });

  test('a rule that others put in front of them is theirs to put', () => {
    lab.nft('add table ip shut { chain way { type filter hook forward priority 0; policy drop; }; }');
    set();
    lab.nft('insert rule ip shut way tcp dport 25 drop');
    const before = lab.handles();
    set();
    expect(lab.handles()).toBe(before);
  });

  test("a table that is its maker's alone is left to it, and told", () => {
    const { session } = lab;
    const header = nfgenmsg.of({ family: NFPROTO.INET });
    const requests = [
      request(NFT_MSG.NEWTABLE, NLM_F.CREATE, {
        codec: tableMessage,
        value: { header, attrs: { name: 'mine', flags: NFT_TABLE_F.OWNER } },
      }),
      request(NFT_MSG.NEWCHAIN, NLM_F.CREATE, {
        codec: chainMessage,
        value: {
          header,
          attrs: {
            table: 'mine',
            name: 'forward',
            type: 'filter',
            policy: NFT_VERDICT.DROP,
            hook: { number: NF_INET.FORWARD, priority: 0 },
          },
        },
      }),
    ];
    expect(inTransaction(session, () => requests)).toBeUndefined();
    lab.nft(
      'add table ip shut { flags dormant; chain way { type filter hook forward priority 0; policy drop; }; }',
    );
    set();
    expect(passageProblems(lab.passage.chains).map(({ remedy }) => remedy)).toEqual([
      expect.stringContaining('--add-source=10.42.0.0/16'),
    ]);
    lab.nft('add table ip shut');
    set();
    expect(lab.nft('list ruleset')).toContain('ip saddr 10.42.0.0/16 counter');
  });
});
