import { describe, expect, test } from 'bun:test';
import type { Family, Ip } from '../../../src/model/ip.ts';
import type { InterfaceChoice } from '../../../src/model/settings.ts';
import { NOTHING_ON_LINK } from '../../../src/underlay/on-link.ts';
import { sameUnderlay, selectUnderlay } from '../../../src/underlay/select.ts';
import type {
  HostAddress,
  HostLink,
  HostPath,
  HostRoute,
  HostSnapshot,
} from '../../../src/underlay/snapshot.ts';
import { ip, prefix, underlayOf } from '../../sim/samples.ts';

/** A host in a few words: `eth0 1500: 192.168.0.1, fd99::1 dynamic`. */
function host(lines: readonly string[], routes: readonly HostRoute[] = [], reach?: HostPath): HostSnapshot {
  const links: HostLink[] = [];
  const addresses: HostAddress[] = [];
  lines.forEach((line, i) => {
    const head = line.slice(0, line.indexOf(':'));
    const [name = '', mtu = '1500', state = 'up'] = head.split(' ');
    const index = i + 1;
    links.push({ index, name, mtuBytes: Number(mtu), up: state === 'up', loopback: name === 'lo' });
    for (const words of line.slice(head.length + 1).split(',')) {
      const [address, ...flags] = words.trim().split(' ');
      if (address === undefined || address === '') continue;
      addresses.push({
        index,
        ip: ip(address),
        permanent: !flags.includes('dynamic'),
        deprecated: flags.includes('deprecated'),
        temporary: flags.includes('temporary'),
      });
    }
  });
  return { links, addresses, routes, reach };
}

const CHOICE: InterfaceChoice = {
  names: [],
  patterns: [],
  canReach: undefined,
  publicIpv4: undefined,
  publicIpv6: undefined,
};

interface Case {
  readonly choice?: Partial<InterfaceChoice>;
  readonly families?: readonly Family[];
}

/** The choice in a few words, or what is wrong. */
function chosen(snapshot: HostSnapshot, { choice = {}, families = [4, 6] }: Case = {}): string {
  const selected = selectUnderlay({
    choice: { ...CHOICE, ...choice },
    families,
    snapshot,
    onLink: NOTHING_ON_LINK,
    current: undefined,
  });
  if (!selected.ok) return `${selected.error.code}: ${selected.error.message}`;
  const { name, ipv4, ipv6, publicIpv4, publicIpv6 } = selected.value;
  const show = (own: Ip | undefined, published: Ip | undefined) =>
    own === published ? `${own}` : `${own} as ${published}`;
  return `${name} ${show(ipv4, publicIpv4)} ${show(ipv6, publicIpv6)}`;
}

function defaultVia(index: number, family: Family = 4, metric = 0): HostRoute {
  return family === 4
    ? { dst: prefix('0.0.0.0/0'), direct: false, index, metric }
    : { dst: prefix('::/0'), direct: false, index, metric };
}

const HOST = [
  'lo 65536: 127.0.0.1, ::1',
  'eth0: 192.168.0.1, fd99::1',
  'eth1: 10.0.0.1, fd98::1',
  'wlan0: 172.16.0.1',
];

