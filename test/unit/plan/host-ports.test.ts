import { describe, expect, test } from 'bun:test';
import type { HostPorts, PortMapping } from '../../../src/model/host-ports.ts';
import type { Ip } from '../../../src/model/ip.ts';
import { ruleText } from '../../../src/model/traffic-rules.ts';
import { findConflict, isFor, overlap, planHostPorts, wantsLocalnet } from '../../../src/plan/host-ports.ts';

function mapping(text: string): PortMapping {
  const [protocol = '', hostIp = '', hostPort, containerPort] = text.split(' ');
  return {
    protocol: protocol as PortMapping['protocol'],
    hostPort: Number(hostPort),
    containerPort: Number(containerPort),
    ...(hostIp === '*' ? {} : { hostIp: hostIp as Ip }),
  };
}

/** A container with mappings such as `tcp * 8080 80` or `udp 192.0.2.1 53 53`. */
function ports(mappings: readonly string[], changes: Partial<HostPorts> = {}): HostPorts {
  return {
    containerId: 'pod-1',
    ifname: 'eth0',
    network: 'cbr0',
    netns: '/run/netns/1',
    nodeNamespace: 1,
    addresses: [
      { ip: '10.42.1.2' as Ip, length: 24 },
      { ip: 'fd42:1::2' as Ip, length: 64 },
    ],
    mappings: mappings.map(mapping),
    mark: 0x2000,
    masqueradeAll: false,
    outbound: false,
    link: 'cni0',
    ...changes,
  };
}

function mapsOf(all: readonly HostPorts[]): string[] {
  return planHostPorts(all).flatMap(({ family, maps }) =>
    maps.map(({ name, forwards }) => {
      const texts = forwards.map(
        ({ protocol, address = '*', port, to, toPort }) => `${protocol} ${address} ${port} ${to} ${toPort}`,
      );
      return `${family} ${name}: ${texts.join(', ')}`;
    }),
  );
}

function masqueradeOf(all: readonly HostPorts[]): string[] {
  return planHostPorts(all).flatMap(({ family, masquerade }) =>
    masquerade.map((rule) => ruleText(rule, family).replace(/^meta mark & \S+ == /, '')),
  );
}

describe('planHostPorts()', () => {
  test('without any there is no table', () => {
    expect(planHostPorts([])).toEqual([]);
    expect(planHostPorts([ports(['tcp ::1 80 80'], { addresses: [] })])).toEqual([]);
  });

  test('what goes out of a subnet is masqueraded in the same few rules, however many pods it has', () => {
    const outbound = { mark: 0, outbound: true };
    const other = { containerId: 'pod-2', addresses: [{ ip: '10.42.1.3' as Ip, length: 24 }] };
    expect(mapsOf([ports([], outbound)])).toEqual([]);
    expect(masqueradeOf([ports([], outbound), ports([], { ...outbound, ...other })])).toEqual([
      'ip saddr 10.42.1.0/24 ip daddr 10.42.1.0/24 return',
      'ip saddr 10.42.1.0/24 ip daddr 224.0.0.0/4 return',
      'ip saddr 10.42.1.0/24 masquerade',
      'ip6 saddr fd42:1::/64 ip6 daddr fd42:1::/64 return',
      'ip6 saddr fd42:1::/64 ip6 daddr ff00::/8 return',
      'ip6 saddr fd42:1::/64 masquerade',
    ]);
    // Those of hostPorts go before: to return from the chain ends it.
    const [first] = masqueradeOf([ports([], outbound), ports(['tcp * 80 80'], other)]);
    expect(first).toBe('0x00002000 ip saddr 10.42.1.0/24 ip daddr 10.42.1.0/24 masquerade');
  });

  test('a port of every address is for each family that the container has, an address for its own', () => {
    const all = ['tcp * 8080 80', 'tcp 0.0.0.0 81 80', 'tcp :: 82 80', 'udp 192.0.2.1 53 5353'];
    expect(mapsOf([ports(all)])).toEqual([
      '4 addresses-2000: udp 192.0.2.1 53 10.42.1.2 5353',
      '4 ports-2000: tcp * 8080 10.42.1.2 80, tcp * 81 10.42.1.2 80',
      '6 ports-2000: tcp * 8080 fd42:1::2 80, tcp * 82 fd42:1::2 80',
    ]);
  });

  test('containers with other marks have maps of their own, addresses before ports, in whatever order they come', () => {
    const one = ports(['tcp * 1 1'], { addresses: [{ ip: '10.42.1.2' as Ip, length: 24 }] });
    const two = { ...one, containerId: 'pod-2', mappings: [mapping('tcp 192.0.2.1 2 2')], mark: 0 };
    const three = { ...one, containerId: 'pod-3', mappings: [mapping('tcp * 3 3')], mark: 2 ** 31 };
    expect(mapsOf([one, two, three])).toEqual([
      '4 addresses: tcp 192.0.2.1 2 10.42.1.2 2',
      '4 ports-2000: tcp * 1 10.42.1.2 1',
      '4 ports-80000000: tcp * 3 10.42.1.2 3',
    ]);
    expect(planHostPorts([three, one, two])).toEqual(planHostPorts([one, two, three]));
  });

  test('what comes from the own subnet or 127.0.0.1 is masqueraded, with masqAll everything, without snat nothing', () => {
    const subnets = [
      '0x00002000 ip saddr 10.42.1.0/24 ip daddr 10.42.1.0/24 masquerade',
      '0x00002000 ip saddr 127.0.0.0/8 masquerade',
      '0x00002000 ip6 saddr fd42:1::/64 ip6 daddr fd42:1::/64 masquerade',
    ];
    const one = ports(['tcp * 1 1']);
    expect(masqueradeOf([one, { ...one, containerId: 'pod-2', mappings: [mapping('tcp * 2 2')] }])).toEqual(
      subnets,
    );
    expect(masqueradeOf([{ ...one, masqueradeAll: true }])).toEqual([
      '0x00002000 ip daddr 10.42.1.0/24 masquerade',
      '0x00002000 ip saddr 127.0.0.0/8 masquerade',
      '0x00002000 ip6 daddr fd42:1::/64 masquerade',
    ]);
    expect(masqueradeOf([{ ...one, mark: 0 }])).toEqual([]);
  });

  test.each([
    ['tcp * 1 1', {}, true],
    ['tcp 0.0.0.0 1 1', {}, true],
    ['tcp 127.0.0.1 1 1', {}, true],
    ['tcp 192.0.2.1 1 1', {}, false],
    ['tcp :: 1 1', {}, false],
    ['tcp * 1 1', { mark: 0 }, false],
    ['tcp * 1 1', { addresses: [{ ip: 'fd42:1::2' as Ip, length: 64 }] }, false],
  ])('%s %o is to be reached by 127.0.0.1: %p', (text, changes, expected) => {
    const wanted = ports([text], changes);
    expect(wantsLocalnet(wanted)).toBe(expected);
    const guards = planHostPorts([wanted]).map(({ guard }) => guard);
    expect(guards.includes(true)).toBe(expected);
  });
});

