/** Whose things are, and in which order they go. @module */
import { describe, expect, test } from 'bun:test';
import { ip, macOf, prefix } from '../../sim/samples.ts';
import {
  BOOT,
  commands,
  directRoute,
  entriesOf,
  findings,
  left,
  NOBODYS_STATE,
  ownLink,
  STRANGE_MAC,
  tunnelRoute,
  whyLeft,
} from './findings.ts';

test('decide() takes routes, then what stands on devices, devices, files, the lease, and the memory of it last', () => {
  expect(commands(findings())).toEqual([
    'ip route del 10.42.2.0/24 via 10.42.2.0 dev flannel.1 proto 102',
    'ip neigh del 10.42.2.0 dev flannel.1',
    'bridge fdb del 02:00:00:04:00:02 dev flannel.1 dst 192.168.0.2 self',
    'ip link del flannel.1',
    'rm /run/flannel/subnet.env',
    '# the lease 10.42.1.0/24 of node pi-1 in /srv/leases.db',
    'rm /run/flannelette/agent.sock',
    'rm /var/lib/flannelette/node.json',
    'rmdir /run/flannelette',
    'rmdir /var/lib/flannelette',
  ]);
  expect(left(findings())).toEqual([
    { what: 'lease database /srv/leases.db', why: 'another node has a lease in it', whose: 'others' },
  ]);
});

describe('devices', () => {
  const none = { state: NOBODYS_STATE, kernel: { routes: [], entries: [] } } as const;

  test.each([
    ['the state remembers it', { kernel: none.kernel }],
    ['it has an address of this node', { ...none, macs: new Set([macOf(1, 4)]) }],
    ['it carries a route of ours', { state: NOBODYS_STATE }],
  ])('are ours if %s', (_, changes) => {
    expect(commands(findings(changes))).toContain('ip link del flannel.1');
  });

  test('that nothing speaks for are left, and taken with adopt', () => {
    const found = findings({ ...none, kernel: { ...none.kernel, links: [ownLink({ mac: STRANGE_MAC })] } });
    expect(whyLeft(found, 'device flannel.1')).toContain('--adopt takes it');
    expect(commands(found)).not.toContain('ip link del flannel.1');
    expect(commands(found, true)).toContain('ip link del flannel.1');
  });

  test.each([
    [{ type: 'other', name: 'bridge' } as const, 'it is of type bridge, not vxlan'],
    [{ type: 'other', name: '' } as const, 'it is hardware, not vxlan'],
    [{ ...ownLink().device, type: 'vxlan', vni: 7 } as const, 'its VNI is 7, which its name does not say'],
  ])('of the form %j are never taken', (device, why) => {
    const found = findings({ kernel: { links: [{ ...ownLink(), device: { ...ownDevice(), ...device } }] } });
    expect(whyLeft(found, 'device flannel.1', true)).toBe(why);
    expect(commands(found, true).filter((command) => command.includes('link del'))).toEqual([]);
    expect(commands(found, true).filter((command) => command.includes('fdb'))).toEqual([]);
  });

  function ownDevice() {
    const { device } = ownLink();
    if (device.type !== 'vxlan') throw new Error('The sample is no VXLAN device');
    return device;
  }

  test('that flanneld goes on with are its own, and so is subnet.env', () => {
    const found = findings({ kernel: { routes: [tunnelRoute(2, { protocol: BOOT }), directRoute(3)] } });
    expect(whyLeft(found, 'device flannel.1')).toContain('flanneld uses it');
    expect(whyLeft(found, '/run/flannel/subnet.env')).toContain('flanneld has taken the node over');
    expect(commands(found).filter((command) => command.startsWith('ip '))).toEqual([
      'ip route del 10.42.3.0/24 via 192.168.0.3 dev eth0 proto 102',
    ]);
    expect(commands(found, true)).toContain(
      'ip route del 10.42.2.0/24 via 10.42.2.0 dev flannel.1 proto boot',
    );
    expect(commands(found, true)).toContain('rm /run/flannel/subnet.env');
  });

  test('and subnet.env are left to a flanneld that runs', () => {
    const found = findings({ flanneld: 'flanneld (process 4711)' });
    for (const what of ['device flannel.1', '/run/flannel/subnet.env']) {
      expect(whyLeft(found, what)).toBe('flanneld (process 4711) runs and uses it, or will');
    }
    expect(commands(found)[0]).toBe('ip route del 10.42.2.0/24 via 10.42.2.0 dev flannel.1 proto 102');
    expect(commands(found)).toContain('rm /var/lib/flannelette/node.json');
  });

  test('that carry others stay, and with them the lease and the memory of them', () => {
    const found = findings({ above: new Map([['flannel.1', ['vlan7', 'vlan8']]]) });
    expect(whyLeft(found, 'device flannel.1')).toBe('vlan7, vlan8 on it would go with it; remove that first');
    expect(left(found).filter(({ whose }) => whose === 'ours').length).toBe(2);
    expect(commands(found)).toEqual([
      'ip route del 10.42.2.0/24 via 10.42.2.0 dev flannel.1 proto 102',
      'rm /run/flannel/subnet.env',
    ]);
  });

  test('take with them whatever stands on them', () => {
    const routes = [
      tunnelRoute(2),
      // Beside one of ours, it is nobody's sign.
      tunnelRoute(2, { protocol: BOOT, metric: 50 }),
      tunnelRoute(9, { protocol: 4, gateway: undefined, onlink: false }),
    ];
    expect(commands(findings({ kernel: { routes } })).slice(0, 3)).toEqual([
      'ip route del 10.42.2.0/24 via 10.42.2.0 dev flannel.1 proto 102',
      'ip route del 10.42.2.0/24 via 10.42.2.0 dev flannel.1 proto boot metric 50',
      'ip route del 10.42.9.0/24 dev flannel.1 proto static',
    ]);
  });
});