describe('by --iface', () => {
  test.each([
    // a name, an IPv4 address, an IPv6 address, spelt in another way
    [['eth1'], 'eth1 10.0.0.1 fd98::1'],
    [['10.0.0.1'], 'eth1 10.0.0.1 fd98::1'],
    [['fd98::1'], 'eth1 10.0.0.1 fd98::1'],
    [['FD98:0:0::1'], 'eth1 10.0.0.1 fd98::1'],
    // in order, the first that is there
    [['eth7', '10.9.9.9', 'wlan0', 'eth1'], 'wlan0 172.16.0.1 undefined'],
    [['eth7'], 'interface-missing: No interface matches --iface=eth7'],
    [['lo'], 'interface-no-address: Interface lo has no usable IPv4 or IPv6 address'],
  ])('%p', (names, expected) => {
    expect(chosen(host(HOST, [defaultVia(2)]), { choice: { names } })).toBe(expected);
  });

  test('takes the address that was named, even if there is a better one', () => {
    const snapshot = host(['eth0: 192.168.0.1, 192.168.0.2 temporary, fd99::1, fd99::2 dynamic temporary']);
    expect(chosen(snapshot, { choice: { names: ['192.168.0.2'] } })).toBe('eth0 192.168.0.2 fd99::1');
    expect(chosen(snapshot, { choice: { names: ['fd99::2'] } })).toBe('eth0 192.168.0.1 fd99::2');
  });

  test('takes the first of several links that carry an address', () => {
    const snapshot = host(['a0: fe80::1, 10.0.0.1', 'b0: fe80::1, 10.0.0.2']);
    expect(chosen(snapshot, { choice: { names: ['fe80::1'] } })).toBe('a0 10.0.0.1 fe80::1');
  });

  test('publishes the public addresses, wherever they are', () => {
    const choice = { names: ['eth0'], publicIpv4: ip('203.0.113.1'), publicIpv6: ip('2001:db8::1') };
    expect(chosen(host(HOST), { choice })).toBe('eth0 192.168.0.1 as 203.0.113.1 fd99::1 as 2001:db8::1');
  });

  test('leaves out the family that is not enabled', () => {
    const choice = { names: ['eth0'], publicIpv6: ip('2001:db8::1') };
    expect(chosen(host(HOST), { choice, families: [4] })).toBe('eth0 192.168.0.1 undefined');
    expect(chosen(host(HOST), { choice: { names: ['192.168.0.1'] }, families: [6] })).toBe(
      'eth0 undefined fd99::1',
    );
  });

  test('refuses a link without an MTU', () => {
    const expected = 'interface-missing: Interface eth0 has no MTU';
    expect(chosen(host(['eth0 0: 10.0.0.1']), { choice: { names: ['eth0'] } })).toBe(expected);
  });

  test('comes before everything else', () => {
    const choice = {
      names: ['eth0'],
      patterns: [/eth1/],
      canReach: ip('172.16.0.9'),
      publicIpv4: ip('172.16.0.1'),
    };
    const snapshot = host(HOST, [defaultVia(3)], { index: 4, source: ip('172.16.0.1') });
    expect(chosen(snapshot, { choice })).toBe('eth0 192.168.0.1 as 172.16.0.1 fd99::1');
    expect(chosen(snapshot, { choice: { ...choice, names: ['eth7'] } })).toBe(
      'eth1 10.0.0.1 as 172.16.0.1 fd98::1',
    );
    expect(chosen(snapshot, { choice: { ...choice, names: ['eth7'], patterns: [/eth8/] } })).toBe(
      'wlan0 172.16.0.1 undefined',
    );
  });
});

describe('by --iface-regex', () => {
  test.each([
    // one family: any part of an address, then of a name
    [[4], /^10\./, 'eth1 10.0.0.1 undefined'],
    [[4], /0\.1/, 'eth0 192.168.0.1 undefined'],
    [[6], /fd98/, 'eth1 undefined fd98::1'],
    [[4], /wlan/, 'wlan0 172.16.0.1 undefined'],
    [[4], /lan0$/, 'wlan0 172.16.0.1 undefined'],
    // both: an address of each on one link, else a name
    [[4, 6], /^10\.|^fd98/, 'eth1 10.0.0.1 fd98::1'],
    [[4, 6], /^10\.|^fd99/, 'interface-missing: No interface matches --iface-regex=^10\\.|^fd99'],
    [[4, 6], /^10\./, 'interface-missing: No interface matches --iface-regex=^10\\.'],
    [[4, 6], /eth|^10\./, 'eth0 192.168.0.1 fd99::1'],
    [[4, 6], /wlan0/, 'wlan0 172.16.0.1 undefined'],
  ] as const)('families %p, %p', (families, pattern, expected) => {
    expect(chosen(host(HOST, [defaultVia(2)]), { choice: { patterns: [pattern] }, families })).toBe(expected);
  });

  test('takes the address that matches, not the best', () => {
    const snapshot = host(['eth0: 192.168.0.1, 192.168.7.1 dynamic']);
    expect(chosen(snapshot, { choice: { patterns: [/\.7\./] }, families: [4] })).toBe(
      'eth0 192.168.7.1 undefined',
    );
  });

  test('does not match addresses that cannot be used', () => {
    const snapshot = host(['lo: 127.0.0.1', 'eth0: 127.0.0.9, 192.168.0.1 deprecated', 'eth1: 192.168.0.2']);
    expect(chosen(snapshot, { choice: { patterns: [/^127|^192/] }, families: [4] })).toBe(
      'eth1 192.168.0.2 undefined',
    );
  });

  test('goes through the patterns in order, each with addresses before names', () => {
    const patterns = [/^nothing/, /eth0/, /^10\./];
    expect(chosen(host(HOST), { choice: { patterns }, families: [4] })).toBe('eth0 192.168.0.1 undefined');
  });
});

