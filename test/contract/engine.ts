/**
 * Contract: the engine brings a kernel in line, repairs what others break, and is silent when all is well.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import type { Family } from '../../src/model/ip.ts';
import { HOST_GW, ip, leaseOf, macOf, prefix, vxlanLink } from '../sim/samples.ts';
import { EngineRig } from './engine-rig.ts';
import { OTHER_LINK, ownAddress, peerFdb, peerNeighbour, tunnelRoute } from './kinds.ts';
import { type Alien, lineOf, type OpenWorld, UNDERLAY, type World } from './world.ts';

const PEERS = [2, 3, 4].map((n) => leaseOf(n));
const DIRECT_PEERS = [2, 3, 4].map((n) => leaseOf(n, { backendType: 'host-gw' }));

/** What others do to a node with three peers. */
const DAMAGES: Readonly<Record<string, (alien: Alien) => void>> = {
  'routes, neighbours and entries of a peer are removed': (alien) => {
    for (const family of [4, 6] as const)
      for (const object of [tunnelRoute(2, family), peerNeighbour(2, family), peerFdb(2, family)])
        alien.remove(object);
  },
  'routes, neighbours and entries of a peer are changed': (alien) => {
    alien.make({
      ...tunnelRoute(3, 4),
      gateway: ip('192.168.0.9'),
      link: UNDERLAY,
      onlink: false,
      protocol: 4,
    });
    alien.make({ ...tunnelRoute(3, 6), gateway: ip('fd99::9'), link: UNDERLAY, onlink: false, protocol: 4 });
    for (const family of [4, 6] as const) {
      alien.make({ ...peerNeighbour(3, family), mac: macOf(9, family) });
      alien.make({ ...peerFdb(3, family), dst: peerFdb(9, family).dst });
    }
  },
  'strange ones are added to our devices': (alien) => {
    for (const family of [4, 6] as const) {
      alien.make({ ...tunnelRoute(9, family), protocol: 4 });
      alien.make(peerNeighbour(9, family));
      alien.make(peerFdb(9, family));
    }
    alien.make({ ...ownAddress(4), ip: ip('10.42.9.9') });
    alien.make({ ...ownAddress(6), ip: ip('fd42:0:0:9::9') });
  },
  'the devices lose their addresses': (alien) =>
    [ownAddress(4), ownAddress(6)].forEach(alien.remove.bind(alien)),
  'the devices are removed': (alien) => [vxlanLink(4), vxlanLink(6)].forEach(alien.remove.bind(alien)),
  'the devices are set down': (alien) => bothDevices((name) => alien.setLink(name, { up: false })),
  'the devices are set down and up': (alien) =>
    bothDevices((name) => {
      alien.setLink(name, { up: false });
      alien.setLink(name, { up: true });
    }),
  'the devices get other MACs': (alien) => bothDevices((name) => alien.setLink(name, { mac: macOf(9, 4) })),
  'the devices get another MTU and learn': (alien) =>
    bothDevices((name) => alien.setLink(name, { mtuBytes: 1300, learning: true })),
  'a device is made again by somebody': (alien) => {
    alien.remove(vxlanLink(4));
    alien.make(vxlanLink(4, { device: { learning: true } }));
  },
  'a device is made again with another VNI': (alien) => {
    alien.remove(vxlanLink(6));
    alien.make(vxlanLink(6, { device: { vni: 9 } }));
  },
  'the underlay is set down and up': (alien) => {
    alien.setLink(UNDERLAY, { up: false });
    alien.setLink(UNDERLAY, { up: true });
    alien.make({ kind: 'address', link: UNDERLAY, ip: ip('fd99::1'), length: 64 });
  },
};

/** See the module. */
export function engineContract(open: OpenWorld): void {
  for (const [what, damage] of Object.entries(DAMAGES)) {
    test(`${what}: repaired by events alone, and silent afterwards`, async () => {
      using world = open();
      using engine = await converged(world, PEERS);
      damage(world.alien);
      await engine.settled();
      expect(await engine.changesOfAnotherLook()).toEqual([]);
    });
  }

  for (const [what, damage] of [
    ['a route is removed', (alien: Alien) => alien.remove({ ...direct(2, 4) })],
    [
      'a route is changed',
      (alien: Alien) => alien.make({ ...direct(2, 6), gateway: ip('fd99::9'), protocol: 4 }),
    ],
    ['the underlay is set down and up', DAMAGES['the underlay is set down and up']],
  ] as const) {
    test(`host-gw, ${what}: repaired by events alone, and silent afterwards`, async () => {
      using world = open();
      using engine = await converged(world, DIRECT_PEERS, HOST_GW);
      damage?.(world.alien);
      await engine.settled();
      expect(await engine.changesOfAnotherLook()).toEqual([]);
    });
  }

  adoptionContract(open);
  planChangeContract(open);
}

