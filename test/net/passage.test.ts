/** Chains of other programs that drop what is passed on: nft and iptables make them, and are the witnesses of ours. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { type NetlinkSocket, openNetlink } from '../../ffi/socket.ts';
import { Passage } from '../../src/kernel/passage.ts';
import { passageProblems } from '../../src/kernel/passage-problems.ts';
import { type ForwardChain, passageFault } from '../../src/model/forward-chains.ts';
import { NETLINK_NETFILTER } from '../../src/netlink/nftables.ts';
import { Session } from '../../src/netlink/session.ts';
import { prefix } from '../sim/samples.ts';
import { run } from './witness.ts';

const IPV4 = prefix('10.42.0.0/16');
const IPV6 = prefix('fd42::/48');
const NETWORKS = [IPV4, IPV6];
/** A prefix that ends within a byte. */
const ODD = prefix('10.40.0.0/13');

let netns: Netns;
let socket: NetlinkSocket;
let passage: Passage;

beforeEach(() => {
  netns = createNetns();
  const opened = inNetns(netns, () => openNetlink({ protocol: NETLINK_NETFILTER }));
  if (typeof opened === 'number') throw new Error(`errno ${-opened}`);
  socket = opened;
  const session = new Session(socket);
  passage = new Passage(() => session);
});

afterEach(() => {
  socket.close();
  netns.close();
});

function nft(...commands: string[]): string {
  return commands.map((command) => run(netns, ['nft', command])).join('');
}

/** Everything, with what is another once something was made anew. */
function handles(): string {
  return run(netns, ['nft', '-a', 'list ruleset']);
}

function sh(command: string): string {
  return run(netns, ['sh', '-ec', command]);
}

function look(): readonly ForwardChain[] {
  const chains = passage.look(NETWORKS);
  if ('errno' in chains) throw new Error(chains.message);
  return chains;
}

/** What an operator is told. */
function told(): string[] {
  look();
  return passageProblems(passage.chains).map(({ message, remedy }) => `${message}\n${remedy}`);
}

