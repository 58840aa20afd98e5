import { describe, expect, test } from 'bun:test';
import { ip } from '../../sim/samples.ts';
import { chosen, defaultVia, HOST, host } from './hosts.ts';

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
