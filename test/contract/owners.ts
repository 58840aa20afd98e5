/**
 * Contract: whose an object is, and that what is not ours is never in our way.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import { keyOf } from '../../src/model/objects.ts';
import { difference } from '../../src/reconcile/diff.ts';
import { ip, mac, vxlanLink } from '../sim/samples.ts';
import { change, failuresOf, find, make, observe, succeed } from './hands.ts';
import { directRoute, ownAddress, peerFdb, peerNeighbour, tunnelRoute, upLink } from './kinds.ts';
import { lineOf, type OpenWorld, UNDERLAY, UNDERLAY_IPV4, type World } from './world.ts';

/** Somebody else's `flannel.1`. */
const IMPOSTOR = {
  kind: 'link',
  name: 'flannel.1',
  mtuBytes: 1500,
  mac: mac('02:00:00:00:99:03'),
  device: { type: 'other', name: 'ifb' },
} as const;

const BOOT = 3;
const STATIC = 4;

/** See the module. */
export function ownersContract(open: OpenWorld): void {
  test('routes of our protocol are ours anywhere, others only on our links, the kernel has its own', () => {
    using world = open();
    make(world, ...upLink(4), ...upLink(6));
    const routes = [
      directRoute(2, 4),
      { ...directRoute(3, 4), protocol: BOOT },
      { ...directRoute(4, 6), protocol: STATIC },
      tunnelRoute(5, 4),
      { ...tunnelRoute(6, 4), protocol: BOOT },
      { ...tunnelRoute(7, 6), protocol: STATIC, metric: 50 },
    ];
    for (const route of routes) world.alien.make(route);
    const seen = observe(world, 'peers').filter(({ object }) => object.kind === 'route');
    const ours = seen.filter(({ owner }) => owner === 'ours').map(({ object }) => lineOf(object));
    const alien = seen.filter(({ owner }) => owner === 'alien').map(({ object }) => lineOf(object));
    const kernel = seen.filter(({ owner }) => owner === 'kernel').map(({ object }) => keyOf(object));
    expect(ours.sort()).toEqual(
      [
        'route 10.42.2.0/24 via 192.168.0.2 dev eth0 proto 102',
        'route 10.42.5.0/24 via 10.42.5.0 dev flannel.1 onlink proto 102',
        'route 10.42.6.0/24 via 10.42.6.0 dev flannel.1 onlink proto 3',
        'route fd42:0:0:7::/64 metric 50 via fd42:0:0:7:: dev flannel-v6.1 onlink proto 4',
      ].sort(),
    );
    expect(alien.sort()).toEqual([
      'route 10.42.3.0/24 via 192.168.0.3 dev eth0 proto 3',
      'route fd42:0:0:4::/64 via fd99::4 dev eth0 proto 4',
    ]);
    const known: readonly string[] = kernel;
    expect(known).toContain('route 192.168.0.0/24');
    expect(known).toContain('route fd99::/64 metric 256');
  });

  test('addresses of the network on our links are ours, other IPv4 addresses there and all elsewhere are not', () => {
    using world = open();
    make(world, ...upLink(4), ...upLink(6));
    const at = (link: string, text: string, length: number) =>
      ({ kind: 'address', link, ip: ip(text), length }) as const;
    const addresses = [
      [at('flannel.1', '10.42.9.9', 32), 'ours'],
      [at('flannel.1', '172.16.0.1', 32), 'alien'],
      [at('flannel-v6.1', 'fd42:0:0:9::9', 128), 'ours'],
      [at('flannel-v6.1', '2001:db8::1', 128), 'ours'],
      [at(UNDERLAY, '10.42.9.10', 32), 'alien'],
    ] as const;
    for (const [address] of addresses) world.alien.make(address);
    for (const [address, owner] of addresses) expect(find(world, address)?.owner).toBe(owner);
    const underlay = at(UNDERLAY, UNDERLAY_IPV4, 24);
    expect(find(world, underlay)?.owner).toBe('alien');
  });

  test('entries of our links are ours, whoever made them; those of other links are not even seen', () => {
    using world = open();
    make(world, ...upLink(4));
    const [neighbour, fdb] = [peerNeighbour(2, 4), peerFdb(2, 4)];
    const elsewhere = { ...neighbour, link: UNDERLAY };
    for (const entry of [neighbour, fdb, elsewhere]) world.alien.make(entry);
    const entries = observe(world, 'peers').filter(({ object }) => object.kind !== 'route');
    expect(entries.map(({ object, owner }) => `${owner} ${keyOf(object)}`).sort()).toEqual([
      'ours fdb 02:00:00:04:00:02 dev flannel.1',
      'ours neighbour 10.42.2.0 dev flannel.1',
    ]);
  });

  test('what is removed is just what is named, not what has taken its place', () => {
    using world = open();
    make(world, ...upLink(4), ...upLink(6));
    const replaced = [
      { ...directRoute(2, 4), protocol: STATIC },
      tunnelRoute(3, 4),
      { ...directRoute(4, 6), gateway: ip('fd99::44') },
      peerFdb(5, 4),
    ];
    for (const object of replaced) world.alien.make(object);
    const before = world.show();
    succeed(
      world,
      change('remove', directRoute(2, 4)),
      change('remove', directRoute(3, 4)),
      change('remove', directRoute(4, 6)),
      change('remove', { ...peerFdb(5, 4), dst: ip('192.168.0.55') }),
    );
    expect(world.show()).toEqual(before);
  });
}