describe('routes', () => {
  const kernel = (...routes: ReturnType<typeof directRoute>[]) =>
    findings({ kernel: { links: [], entries: [], routes } });

  test('of our protocol are ours without any state, others are not', () => {
    const found = {
      ...kernel(directRoute(2), directRoute(3, { protocol: 4 }), directRoute(4, { protocol: 103 })),
      state: NOBODYS_STATE,
    };
    expect(commands(found, true).filter((command) => command.startsWith('ip '))).toEqual([
      'ip route del 10.42.2.0/24 via 192.168.0.2 dev eth0 proto 102',
    ]);
  });

  test('of our protocol that lead nowhere are reported', () => {
    const found = kernel(directRoute(2, { link: '', gateway: undefined }));
    expect(whyLeft(found, 'route 10.42.2.0/24')).toContain('leads nowhere');
    expect(commands(found, true).filter((command) => command.startsWith('ip '))).toEqual([]);
  });

  test.each([
    ['subnet and gateway of a lease', {}, true],
    ['the subnet of a lease and another gateway', { gateway: ip('192.168.0.99') }, false],
    ['the subnet of a lease and no gateway', { gateway: undefined }, false],
    ['a gateway of a lease and another subnet', { dst: prefix('10.42.2.0/25') }, false],
  ])('of flanneld with %s: %p', (_, changes, isTaken) => {
    const found = kernel(directRoute(2, { protocol: BOOT, ...changes }));
    expect(commands(found).filter((command) => command.startsWith('ip '))).toEqual([]);
    expect(commands(found, true).some((command) => command.startsWith('ip route del'))).toBe(isTaken);
  });

  test('into the pod network that no lease explains are reported, others not even that', () => {
    const stray = directRoute(77, { protocol: BOOT });
    const elsewhere = directRoute(2, { protocol: BOOT, dst: prefix('203.0.113.0/24') });
    const told = left(kernel(stray, elsewhere), true).filter(({ what }) => what.startsWith('route'));
    expect(told.map(({ what, whose }) => `${whose}: ${what}`)).toEqual([
      'others: route 10.42.77.0/24 via 192.168.0.77 dev eth0',
    ]);
  });
});

test('decide() takes neighbours only of devices that go', () => {
  const [neighbour] = entriesOf(2);
  const found = findings({ kernel: { entries: [{ ...neighbour, link: 'flannel.8' }] } });
  expect(commands(found).filter((command) => command.includes('neigh'))).toEqual([]);
});
