import { expect, test } from 'bun:test';
import { Rig } from '../../sim/rig.ts';
import { HOST_GW, ip, leaseOf, mac, macOf, prefix, vxlanLink } from '../../sim/samples.ts';

/** Damage, and the kinds of object that have to be put right for it. */
interface Damage {
  readonly what: string;
  readonly act: (rig: Rig) => void;
  readonly repaired: Readonly<Record<string, number>>;
}

const LINK = 'flannel.1';
const NEIGHBOUR = { kind: 'neighbour', link: LINK, ip: ip('10.42.3.0'), mac: macOf(3, 4) } as const;
const FDB = { kind: 'fdb', link: LINK, mac: macOf(3, 4), dst: ip('192.168.0.3') } as const;
const ROUTE = {
  kind: 'route',
  dst: prefix('10.42.3.0/24'),
  gateway: ip('10.42.3.0'),
  link: LINK,
  onlink: true,
  protocol: 102,
  metric: undefined,
} as const;
const ADDRESS = { kind: 'address', link: LINK, ip: ip('10.42.1.0'), length: 32 } as const;

const DAMAGES: readonly Damage[] = [
  { what: 'a route is removed', act: ({ alien }) => alien.remove(ROUTE), repaired: { route: 1 } },
  { what: 'a neighbour is removed', act: ({ alien }) => alien.remove(NEIGHBOUR), repaired: { neighbour: 1 } },
  { what: 'a forwarding entry is removed', act: ({ alien }) => alien.remove(FDB), repaired: { fdb: 1 } },
  {
    what: 'a route is changed',
    act: ({ alien }) => alien.make({ ...ROUTE, gateway: ip('10.42.99.0') }),
    repaired: { route: 1 },
  },
  {
    what: 'a route is taken over by another protocol',
    act: ({ alien }) => alien.make({ ...ROUTE, protocol: 3 }),
    repaired: { route: 1 },
  },
  {
    what: 'a route is led over the underlay',
    act: ({ alien }) => alien.make({ ...ROUTE, gateway: ip('192.168.0.77'), link: 'eth0', onlink: false }),
    repaired: { route: 1 },
  },
  {
    what: 'a neighbour is changed',
    act: ({ alien }) => alien.make({ ...NEIGHBOUR, mac: macOf(99, 4) }),
    repaired: { neighbour: 1 },
  },
  {
    what: 'a forwarding entry is changed',
    act: ({ alien }) => alien.make({ ...FDB, dst: ip('192.168.0.99') }),
    repaired: { fdb: 1 },
  },
  {
    what: 'the address is removed',
    act: ({ alien }) => alien.remove(ADDRESS),
    repaired: { address: 1, neighbour: 3, route: 3 },
  },
  {
    what: 'the device is removed',
    act: ({ alien }) => alien.remove(vxlanLink()),
    repaired: { link: 1, address: 1, up: 1, sysctl: 1, offload: 1, neighbour: 3, fdb: 3, route: 3 },
  },
  {
    what: 'the device is set down',
    act: ({ alien }) => alien.setLink(LINK, { up: false }),
    repaired: { up: 1, neighbour: 3, route: 3 },
  },
  {
    what: 'the MAC is changed',
    act: ({ alien }) => alien.setLink(LINK, { mac: macOf(99, 4) }),
    repaired: { link: 1, neighbour: 3 },
  },
  {
    what: 'the MTU is changed',
    act: ({ alien }) => alien.setLink(LINK, { mtuBytes: 1300 }),
    repaired: { link: 1 },
  },
  {
    what: 'learning is switched on',
    act: ({ alien }) => alien.setLink(LINK, { learning: true }),
    repaired: { link: 1 },
  },
  {
    what: 'another address of the network is added',
    act: ({ alien }) => alien.make({ ...ADDRESS, ip: ip('10.42.77.7') }),
    repaired: { address: 1 },
  },
  {
    what: 'strange entries are added to the device',
    act: ({ alien }) => {
      alien.make({ ...ROUTE, dst: prefix('10.50.0.0/16'), protocol: 4 });
      alien.make({ ...NEIGHBOUR, ip: ip('10.42.77.7') });
      alien.make({ ...FDB, mac: mac('02:00:00:00:00:77') });
    },
    repaired: { route: 1, neighbour: 1, fdb: 1 },
  },
  {
    what: 'all of a peer goes at once',
    act: ({ alien }) => [ROUTE, FDB, NEIGHBOUR].forEach((object) => void alien.remove(object)),
    repaired: { route: 1, neighbour: 1, fdb: 1 },
  },
];