function adoptionContract(open: OpenWorld): void {
  test('a restart finds everything as it should be', async () => {
    using world = open();
    (await converged(world, PEERS))[Symbol.dispose]();
    using engine = await converged(world, PEERS);
    expect(engine.changes.filter(({ object }) => object.kind !== 'file').map(({ why }) => why)).toEqual([]);
  });

  test('what flanneld left on its devices is taken over in place, and its dead peers go', async () => {
    using world = open();
    const BOOT = 3;
    for (const family of [4, 6] as const) {
      world.alien.make(vxlanLink(family));
      world.alien.setLink(vxlanLink(family).name, { up: true });
      world.alien.make(ownAddress(family));
      for (const n of [2, 3, 4, 9]) {
        for (const object of [peerNeighbour(n, family), peerFdb(n, family)]) world.alien.make(object);
        world.alien.make({ ...tunnelRoute(n, family), protocol: BOOT });
      }
    }
    using engine = await converged(world, PEERS);
    const lines = engine.changes.map(({ verb, object }) => `${verb} ${object.kind}`);
    expect(lines).not.toContain('create link');
    expect(lines).not.toContain('recreate link');
    expect(lines.filter((line) => line === 'replace route').length).toBe(6);
    expect(lines.filter((line) => line.startsWith('remove')).length).toBe(6);
    expect(await engine.changesOfAnotherLook()).toEqual([]);
  });

  test('what others have is left to the byte', async () => {
    using world = open();
    const { alien } = world;
    alien.make(OTHER_LINK);
    alien.setLink(OTHER_LINK.name, { up: true });
    alien.make({ kind: 'address', link: OTHER_LINK.name, ip: ip('10.42.222.1'), length: 24 });
    const route = {
      ...tunnelRoute(9, 4),
      gateway: undefined,
      link: OTHER_LINK.name,
      onlink: false,
      protocol: 4,
    };
    alien.make(route);
    alien.make({ ...route, dst: prefix('10.42.2.0/24'), metric: 50 });
    alien.make({ ...route, dst: prefix('10.99.0.0/16'), gateway: ip('192.168.0.9'), link: UNDERLAY });
    alien.make(vxlanLink(4, { name: 'vx99', mac: macOf(99, 4), device: { vni: 99 } }));
    alien.make({ ...peerFdb(2, 4), link: 'vx99' });
    alien.make({ ...peerNeighbour(2, 4), link: UNDERLAY });
    const before = world.show();
    using engine = await converged(world, PEERS);
    engine.want(DIRECT_PEERS, { backend: HOST_GW });
    await engine.settled();
    engine.want([], { backend: HOST_GW });
    await engine.settled();
    expect(world.show()).toEqual(before);
  });
}

function planChangeContract(open: OpenWorld): void {
  test('another underlay, address and MTU are taken up on the live devices', async () => {
    using world = open();
    world.alien.make(OTHER_LINK);
    world.alien.setLink(OTHER_LINK.name, { up: true });
    using engine = await converged(world, PEERS);
    engine.changes.length = 0;
    const { name, mtuBytes } = OTHER_LINK;
    engine.want(PEERS, { underlay: { name, mtuBytes, ipv4: ip('192.168.7.1'), ipv6: ip('fd97::1') } });
    await engine.settled();
    expect(
      engine.changes
        .filter(({ object }) => object.kind !== 'file')
        .map(({ verb, object }) => `${verb} ${object.kind}`),
    ).toEqual(['replace link', 'replace link']);
    engine.want(PEERS);
    await engine.settled();
    expect(await engine.changesOfAnotherLook()).toEqual([]);
  });

  test('the backend changes there and back', async () => {
    using world = open();
    using engine = await converged(world, PEERS);
    engine.want(DIRECT_PEERS, { backend: HOST_GW });
    await engine.settled();
    expect(await engine.changesOfAnotherLook()).toEqual([]);
    engine.want(PEERS);
    await engine.settled();
    expect(await engine.changesOfAnotherLook()).toEqual([]);
  });

  test('peers swap subnets and MACs', async () => {
    using world = open();
    using engine = await converged(world, PEERS);
    engine.want([
      leaseOf(2, { subnet: 3, mac: 4 }),
      leaseOf(3, { subnet: 4, mac: 2 }),
      leaseOf(4, { subnet: 2, mac: 3 }),
    ]);
    await engine.settled();
    expect(await engine.changesOfAnotherLook()).toEqual([]);
  });

  test('families come and go', async () => {
    using world = open();
    using engine = await converged(world, PEERS);
    for (const families of [[4], [6], [4, 6]] as Family[][]) {
      engine.want(PEERS, { families });
      await engine.settled();
    }
    expect(await engine.changesOfAnotherLook()).toEqual([]);
  });

  test('a conflict is over when the other device goes', async () => {
    using world = open();
    const other = vxlanLink(4, { name: 'foreign4', mac: macOf(99, 4) });
    world.alien.make(other);
    using engine = new EngineRig(world);
    engine.want(PEERS);
    await untilLine(world, lineOf(tunnelRoute(4, 6)));
    expect(world.show()).toContain(lineOf(other));
    expect(engine.difference().every((line) => line.includes('flannel.1'))).toBe(true);
    world.alien.remove(other);
    await engine.settled();
  });
}

async function converged(world: World, peers: typeof PEERS, backend?: typeof HOST_GW): Promise<EngineRig> {
  const engine = new EngineRig(world);
  engine.want(peers, backend && { backend });
  await engine.settled();
  return engine;
}

function direct(n: number, family: Family) {
  const gateway = family === 4 ? ip(`192.168.0.${n}`) : ip(`fd99::${n}`);
  return { ...tunnelRoute(n, family), gateway, link: UNDERLAY, onlink: false };
}

function bothDevices(act: (name: string) => void): void {
  for (const family of [4, 6] as const) act(vxlanLink(family).name);
}

async function untilLine(world: World, line: string): Promise<void> {
  const deadlineMs = performance.now() + 5_000;
  while (!world.show().includes(line)) {
    if (performance.now() > deadlineMs) throw new Error(`Not there: ${line}`);
    await Bun.sleep(10);
  }
}
