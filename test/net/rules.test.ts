/** Traffic rules in the real kernel: nft is the witness of what is there, tcpdump of what it does to packets. */
import { afterEach, beforeEach, describe, expect, spyOn, test } from 'bun:test';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { type NetlinkSocket, openNetlink } from '../../ffi/socket.ts';
import { readTables, removeTable, tableOwner, writeTable } from '../../src/kernel/tables.ts';
import { type TableObject, tableDifference } from '../../src/model/traffic-rules.ts';
import { NETLINK_NETFILTER, NFT_MSG } from '../../src/netlink/nftables.ts';
import { Session } from '../../src/netlink/session.ts';
import { planRules, type RuleInputs } from '../../src/plan/rules.ts';
import { leaseOf, networkOf, VXLAN } from '../sim/samples.ts';
import { eventually } from './agent-support.ts';
import { listing } from './rules-listing.ts';
import { capture, mayCapture, run } from './witness.ts';

let netns: Netns;
let socket: NetlinkSocket;
let session: Session;

beforeEach(() => {
  netns = createNetns();
  const opened = inNetns(netns, () => openNetlink({ protocol: NETLINK_NETFILTER }));
  if (typeof opened === 'number') throw new Error(`errno ${-opened}`);
  socket = opened;
  session = new Session(socket);
});

afterEach(() => {
  socket.close();
  netns.close();
});

function wanted(changes: Partial<RuleInputs> = {}): readonly TableObject[] {
  const all = { masquerade: true, fullyRandom: true, forward: true };
  return planRules({ network: networkOf(VXLAN), own: leaseOf(1), ...all, ...changes });
}

function write(changes: Partial<RuleInputs> = {}): void {
  for (const table of wanted(changes)) expect(writeTable(session, table)).toBeUndefined();
}

function found(): readonly TableObject[] {
  const tables = readTables(session);
  if ('errno' in tables) throw new Error(tables.message);
  return tables;
}

function nft(command: string): string {
  return run(netns, ['nft', command]);
}

/** Everything with the handles, which are others once something was made anew. */
function nftHandles(): string {
  return run(netns, ['nft', '-a', 'list ruleset']);
}

describe('as nft sees it', () => {
  test('the ruleset is what was planned, and reads as it', () => {
    write();
    expect(nft('list ruleset')).toBe(wanted().map(listing).join(''));
    expect(found()).toEqual([...wanted()]);
  });

  test('rules that nft makes of that listing are the same', () => {
    nft(wanted().map(listing).join(''));
    for (const [i, table] of wanted().entries()) {
      const have = found()[i];
      expect(have === undefined ? 'missing' : tableDifference(table, have)).toBeUndefined();
    }
  });

  test('a second time nothing is changed: the generation stays', () => {
    write();
    const before = nftHandles();
    write();
    expect(nftHandles()).toBe(before);
  });

  test('the chains of all tables are listed only if ours has more than it should have', () => {
    write();
    const dumps = spyOn(session, 'dump');
    const listed = () => dumps.mock.calls.filter(([{ type }]) => type === NFT_MSG.GETCHAIN).length;
    expect(found()).toEqual([...wanted()]);
    expect(dumps).toHaveBeenCalledTimes(2);
    expect(listed()).toBe(0);
    nft('add chain ip flannel-ipv4 extra');
    expect(
      found()[0]
        ?.chains.map(({ name }) => name)
        .sort(),
    ).toEqual(['extra', 'forward', 'postrtg']);
    nft('delete chain ip flannel-ipv4 extra; add set ip flannel-ipv4 addresses { type ipv4_addr; }');
    expect(found()).toEqual([...wanted()]);
    expect(listed()).toBe(2);
  });

  test.each([
    ['all flushed', 'flush ruleset'],
    ['the table deleted', 'delete table ip flannel-ipv4'],
    ['a chain deleted', 'delete chain ip flannel-ipv4 postrtg'],
    ['a chain flushed', 'flush chain ip flannel-ipv4 forward'],
    ['a rule added', 'add rule ip flannel-ipv4 forward tcp dport { 22, 80 } counter drop'],
    ['a rule put in front', 'insert rule ip flannel-ipv4 postrtg ip saddr 10.42.0.0/16 counter masquerade'],
    ['a policy changed', 'add chain ip flannel-ipv4 forward { policy drop; }'],
    ['a chain added', 'add chain ip flannel-ipv4 extra { type filter hook input priority 0; policy drop; }'],
    ['the table made dormant', 'add table ip flannel-ipv4 { flags dormant; }'],
  ])('%s: found and put right', (_, damage) => {
    write();
    const before = nft('list ruleset');
    nft(damage);
    const [want] = wanted();
    const have = found().find(({ family }) => family === 4);
    if (want !== undefined && have !== undefined) expect(tableDifference(want, have)).toBeString();
    expect(nft('list ruleset')).not.toBe(before);
    write();
    expect(nft('list ruleset').split('table').sort()).toEqual(before.split('table').sort());
  });

  test('a rule that only counts is the same rule', () => {
    const text = wanted().map(listing).join('');
    nft(text.replace('ip saddr 10.42.0.0/16 accept', 'ip saddr 10.42.0.0/16 counter accept'));
    const before = nftHandles();
    write();
    expect(nftHandles()).toBe(before);
  });

  test("flannel's own table is taken over, and other tables stay as they are", () => {
    nft(
      'add table inet filter { chain forward { type filter hook forward priority 0; tcp dport 22 accept; }; }',
    );
    nft('add table ip nat { chain postrouting { type nat hook postrouting priority 100; masquerade; }; }');
    const others = nftHandles();
    nft(
      'add table ip flannel-ipv4 { chain postrtg { type nat hook postrouting priority 100; meta mark 0x4000 return; }; }',
    );
    expect(found().map(tableOwner)).toEqual(['ours']);
    write();
    expect(found()).toEqual([...wanted()]);
    for (const table of found()) expect(removeTable(session, table)).toBeUndefined();
    expect(nftHandles()).toBe(others);
  });

  test('a table of that name that is of another program is neither changed nor removed', () => {
    nft('add table ip flannel-ipv4 { chain input { type filter hook input priority 0; }; }');
    const before = nftHandles();
    const [want] = wanted();
    if (want === undefined) throw new Error('No table');
    expect(writeTable(session, want)?.message).toContain('of another program');
    expect(removeTable(session, want)?.message).toContain('of another program');
    expect(nftHandles()).toBe(before);
  });
});

