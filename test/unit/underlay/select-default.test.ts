import { describe, expect, test } from 'bun:test';
import { NOTHING_ON_LINK } from '../../../src/underlay/on-link.ts';
import { sameUnderlay, selectUnderlay } from '../../../src/underlay/select.ts';
import type { HostRoute } from '../../../src/underlay/snapshot.ts';
import { ip, underlayOf } from '../../sim/samples.ts';
import { CHOICE, chosen, defaultVia, HOST, host } from './hosts.ts';

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

test('the kernel goes on listening to routers where they give the default route, or may as long as there is none', () => {
  const links = (routes: readonly HostRoute[]) => {
    const snapshot = host(['lo 65536: ::1', 'eth0: 192.168.0.1', 'bond0: fd99::1', 'veth1: fd42::1'], routes);
    const choice = { ...CHOICE, names: ['bond0'] };
    const selected = selectUnderlay({
      choice,
      families: [4, 6],
      snapshot,
      onLink: NOTHING_ON_LINK,
      current: undefined,
    });
    return selected.ok ? selected.value.routerLinks : [];
  };
  const told = (index: number): HostRoute => ({ ...defaultVia(index, 6), advertised: true });
  expect(links([])).toEqual(['eth0', 'bond0']);
  expect(links([{ ...defaultVia(2), advertised: true }])).toEqual(['eth0', 'bond0']);
  expect(links([told(2)])).toEqual(['eth0']);
  expect(links([told(4), told(2), defaultVia(3, 6)])).toEqual(['eth0', 'veth1']);
  expect(links([defaultVia(3, 6)])).toEqual([]);
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
    { onLinkVersion: 7 },
    { routerLinks: ['eth1'] },
  ];
  expect(others.map((change) => sameUnderlay(one, underlayOf(change)))).toEqual(others.map(() => false));
});
