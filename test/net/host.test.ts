import { expect, test } from 'bun:test';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { systemClock } from '../../src/clock.ts';
import { KernelAccess } from '../../src/kernel-access.ts';
import type { Ip } from '../../src/model/ip.ts';
import type { HostSnapshot } from '../../src/underlay/snapshot.ts';
import { ip } from '../sim/samples.ts';
import { run } from './witness.ts';

/** A namespace with `eth0` and its other end `far`, which `commands` are run in. */
function host(...commands: readonly string[]): Netns {
  const netns = createNetns();
  const all = [
    'ip link add eth0 mtu 1400 type veth peer name far',
    'ip link set far up',
    'ip link set eth0 up',
  ];
  for (const command of [...all, ...commands]) run(netns, command.split(' '));
  return netns;
}

function read(netns: Netns, canReach?: Ip): HostSnapshot {
  return inNetns(netns, () => {
    const opened = KernelAccess.open(systemClock);
    if (!opened.ok) throw new Error(opened.error.message);
    const result = opened.value.readHost(canReach);
    opened.value.close();
    if (!result.ok) throw new Error(result.error.message);
    return result.value;
  });
}

/** What is on `eth0`: `192.168.0.1 permanent`. */
function addressesOf(snapshot: HostSnapshot): string[] {
  const { index } = snapshot.links.find(({ name }) => name === 'eth0') ?? {};
  return snapshot.addresses
    .filter((address) => address.index === index && !address.ip.startsWith('fe80'))
    .map(({ ip: each, permanent, deprecated, temporary }) => {
      const flags = [permanent && 'permanent', deprecated && 'deprecated', temporary && 'temporary'];
      return [each, ...flags.filter((flag) => flag !== false)].join(' ');
    });
}

test('readHost() reads links in the order of their indexes', () => {
  using netns = host('ip link set lo up', 'ip link add br9 type bridge');
  const { links } = read(netns);
  expect(links.map(({ name, mtuBytes, up, loopback }) => ({ name, mtuBytes, up, loopback }))).toEqual([
    { name: 'lo', mtuBytes: 65_536, up: true, loopback: true },
    { name: 'far', mtuBytes: 1_500, up: true, loopback: false },
    { name: 'eth0', mtuBytes: 1_400, up: true, loopback: false },
    { name: 'br9', mtuBytes: 1_500, up: false, loopback: false },
  ]);
  expect(links.map(({ index }) => index)).toEqual(links.map(({ index }) => index).sort((a, b) => a - b));
});

test('readHost() tells permanent, dynamic, secondary and deprecated addresses apart', () => {
  using netns = host(
    'ip address add 192.168.0.1/24 dev eth0',
    'ip address add 192.168.0.2/24 dev eth0',
    'ip address add 10.0.0.1/8 dev eth0 valid_lft 1000 preferred_lft 1000',
    'ip address add fd99::1/64 dev eth0 nodad',
    'ip address add fd99::2/64 dev eth0 nodad valid_lft 1000 preferred_lft 1000',
    'ip address add fd99::3/64 dev eth0 nodad valid_lft 1000 preferred_lft 0',
  );
  expect(addressesOf(read(netns)).sort()).toEqual([
    '10.0.0.1',
    '192.168.0.1 permanent',
    '192.168.0.2 permanent temporary',
    'fd99::1 permanent',
    'fd99::2',
    'fd99::3 deprecated',
  ]);
});

test('readHost() leaves an address out that somebody else on the link has', async () => {
  using netns = host('ip address add fd99::1/64 dev far nodad', 'ip address add fd99::1/64 dev eth0');
  const deadlineMs = performance.now() + 10_000;
  while (!run(netns, ['ip', 'address', 'show', 'dev', 'eth0']).includes('dadfailed')) {
    if (performance.now() > deadlineMs) throw new Error('No conflict was found');
    await Bun.sleep(20);
  }
  expect(addressesOf(read(netns))).toEqual([]);
});

test('readHost() reads the routes of table main, without ours', () => {
  using netns = host(
    'ip address add 192.168.0.1/24 dev eth0',
    'ip address add fd99::1/64 dev eth0 nodad',
    'ip route add default via 192.168.0.254 metric 100',
    'ip route add default via 192.168.0.253 metric 200',
    'ip -6 route add default via fd99::fe metric 50',
    'ip route add 10.1.0.0/16 dev eth0',
    'ip route add 10.42.2.0/24 via 192.168.0.2 proto 102',
    'ip route add 10.2.0.0/16 dev eth0 table 100',
    'ip route add blackhole 10.3.0.0/16',
  );
  const { routes, links } = read(netns);
  const { index } = links.find(({ name }) => name === 'eth0') ?? {};
  const onEth0 = routes.filter((route) => route.index === index && !route.dst.startsWith('fe80'));
  expect(
    onEth0.map(({ dst, direct, metric }) => `${dst} ${direct ? 'direct' : 'via'} ${metric}`).sort(),
  ).toEqual([
    '0.0.0.0/0 via 100',
    '0.0.0.0/0 via 200',
    '10.1.0.0/16 direct 0',
    '192.168.0.0/24 direct 0',
    '::/0 via 50',
    'fd99::/64 direct 256',
  ]);
  expect(routes.some(({ dst }) => dst.startsWith('10.42.') || dst.startsWith('10.3.'))).toBe(false);
});

test('readHost() does not take a route with several next hops, or one by the other family, for direct', () => {
  using netns = host(
    'ip address add 192.168.0.1/24 dev eth0',
    'ip address add fd99::1/64 dev eth0 nodad',
    'ip route add 10.1.0.0/16 nexthop via 192.168.0.2 nexthop via 192.168.0.3',
    'ip route add 10.2.0.0/16 via inet6 fd99::2 dev eth0',
  );
  const { routes } = read(netns);
  const found = routes.filter(({ dst }) => dst.startsWith('10.'));
  expect(found.map(({ dst, direct }) => `${dst} ${direct}`).sort()).toEqual([
    '10.1.0.0/16 false',
    '10.2.0.0/16 false',
  ]);
});

test('readHost() asks for the way to an address, and by which of ours the kernel would go there', () => {
  using netns = host(
    'ip address add 192.168.0.1/24 dev eth0',
    'ip address add 192.168.0.9/32 dev eth0',
    'ip address add fd99::1/64 dev eth0 nodad',
    'ip route add 10.1.0.0/16 via 192.168.0.254 src 192.168.0.9',
  );
  const { links } = read(netns);
  const { index } = links.find(({ name }) => name === 'eth0') ?? {};
  expect(read(netns, ip('10.1.2.3')).reach).toEqual({ index: index ?? 0, source: ip('192.168.0.9') });
  expect(read(netns, ip('192.168.0.77')).reach).toEqual({ index: index ?? 0, source: ip('192.168.0.1') });
  expect(read(netns, ip('fd99::77')).reach).toEqual({ index: index ?? 0, source: ip('fd99::1') });
  expect(read(netns, ip('203.0.113.1')).reach).toBeUndefined();
  expect(read(netns).reach).toBeUndefined();
});

test('observe() works in a namespace in which nothing has happened yet', () => {
  using netns = createNetns();
  inNetns(netns, () => {
    const opened = KernelAccess.open(systemClock);
    if (!opened.ok) throw new Error(opened.error.message);
    const look = { claims: { links: new Set(['flannel.1']), networks: [] }, probe: [] };
    for (const scope of ['links', 'node', 'peers', 'files'] as const) {
      expect(opened.value.target.observe(scope, look, () => undefined)).toBeUndefined();
    }
    opened.value.close();
  });
});
