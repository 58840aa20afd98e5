/** Chains of other programs that drop what is passed on: nft and iptables make them. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { Passage } from '../../src/kernel/passage.ts';
import { passageProblems } from '../../src/kernel/passage-problems.ts';
import { DOCKER, NETWORKS, PassageLab } from './passage-lab.ts';

let lab: PassageLab;

beforeEach(() => {
  lab = new PassageLab();
});

afterEach(() => lab[Symbol.dispose]());

/** What an operator is told. */
function told(): string[] {
  lab.look();
  return passageProblems(lab.passage.chains).map(({ message, remedy }) => `${message}\n${remedy}`);
}

/** The commands of the remedies. */
function remedies(): string[] {
  return told().map((text) => /there: (.*) \(or start/.exec(text)?.[1] ?? text);
}

describe('what may drop the packets of pods', () => {
  test('a policy of iptables, with the command that is shut no more', () => {
    lab.sh(DOCKER);
    expect(remedies()).toEqual([
      'iptables -I FORWARD -s 10.42.0.0/16 -j ACCEPT && iptables -I FORWARD -d 10.42.0.0/16 -j ACCEPT',
    ]);
    expect(told()[0]).toStartWith(
      'Chain FORWARD of table ip filter may drop forwarded packets of pods: its policy is drop, and none of its rules accepts all of 10.42.0.0/16\n',
    );
    lab.sh('ip6tables-nft -P FORWARD DROP');
    expect(remedies()[1]).toStartWith('ip6tables -I FORWARD -s fd42::/48 -j ACCEPT && ');
    for (const command of remedies()) lab.sh(command.replaceAll('tables ', 'tables-nft '));
    expect(told()).toEqual([]);
  });

  test('chains of nft in every family, with the command that is shut no more', () => {
    lab.nft(
      'add table inet shut { chain forward { type filter hook forward priority 0; policy drop; }; }',
      'add table ip shut { chain way { type filter hook forward priority -5; policy drop; ip saddr 10.42.0.0/16 accept; }; }',
      'add table ip6 shut { chain way { type filter hook forward priority 7; tcp dport 22 accept; counter drop; }; }',
    );
    expect(remedies().sort()).toEqual([
      "nft 'insert rule inet shut forward ip saddr 10.42.0.0/16 accept; insert rule inet shut forward ip daddr 10.42.0.0/16 accept; insert rule inet shut forward ip6 saddr fd42::/48 accept; insert rule inet shut forward ip6 daddr fd42::/48 accept'",
      "nft 'insert rule ip shut way ip saddr 10.42.0.0/16 accept; insert rule ip shut way ip daddr 10.42.0.0/16 accept'",
      "nft 'insert rule ip6 shut way ip6 saddr fd42::/48 accept; insert rule ip6 shut way ip6 daddr fd42::/48 accept'",
    ]);
    for (const command of remedies()) lab.sh(command);
    expect(told()).toEqual([]);
  });

  test('a rejecting last rule, also in a chain that all packets are led to', () => {
    // As firewalld has it.
    lab.nft(`add table inet firewalld {
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
    lab.sh('iptables-nft -A FORWARD -j REJECT');
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
    lab.sh(commands);
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
    lab.nft(`add table ip shut {
      chain sub { accept; }
      chain way { type filter hook forward priority 0; policy drop; ${rules}; }
    }`);
    expect(told().length).toBe(1);
  });

  test('nothing in other hooks, in our own tables, and where nothing drops', () => {
    lab.nft(
      'add table ip a { chain c { type filter hook input priority 0; policy drop; }; }',
      'add table ip b { chain c { type filter hook forward priority 0; tcp dport 25 drop; }; }',
      'add table ip flannel-ipv4 { chain forward { type filter hook forward priority 0; policy drop; }; }',
      'add table bridge d { chain c { type filter hook forward priority 0; policy drop; }; }',
    );
    expect(told()).toEqual([]);
  });

  test('chains that lead to each other end', () => {
    lab.nft(
      'add table ip shut { chain b { }; chain way { type filter hook forward priority 0; policy drop; jump b; jump b; goto b; }; }',
    );
    for (let i = 0; i < 40; i++) lab.nft(`add chain ip shut c${i}`, `add rule ip shut b jump c${i}`);
    expect(told().length).toBe(1);
  });

  test('is read anew only after a change', () => {
    lab.sh(DOCKER);
    const first = lab.look();
    expect(lab.look()).toBe(first);
    lab.nft('add table ip other');
    expect(lab.look()).not.toBe(first);
    expect(lab.look()).toEqual(first);
  });
});

describe('while events are heard', () => {
  let nowMs = 0;
  const session = () => lab.session;
  const heard = () => new Passage({ session, isHeard: () => true, monotonicMs: () => nowMs });
  const place = { family: 'ip', table: 'shut', name: 'way' } as const;

  test('chains are read anew only if an event is about one of them, or after two minutes', () => {
    const passage = heard();
    lab.nft('add table ip shut { chain way { type filter hook forward priority 0; policy drop; }; }');
    const first = passage.look(NETWORKS);
    lab.nft('add rule ip shut way accept');
    // Nobody has told of it.
    expect(passage.look(NETWORKS)).toBe(first);
    expect(passage.concerns({ ...place, name: 'other' })).toBe(false);
    expect(passage.concernsTable({ family: 'ip6', table: 'shut' })).toBe(false);
    expect(passage.look(NETWORKS)).toBe(first);
    for (const tell of [
      () => passage.concerns(place),
      () => passage.concerns({ ...place, name: 'new' }, true),
      () => passage.concernsTable(place),
      () => passage.doubt(),
      () => (nowMs += 120_000),
    ]) {
      const before = passage.look(NETWORKS);
      lab.nft('add table ip other', 'delete table ip other');
      expect(passage.look(NETWORKS)).toBe(before);
      tell();
      expect(passage.look(NETWORKS)).not.toBe(before);
    }
  });

  test('rules of a chain that others lead to are read anew without a list of all chains', () => {
    const passage = heard();
    lab.nft(
      'add table ip shut { chain led { accept; }; chain way { type filter hook forward priority 0; jump led; }; }',
    );
    expect(passage.look(NETWORKS)).toMatchObject([{ drops: undefined }]);
    lab.nft(
      'flush chain ip shut led; add rule ip shut led drop',
      'add table ip new { chain way { type filter hook forward priority 0; policy drop; }; }',
    );
    expect(passage.concerns({ ...place, name: 'led' })).toBe(true);
    expect(passage.look(NETWORKS)).toMatchObject([{ table: 'shut', drops: 'rule' }]);
    // Of the new chain nobody has told yet.
    lab.nft('flush chain ip shut led');
    expect(passage.concerns({ ...place, name: 'led' })).toBe(true);
    expect(passage.concerns({ ...place, table: 'new' }, true)).toBe(true);
    const tables = [
      { table: 'shut', drops: undefined },
      { table: 'new', drops: 'policy' },
    ];
    expect(passage.look(NETWORKS)).toMatchObject(tables);
    // Reading rules is no reason to trust the list for longer.
    nowMs += 60_000;
    lab.nft('flush chain ip shut led');
    passage.concerns({ ...place, name: 'led' });
    passage.look(NETWORKS);
    lab.nft('delete table ip new');
    nowMs += 60_000;
    expect(passage.look(NETWORKS)).toMatchObject([{ table: 'shut' }]);
  });
});