describe('by --iface-can-reach', () => {
  test('takes the link of the route and the address that the kernel would send from', () => {
    const snapshot = host(['eth0: 192.168.0.1', 'eth1: 10.0.0.1, 10.0.0.2, fd98::1'], [defaultVia(1)], {
      index: 2,
      source: ip('10.0.0.2'),
    });
    expect(chosen(snapshot, { choice: { canReach: ip('10.0.0.9') } })).toBe('eth1 10.0.0.2 fd98::1');
  });

  test('takes the best address where the kernel names none', () => {
    const snapshot = host(HOST, [], { index: 3, source: undefined });
    expect(chosen(snapshot, { choice: { canReach: ip('10.0.0.9') } })).toBe('eth1 10.0.0.1 fd98::1');
  });

  test('says that there is no way', () => {
    expect(chosen(host(HOST, [defaultVia(2)]), { choice: { canReach: ip('10.0.0.9') } })).toBe(
      'interface-missing: No interface matches --iface-can-reach=10.0.0.9',
    );
  });
});

describe('by a public address alone', () => {
  test.each([
    [{ publicIpv4: ip('10.0.0.1') }, 'eth1 10.0.0.1 fd98::1'],
    [{ publicIpv6: ip('fd98::1') }, 'eth1 10.0.0.1 fd98::1'],
    [{ publicIpv4: ip('10.0.0.1'), publicIpv6: ip('2001:db8::1') }, 'eth1 10.0.0.1 fd98::1 as 2001:db8::1'],
    [
      { publicIpv4: ip('203.0.113.1') },
      'interface-missing: No interface has the address 203.0.113.1 of --public-ip',
    ],
    [
      { publicIpv6: ip('2001:db8::1') },
      'interface-missing: No interface has the address 2001:db8::1 of --public-ipv6',
    ],
  ])('%j', (choice, expected) => {
    expect(chosen(host(HOST, [defaultVia(2)]), { choice })).toBe(expected);
  });

  test('takes the public address of the other family if the link carries it, even if it is not the best', () => {
    const snapshot = host(['eth0: 192.168.0.1, fd99::1, fd99::2 dynamic']);
    const choice = { publicIpv4: ip('192.168.0.1'), publicIpv6: ip('fd99::2') };
    expect(chosen(snapshot, { choice })).toBe('eth0 192.168.0.1 fd99::2');
  });
});

describe('by the default route', () => {
  test.each([
    ['IPv4', [defaultVia(3)], [4], 'eth1 10.0.0.1 undefined'],
    ['the lowest metric', [defaultVia(2, 4, 600), defaultVia(3, 4, 100)], [4], 'eth1 10.0.0.1 undefined'],
    ['IPv6', [defaultVia(2), defaultVia(3, 6)], [6], 'eth1 undefined fd98::1'],
    ['both on one link', [defaultVia(3), defaultVia(3, 6)], [4, 6], 'eth1 10.0.0.1 fd98::1'],
    // flannel gives up on the next two
    [
      'each on another link: that of IPv4',
      [defaultVia(3), defaultVia(2, 6)],
      [4, 6],
      'eth1 10.0.0.1 fd98::1',
    ],
    ['of one family only', [defaultVia(3, 6)], [4, 6], 'eth1 10.0.0.1 fd98::1'],
    ['on a link without an IPv6 address', [defaultVia(4)], [4, 6], 'wlan0 172.16.0.1 undefined'],
    ['on a link that is not there', [defaultVia(9)], [4], 'eth0 192.168.0.1 undefined'],
  ] as const)('%s', (_, routes, families, expected) => {
    expect(chosen(host(HOST, routes), { families })).toBe(expected);
  });
});