test.each(DAMAGES)('$what: put right at once, counted, and silent afterwards', async ({ act, repaired }) => {
  const rig = await Rig.converged({ peers: 3, families: [4] });
  const { length } = rig.passes;
  act(rig);
  rig.hear();
  await rig.clock.advance(5);
  expect(rig.ours()).toEqual(rig.wantedLines());
  await rig.quiet();
  const counts: Record<string, number> = {};
  for (const { repairs } of rig.passes.slice(length))
    for (const [kind, count] of repairs.byKind()) counts[kind] = (counts[kind] ?? 0) + count;
  expect(counts).toEqual({ ...repaired });
  rig.asked();
  rig.reconciler.look('again');
  await rig.quiet();
  expect(rig.asked()).toEqual([]);
});

test('a repair says what was wrong, in words that can be pasted', async () => {
  const rig = await Rig.converged({ peers: 3, families: [4] });
  rig.alien.remove(ROUTE);
  rig.hear();
  await rig.clock.advance(5);
  const pass = rig.passes.at(-1);
  expect(pass?.repairLines).toEqual(['route 10.42.3.0/24 via 10.42.3.0 dev flannel.1 onlink (was missing)']);
  expect(pass?.cause).toBe('route 10.42.3.0/24 removed');
});

test('what is first made or planned anew is no repair', async () => {
  const rig = await Rig.converged({ peers: 3 });
  rig.change([leaseOf(9), leaseOf(3, { mac: 33 })], ['node-2']);
  await rig.quiet();
  rig.replan({ underlay: { ...rig.underlay, mtuBytes: 1400 } });
  await rig.quiet();
  rig.replan({ backend: HOST_GW });
  await rig.quiet();
  expect(rig.passes.flatMap(({ repairLines }) => repairLines)).toEqual([]);
});

test('an event about a peer looks at nothing else', async () => {
  const rig = await Rig.converged({ peers: 3 });
  const looks = { ...rig.target.looks };
  rig.alien.remove(ROUTE);
  await rig.run(100);
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(rig.target.looks).toEqual(looks);
});

test('events about what is as wanted, or not ours, do nothing', async () => {
  const rig = await Rig.converged({ peers: 3 });
  const { length } = rig.passes;
  const alien = {
    ...ROUTE,
    dst: prefix('10.99.0.0/16'),
    gateway: ip('192.168.0.9'),
    link: 'eth0',
    onlink: false,
  };
  rig.alien.make({ ...alien, protocol: 3 });
  rig.alien.make(ROUTE);
  rig.alien.make(FDB);
  rig.alien.make(NEIGHBOUR);
  rig.alien.setLink(LINK, { up: true });
  rig.alien.remove({ ...alien, protocol: 3 });
  rig.alien.make({ ...ADDRESS, ip: ip('172.16.0.1') });
  await rig.run(1_000);
  expect(rig.passes.length).toBe(length);
});

test('the underlay goes and comes back, with host-gw and with tunnels', async () => {
  for (const backend of [HOST_GW, undefined]) {
    const rig = await Rig.converged({ peers: 3, ...(backend && { backend }) });
    rig.alien.setLink('eth0', { up: false });
    await rig.run(5_000);
    rig.alien.setLink('eth0', { up: true });
    rig.alien.make({ kind: 'address', link: 'eth0', ip: ip('fd99::1'), length: 64 });
    await rig.run(5_000);
    expect(rig.ours()).toEqual(rig.wantedLines());
    rig.alien.remove({ ...vxlanLink(), name: 'eth0' });
    await rig.run(5_000);
    expect(rig.reconciler.converged).toBe(false);
    rig.makeUnderlay();
    await rig.run(5_000);
    expect(rig.ours()).toEqual(rig.wantedLines());
    expect(rig.reconciler.converged).toBe(true);
  }
});

test('a device of our name but another kind is left alone with all that stands on it, and taken up when it goes', async () => {
  const rig = new Rig({ peers: 3, families: [4, 6] });
  const impostor = {
    kind: 'link',
    name: LINK,
    mtuBytes: 1500,
    mac: macOf(9, 4),
    device: { type: 'other', name: 'bridge' },
  } as const;
  rig.alien.make(impostor);
  rig.alien.setLink(LINK, { up: true });
  rig.alien.make({ ...ADDRESS, ip: ip('10.42.77.7'), length: 24 });
  rig.alien.make({ ...NEIGHBOUR, ip: ip('10.42.77.8') });
  const before = rig.kernel.links.get(LINK);
  rig.replan();
  rig.tell('all');
  await rig.run(10_000);
  expect([...(before?.addresses.keys() ?? [])]).toEqual(['address 10.42.77.7/24 dev flannel.1']);
  expect([...(before?.neighbours.keys() ?? [])].map(String)).toEqual(['10.42.77.8']);
  expect([...rig.reconciler.failures()][0]).toMatchObject({ name: 'link flannel.1', kind: 'conflict' });
  expect(rig.ours().filter((line) => line.includes('fd42')).length).toBeGreaterThan(3);
  rig.alien.remove(impostor);
  await rig.run(1_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
});