const describePackets = mayCapture ? describe : () => {};

describePackets('what it does to packets', () => {
  const ECHO = ['icmp[0]', '==', '8', 'or', 'icmp6[0]', '==', '128'];

  /** Packets that leave by a link, as addresses: `10.42.1.1 > 10.42.2.1`. Each is sent from the node itself. */
  async function sent(packets: readonly { from: string; to: string; mark?: number }[]): Promise<string[]> {
    await using seen = await capture(netns, { link: 'out', filter: ECHO });
    for (const { from, to, mark } of packets) {
      if (mark !== undefined) nft(`add rule inet marks output ip daddr ${to} meta mark set ${mark}`);
      run(netns, ['sh', '-c', `ping -c 1 -W 0.01 -I ${from} ${to} >/dev/null 2>&1 || true`]);
    }
    // On a busy machine tcpdump is late.
    await Bun.sleep(200);
    return (await seen.stop()).map(
      (line) => /([\da-f.:]+) > ([\da-f.:]+): ICMP/.exec(line)?.slice(1).join(' > ') ?? line,
    );
  }

  beforeEach(async () => {
    for (const command of [
      'ip link add out type veth peer name far',
      'ip link set far up',
      'ip link set out up',
      'ip link set lo up',
      'ip address add 192.0.2.1/24 dev out',
      'ip -6 address add 2001:db8::1/64 dev out nodad',
      'ip address add 10.42.1.1/32 dev out',
      'ip -6 address add fd42:0:0:1::1/128 dev lo',
      'ip route add default via 192.0.2.2',
      'ip -6 route add default via 2001:db8::2',
      'ip route add 224.0.0.0/4 dev out',
      'ip neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev out',
      'ip -6 neighbour add 2001:db8::2 lladdr 02:00:00:00:00:02 dev out',
    ])
      run(netns, command.split(' '));
    // Until the kernel says so it drops what a link is to send.
    await eventually(() => expect(run(netns, ['ip', 'link', 'show', 'out'])).toContain('state UP'));
    nft('add table inet marks { chain output { type route hook output priority 0; }; }');
    write();
  });

  test('inside to inside as it is, to the outside and from the outside in the name of the node', async () => {
    const seen = await sent([
      { from: '10.42.1.1', to: '10.42.2.1' },
      { from: '10.42.1.1', to: '198.51.100.7' },
      { from: '192.0.2.1', to: '198.51.100.8' },
      { from: '10.42.1.1', to: '239.1.1.1' },
      { from: 'fd42:0:0:1::1', to: 'fd42:0:0:2::1' },
      { from: 'fd42:0:0:1::1', to: '2001:db8:1::7' },
    ]);
    expect(seen).toEqual([
      '10.42.1.1 > 10.42.2.1',
      '192.0.2.1 > 198.51.100.7',
      '192.0.2.1 > 198.51.100.8',
      '10.42.1.1 > 239.1.1.1',
      'fd42:0:0:1::1 > fd42:0:0:2::1',
      '2001:db8::1 > 2001:db8:1::7',
    ]);
  });

  test('what kube-proxy has marked is left to it, whatever else the mark says', async () => {
    const seen = await sent([
      { from: '10.42.1.1', to: '198.51.100.7', mark: 0x4000 },
      { from: '10.42.1.1', to: '198.51.100.8', mark: 0x4001 },
      { from: '10.42.1.1', to: '198.51.100.9', mark: 0x8000 },
    ]);
    expect(seen).toEqual([
      '10.42.1.1 > 198.51.100.7',
      '10.42.1.1 > 198.51.100.8',
      '192.0.2.1 > 198.51.100.9',
    ]);
  });

  test("from outside the network to another node's pods in the name of the node, to the own pods as it is", async () => {
    run(netns, ['ip', 'address', 'add', '203.0.113.1/32', 'dev', 'lo']);
    run(netns, ['ip', 'route', 'add', '10.42.1.9/32', 'via', '192.0.2.2']);
    const seen = await sent([
      { from: '203.0.113.1', to: '10.42.2.1' },
      { from: '203.0.113.1', to: '10.42.1.9' },
    ]);
    expect(seen).toEqual(['192.0.2.1 > 10.42.2.1', '203.0.113.1 > 10.42.1.9']);
  });
});