/** The commands of the remedies. */
function remedies(): string[] {
  return told().map((text) => /there: (.*) \(or start/.exec(text)?.[1] ?? text);
}

/** As Docker leaves the chain: its own rules, and a policy. */
const DOCKER = `
  iptables-nft -N DOCKER-USER; iptables-nft -N DOCKER-FORWARD
  iptables-nft -A DOCKER-FORWARD -i docker0 -j ACCEPT
  iptables-nft -A FORWARD -j DOCKER-USER; iptables-nft -A FORWARD -j DOCKER-FORWARD
  iptables-nft -P FORWARD DROP`;

describe('what may drop the packets of pods', () => {
  test('a policy of iptables, with the command that is shut no more', () => {
    sh(DOCKER);
    expect(remedies()).toEqual([
      'iptables -I FORWARD -s 10.42.0.0/16 -j ACCEPT && iptables -I FORWARD -d 10.42.0.0/16 -j ACCEPT',
    ]);
    expect(told()[0]).toStartWith(
      'Chain FORWARD of table ip filter may drop forwarded packets of pods: its policy is drop, and none of its rules accepts all of 10.42.0.0/16\n',
    );
    sh('ip6tables-nft -P FORWARD DROP');
    expect(remedies()[1]).toStartWith('ip6tables -I FORWARD -s fd42::/48 -j ACCEPT && ');
    for (const command of remedies()) sh(command.replaceAll('tables ', 'tables-nft '));
    expect(told()).toEqual([]);
  });

  test('chains of nft in every family, with the command that is shut no more', () => {
    nft(
      'add table inet shut { chain forward { type filter hook forward priority 0; policy drop; }; }',
      'add table ip shut { chain way { type filter hook forward priority -5; policy drop; ip saddr 10.42.0.0/16 accept; }; }',
      'add table ip6 shut { chain way { type filter hook forward priority 7; tcp dport 22 accept; counter drop; }; }',
    );
    expect(remedies().sort()).toEqual([
      "nft 'insert rule inet shut forward ip saddr 10.42.0.0/16 accept; insert rule inet shut forward ip daddr 10.42.0.0/16 accept; insert rule inet shut forward ip6 saddr fd42::/48 accept; insert rule inet shut forward ip6 daddr fd42::/48 accept'",
      "nft 'insert rule ip shut way ip saddr 10.42.0.0/16 accept; insert rule ip shut way ip daddr 10.42.0.0/16 accept'",
      "nft 'insert rule ip6 shut way ip6 saddr fd42::/48 accept; insert rule ip6 shut way ip6 daddr fd42::/48 accept'",
    ]);
    for (const command of remedies()) sh(command);
    expect(told()).toEqual([]);
  });

  test('a rejecting last rule, also in a chain that all packets are led to', () => {
    // As firewalld has it.
    nft(`add table inet firewalld {
      chain filter_FORWARD_POLICIES { ip6 daddr ::1 accept; reject with icmpx admin-prohibited; }
      chain filter_FORWARD {
        type filter hook forward priority 10; policy accept;
        ct state established,related accept
        jump filter_FORWARD_POLICIES
      }
    }`);
    expect(told()).toEqual([
      expect.stringContaining(
        'its last rule drops or rejects, and none of its rules accepts all of 10.42.0.0/16 and fd42::/48',
      ),
    ]);
    sh('iptables-nft -A FORWARD -j REJECT');
    expect(told().length).toBe(2);
  });

  test.each([
    [
      'iptables, in a chain of its own as flanneld has it',
      `${DOCKER}
      iptables-nft -N FLANNEL-FWD
      iptables-nft -A FLANNEL-FWD -s 10.42.0.0/16 -m comment --comment 'flanneld forward' -j ACCEPT
      iptables-nft -A FLANNEL-FWD -d 10.42.0.0/16 -m comment --comment 'flanneld forward' -j ACCEPT
      iptables-nft -A FORWARD -m comment --comment 'flanneld forward' -j FLANNEL-FWD`,
    ],
    [
      "Docker's chain for operators",
      `${DOCKER}
      iptables-nft -A DOCKER-USER -s 10.0.0.0/8 -j ACCEPT; iptables-nft -A DOCKER-USER -d 10.0.0.0/8 -j ACCEPT`,
    ],
    [
      'a rule without conditions',
      `${DOCKER}
      iptables-nft -I FORWARD -j ACCEPT`,
    ],
  ])('nothing where the network is accepted: %s', (_, commands) => {
    sh(commands);
    expect(told()).toEqual([]);
  });

  test.each([
    ['one direction', 'ip saddr 10.42.0.0/16 accept'],
    ['a part of the network', 'ip saddr 10.42.0.0/17 accept; ip daddr 10.42.0.0/17 accept'],
    ['all but the network', 'ip saddr != 10.42.0.0/16 accept; ip daddr != 10.42.0.0/16 accept'],
    ['one link', 'iifname cni0 ip saddr 10.42.0.0/16 accept; ip daddr 10.42.0.0/16 accept'],
    ['what is behind the end', 'drop; ip saddr 10.42.0.0/16 accept; ip daddr 10.42.0.0/16 accept'],
    ['a chain of conditions', 'ct state new jump sub'],
    ['both ends at once', 'ip saddr 10.42.0.0/16 ip daddr 10.42.0.0/16 accept'],
  ])('what accepts only %s is no passage', (_, rules) => {
    nft(`add table ip shut {
      chain sub { accept; }
      chain way { type filter hook forward priority 0; policy drop; ${rules}; }
    }`);
    expect(told().length).toBe(1);
  });

  test('nothing in other hooks, in our own tables, and where nothing drops', () => {
    nft(
      'add table ip a { chain c { type filter hook input priority 0; policy drop; }; }',
      'add table ip b { chain c { type filter hook forward priority 0; tcp dport 25 drop; }; }',
      'add table ip flannel-ipv4 { chain forward { type filter hook forward priority 0; policy drop; }; }',
      'add table bridge d { chain c { type filter hook forward priority 0; policy drop; }; }',
    );
    expect(told()).toEqual([]);
  });

  test('chains that lead to each other end', () => {
    nft(
      'add table ip shut { chain b { }; chain way { type filter hook forward priority 0; policy drop; jump b; jump b; goto b; }; }',
    );
    for (let i = 0; i < 40; i++) nft(`add chain ip shut c${i}`, `add rule ip shut b jump c${i}`);
    expect(told().length).toBe(1);
  });

  test('is read anew only after a change', () => {
    sh(DOCKER);
    const first = look();
    expect(look()).toBe(first);
    nft('add table ip other');
    expect(look()).not.toBe(first);
    expect(look()).toEqual(first);
  });
});

describe('rules of ours in them', () => {
  function set(networks = NETWORKS): void {
    expect(passage.set(networks)).toBeUndefined();
    expect(
      look()
        .map((chain) => passageFault(chain, networks))
        .filter(Boolean),
    ).toEqual([]);
  }

  test('iptables prints them as its own, and takes them out', () => {
    sh(`${DOCKER}; ip6tables-nft -P FORWARD DROP`);
    const before = sh('iptables-nft -S FORWARD');
    set([ODD, IPV6]);
    expect(sh('iptables-nft -S FORWARD').split('\n').slice(0, 4)).toEqual([
      '-P FORWARD DROP',
      '-A FORWARD -s 10.40.0.0/13 -m comment --comment flannelette -j ACCEPT',
      '-A FORWARD -d 10.40.0.0/13 -m comment --comment flannelette -j ACCEPT',
      '-A FORWARD -j DOCKER-USER',
    ]);
    expect(sh('ip6tables-nft -S FORWARD')).toContain(
      '-A FORWARD -s fd42::/48 -m comment --comment flannelette -j ACCEPT\n',
    );
    expect(sh('iptables-nft-save')).toContain(
      '-A FORWARD -s 10.40.0.0/13 -m comment --comment flannelette -j ACCEPT\n',
    );
    sh('iptables-nft-save | iptables-nft-restore');
    set([ODD, IPV6]);
    sh('iptables-nft -C FORWARD -s 10.40.0.0/13 -m comment --comment flannelette -j ACCEPT');
    sh('iptables-nft -D FORWARD -s 10.40.0.0/13 -m comment --comment flannelette -j ACCEPT');
    expect(look().map((chain) => passageFault(chain, [ODD, IPV6]))).toContain(
      'ip filter FORWARD had no ip saddr 10.40.0.0/13 accept',
    );
    expect(passage.set([])).toBeUndefined();
    expect(sh('iptables-nft -S FORWARD')).toBe(before);
  });

  test('nft prints what was meant, and in the family inet both', () => {
    nft(
      'add table inet shut { chain forward { type filter hook forward priority 0; policy drop; tcp dport 22 accept; }; }',
    );
    const before = nft('list ruleset');
    set();
    const lines = nft('list chain inet shut forward')
      .split('\n')
      .map((line) => line.trim());
    expect(lines.slice(3, 8)).toEqual([
      'ip saddr 10.42.0.0/16 counter packets 0 bytes 0 accept comment "flannelette"',
      'ip daddr 10.42.0.0/16 counter packets 0 bytes 0 accept comment "flannelette"',
      'ip6 saddr fd42::/48 counter packets 0 bytes 0 accept comment "flannelette"',
      'ip6 daddr fd42::/48 counter packets 0 bytes 0 accept comment "flannelette"',
      'tcp dport 22 accept',
    ]);
    const generation = handles();
    set();
    expect(handles()).toBe(generation);
    expect(passage.set([])).toBeUndefined();
    expect(nft('list ruleset')).toBe(before);
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
    nft('add table ip shut { chain way { type filter hook forward priority 0; policy drop; }; }');
    set();
    const handle = look()[0]?.ours[0]?.handle ?? 0;
    nft(damage(handle));
    expect(
      look()
        .map((chain) => passageFault(chain, NETWORKS))
        .filter(Boolean).length,
    ).toBe(1);
    set();
  });

  test('a rule that others put in front of them is theirs to put', () => {
    nft('add table ip shut { chain way { type filter hook forward priority 0; policy drop; }; }');
    set();
    nft('insert rule ip shut way tcp dport 25 drop');
    const before = handles();
    set();
    expect(handles()).toBe(before);
  });
});