test.each([
  ['tcp * 1 1', 'tcp * 1 2', true],
  ['tcp * 1 1', 'udp * 1 1', false],
  ['tcp * 1 1', 'tcp * 2 1', false],
  ['tcp * 1 1', 'tcp 192.0.2.1 1 1', true],
  ['tcp 0.0.0.0 1 1', 'tcp 192.0.2.1 1 1', true],
  ['tcp 0.0.0.0 1 1', 'tcp :: 1 1', false],
  ['tcp 192.0.2.1 1 1', 'tcp 192.0.2.2 1 1', false],
  ['tcp :: 1 1', 'tcp fd00::1 1 1', true],
])('%s and %s overlap: %p', (one, other, expected) => {
  expect(overlap(mapping(one), mapping(other))).toBe(expected);
  expect(overlap(mapping(other), mapping(one))).toBe(expected);
  const conflict = findConflict(ports([one]), [ports(['tcp * 99 99', other], { containerId: 'pod-2' })]);
  expect(conflict?.holder.containerId).toBe(expected ? 'pod-2' : undefined);
});

test('a port is in nobody’s way where one has no address of the family', () => {
  const only4 = ports(['tcp * 1 1'], { addresses: [{ ip: '10.42.1.2' as Ip, length: 24 }] });
  const only6 = ports(['tcp * 1 1'], { addresses: [{ ip: 'fd42:1::3' as Ip, length: 64 }] });
  expect(findConflict(only4, [only6])).toBeUndefined();
  expect(findConflict(ports(['tcp :: 1 1']), [only4])).toBeUndefined();
});

test.each([
  ['udp * 53 5353', '192.0.2.1', 53, true],
  ['udp * 53 5353', 'fd42:1::3', 53, true],
  ['udp * 53 5353', '192.0.2.1', 5353, false],
  ['udp 192.0.2.1 53 53', '192.0.2.1', 53, true],
  ['udp 192.0.2.1 53 53', '192.0.2.9', 53, false],
  ['udp 0.0.0.0 53 53', '192.0.2.9', 53, true],
  ['udp 0.0.0.0 53 53', 'fd42:1::3', 53, false],
  ['udp :: 53 53', 'fd42:1::3', 53, true],
])('%s is for what is sent to %s, port %d: %p', (text, to, port, expected) => {
  expect(isFor(mapping(text), { to: to as Ip, port })).toBe(expected);
});