/** Contract: a device of our name or of our VNI and port that is not ours is a conflict, and is left alone. */
export function conflictContract(open: OpenWorld): void {
  test('a device of our name but another kind is alien and cannot be taken over', () => {
    using world = open();
    world.alien.make(IMPOSTOR);
    const found = find(world, vxlanLink());
    expect(found?.owner).toBe('alien');
    expect(found && difference(vxlanLink(), found.object)?.verb).toBe('conflict');
    untouched(world, () => {
      const failures = failuresOf(world, change('create', vxlanLink()));
      expect(failures.map(({ kind }) => kind)).toEqual(['conflict']);
    });
  });

  test('what should stand on a device that only has our name is refused, and nothing there is ours', () => {
    using world = open();
    world.alien.make(IMPOSTOR);
    world.alien.setLink('flannel.1', { up: true });
    world.alien.make({ ...ownAddress(4), ip: ip('10.42.7.7') });
    world.alien.make(peerNeighbour(7, 4));
    world.alien.make({ ...tunnelRoute(7, 4), protocol: BOOT });
    const wanted = [ownAddress(4), peerNeighbour(2, 4), peerFdb(2, 4), tunnelRoute(2, 4)];
    untouched(world, () => {
      const failures = failuresOf(world, ...wanted.map((object) => change('create', object)));
      expect(failures.map(({ kind }) => kind)).toEqual(wanted.map(() => 'no-link'));
    });
    const standing = [...observe(world, 'node'), ...observe(world, 'peers')].filter(
      ({ object }) => 'link' in object && object.link === 'flannel.1',
    );
    expect(standing.filter(({ owner }) => owner === 'ours')).toEqual([]);
  });

  test('VNI and port can have one device of a family, and the refusal says what kind of trouble it is', () => {
    using world = open();
    world.alien.make(vxlanLink(4, { name: 'foreign4', mac: mac('02:00:00:00:99:04') }));
    make(world, vxlanLink(6));
    untouched(world, () => {
      const failures = failuresOf(world, change('create', vxlanLink(4)));
      expect(failures.map(({ kind }) => kind)).toEqual(['conflict']);
      expect(failures[0]?.message).toStartWith('Cannot create link flannel.1 ');
    });
    make(world, vxlanLink(4, { device: { vni: 7 } }));
  });

  test('a device cannot be made on an underlay that is not there', () => {
    using world = open();
    const failures = failuresOf(world, change('create', vxlanLink(4, { device: { parent: 'eth7' } })));
    expect(failures).toEqual([{ kind: 'no-link', message: expect.stringContaining('no link eth7') }]);
  });
}

function untouched(world: World, act: () => void): void {
  const before = world.show();
  act();
  expect(world.show()).toEqual(before);
}