describe('without a default route', () => {
  test('takes the only link that could be meant', () => {
    const snapshot = host([
      'lo: 127.0.0.1',
      'eth0: 192.168.0.1',
      'eth1 1500 down: 10.0.0.1',
      'cni0: 10.42.1.1',
    ]);
    expect(chosen(snapshot)).toBe('eth0 192.168.0.1 undefined');
  });

  test('prefers links with an address of every family, then global ones, then the order of the kernel', () => {
    expect(chosen(host(['a0: fe80::1', 'b0: 10.0.0.1', 'c0: 10.0.0.2, fd00::1']))).toBe(
      'c0 10.0.0.2 fd00::1',
    );
    expect(chosen(host(['a0: 169.254.0.1', 'b0: 10.0.0.1']), { families: [4] })).toBe(
      'b0 10.0.0.1 undefined',
    );
    expect(chosen(host(['a0: 10.0.0.1', 'b0: 10.0.0.2']), { families: [4] })).toBe('a0 10.0.0.1 undefined');
    expect(chosen(host(['a0: fe80::1']), { families: [6] })).toBe('a0 undefined fe80::1');
  });

  test.each([
    'flannel.1',
    'cni0',
    'docker0',
    'br-0123',
    'veth12',
    'virbr0',
    'kube-ipvs0',
    'nodelocaldns',
    'cali1',
    'lxc9',
  ])('never takes %s unless it is named', (name) => {
    expect(chosen(host([`${name}: 10.0.0.1`]))).toStartWith('interface-missing: No default route');
    expect(chosen(host([`${name}: 10.0.0.1`]), { choice: { names: [name] } })).toStartWith(name);
  });

  test('says why it was chosen', () => {
    const why = (lines: readonly string[], routes: readonly HostRoute[] = []) => {
      const selected = selectUnderlay({
        choice: CHOICE,
        families: [4],
        snapshot: host(lines, routes),
        onLink: NOTHING_ON_LINK,
        current: undefined,
      });
      return selected.ok ? selected.value.why : '';
    };
    expect(why(['a0: 10.0.0.1', 'b0: 10.0.0.2', 'c0: 10.0.0.3'])).toBe(
      'has the best addresses (others: b0, c0); there is no default route',
    );
    expect(why(['a0: 10.0.0.1'])).toBe('is the only one with a usable address; there is no default route');
    expect(why(['a0: 10.0.0.1'], [defaultVia(1)])).toBe('has the IPv4 default route');
  });
});

describe('the address', () => {
  test.each([
    ['global before link-local', 'eth0: 169.254.0.1, 192.168.0.1, fe80::1, fd99::1', '192.168.0.1 fd99::1'],
    ['permanent before dynamic', 'eth0: 192.168.0.1 dynamic, 192.168.0.2', '192.168.0.2 undefined'],
    ['global and dynamic before link-local', 'eth0: fe80::1, fd99::1 dynamic', 'undefined fd99::1'],
    ['stable before temporary', 'eth0: fd99::1 dynamic temporary, fd99::2 dynamic', 'undefined fd99::2'],
    ['permanent before stable', 'eth0: fd99::1 dynamic, fd99::2 temporary', 'undefined fd99::2'],
    ['primary before secondary', 'eth0: 192.168.0.1 temporary, 192.168.0.2', '192.168.0.2 undefined'],
    ['the first of equals', 'eth0: 192.168.0.7, 192.168.0.2', '192.168.0.7 undefined'],
    ['never a deprecated one', 'eth0: 192.168.0.1, fd99::1 deprecated, fe80::1', '192.168.0.1 fe80::1'],
    ['link-local if there is nothing else', 'eth0: 169.254.0.1, fe80::1', '169.254.0.1 fe80::1'],
  ])('is %s', (_, line, expected) => {
    expect(chosen(host([line]), { choice: { names: ['eth0'] } })).toBe(`eth0 ${expected}`);
  });

  test('is missing where there is none that can be used', () => {
    const snapshot = host(['eth0: 127.0.0.2, fd99::1 deprecated']);
    expect(chosen(snapshot, { choice: { names: ['eth0'] } })).toBe(
      'interface-no-address: Interface eth0 has no usable IPv4 or IPv6 address',
    );
    expect(chosen(snapshot, { choice: { names: ['eth0'] }, families: [6] })).toBe(
      'interface-no-address: Interface eth0 has no usable IPv6 address',
    );
  });
});

test('sameUnderlay() compares all that a plan is made from, and nothing else', () => {
  const one = underlayOf();
  expect(sameUnderlay(one, underlayOf({ why: 'another reason', onLink: () => 'eth0' }))).toBe(true);
  const others = [
    { name: 'eth1' },
    { index: 3 },
    { mtuBytes: 1400 },
    { ipv4: ip('192.168.0.2') },
    { ipv6: undefined },
    { publicIpv4: ip('203.0.113.1') },
    { publicIpv6: undefined },
    { onLinkDigest: 'x' },
  ];
  expect(others.map((change) => sameUnderlay(one, underlayOf(change)))).toEqual(others.map(() => false));
});
