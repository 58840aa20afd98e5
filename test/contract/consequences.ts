/**
 * Contract: what falls when something else falls, and what of it is announced. The engine trusts that everything
 * which vanishes without a word does so together with something that is announced.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import { describe, type KernelObject, keyOf } from '../../src/model/objects.ts';
import type { Observed } from '../../src/reconcile/target.ts';
import { macOf, vxlanLink } from '../sim/samples.ts';
import { CLAIMS, make, observe } from './hands.ts';
import { directRoute, ownAddress, peerFdb, peerNeighbour, tunnelRoute, upLink } from './kinds.ts';
import { type Alien, lineOf, type OpenWorld, UNDERLAY, UNDERLAY_IPV4, type World } from './world.ts';

/** Something that happens to a node with two peers behind tunnels and one reached directly. */
interface Mishap {
  readonly what: string;
  readonly act: (alien: Alien) => void;
  /** What is gone then, announced or not. */
  readonly lost: readonly KernelObject[];
  /** What is announced: `gone ` and the object, or the object as it is now. */
  readonly announced: readonly string[];
  /** What goes without a word. */
  readonly silent?: readonly KernelObject[];
}

const LINK4 = vxlanLink(4);
const LINK6 = vxlanLink(6);
const UP4: KernelObject = { kind: 'up', link: LINK4.name };
const UP6: KernelObject = { kind: 'up', link: LINK6.name };
const [ADDRESS4, ADDRESS6] = [ownAddress(4), ownAddress(6)];
const [NEIGHBOUR4, NEIGHBOUR6] = [peerNeighbour(2, 4), peerNeighbour(2, 6)];
const [FDB4, FDB6] = [peerFdb(2, 4), peerFdb(2, 6)];
const [ROUTE4, ROUTE6] = [tunnelRoute(2, 4), tunnelRoute(2, 6)];
const [DIRECT4, DIRECT6] = [directRoute(3, 4), directRoute(3, 6)];
const EVERYTHING: readonly KernelObject[] = [
  ...[...upLink(4), ADDRESS4, NEIGHBOUR4, FDB4, ROUTE4, DIRECT4],
  ...[...upLink(6), ADDRESS6, NEIGHBOUR6, FDB6, ROUTE6, DIRECT6],
];

/** A thing that goes may have lost its parts before it is announced. */
const gone = (object: KernelObject) => `gone ${keyOf(object)}`;

const MISHAPS: readonly Mishap[] = [
  {
    what: 'a route is removed',
    act: (alien) => [ROUTE4, DIRECT6].forEach(alien.remove.bind(alien)),
    lost: [ROUTE4, DIRECT6],
    announced: [gone(ROUTE4), gone(DIRECT6)],
  },
  {
    what: 'a neighbour is removed',
    act: (alien) => [NEIGHBOUR4, NEIGHBOUR6].forEach(alien.remove.bind(alien)),
    lost: [NEIGHBOUR4, NEIGHBOUR6],
    announced: [gone(NEIGHBOUR4), gone(NEIGHBOUR6)],
  },
  {
    what: 'a forwarding entry is removed',
    act: (alien) => [FDB4, FDB6].forEach(alien.remove.bind(alien)),
    lost: [FDB4, FDB6],
    announced: [gone(FDB4), gone(FDB6)],
  },
  {
    what: 'entries are changed',
    act: (alien) => {
      alien.make({ ...DIRECT4, gateway: directRoute(9, 4).gateway });
      alien.make({ ...NEIGHBOUR4, mac: macOf(9, 4) });
      alien.make({ ...FDB6, dst: peerFdb(9, 6).dst });
    },
    lost: [DIRECT4, NEIGHBOUR4, FDB6],
    announced: [
      'route 10.42.3.0/24 via 192.168.0.9 dev eth0 proto 102',
      'neighbour 10.42.2.0 lladdr 02:00:00:04:00:09 dev flannel.1 nud permanent',
      'fdb 02:00:00:06:00:02 dev flannel-v6.1 dst fd99::9 self permanent',
    ],
  },
  {
    what: 'the IPv4 address is removed',
    act: (alien) => alien.remove(ADDRESS4),
    lost: [ADDRESS4, ROUTE4, NEIGHBOUR4],
    announced: [gone(ADDRESS4), gone(NEIGHBOUR4)],
    silent: [ROUTE4],
  },
  {
    what: 'the IPv6 address is removed',
    act: (alien) => alien.remove(ADDRESS6),
    lost: [ADDRESS6],
    announced: [gone(ADDRESS6)],
  },
  {
    what: 'a device is removed',
    act: (alien) => alien.remove(LINK4),
    lost: [LINK4, UP4, ADDRESS4, NEIGHBOUR4, FDB4, ROUTE4],
    announced: [gone(LINK4), gone(NEIGHBOUR4)],
    silent: [ROUTE4],
  },
  {
    what: 'an IPv6 device is removed',
    act: (alien) => alien.remove(LINK6),
    lost: [LINK6, UP6, ADDRESS6, NEIGHBOUR6, FDB6, ROUTE6],
    announced: [gone(LINK6), gone(NEIGHBOUR6), gone(ROUTE6)],
  },
  {
    what: 'a device gets another name',
    act: (alien) => alien.setLink(LINK4.name, { name: 'mine' }),
    lost: [LINK4, UP4, ADDRESS4, NEIGHBOUR4, FDB4, ROUTE4],
    announced: ['look link flannel.1 was renamed mine', 'underlay link mine'],
  },
  {
    what: 'a device is set down',
    act: (alien) => alien.setLink(LINK4.name, { up: false }),
    lost: [UP4, NEIGHBOUR4, ROUTE4],
    announced: [gone(UP4), gone(NEIGHBOUR4)],
    silent: [ROUTE4],
  },
  {
    what: 'an IPv6 device is set down',
    act: (alien) => alien.setLink(LINK6.name, { up: false }),
    lost: [UP6, ADDRESS6, NEIGHBOUR6, ROUTE6],
    announced: [gone(UP6), gone(ADDRESS6), gone(NEIGHBOUR6), gone(ROUTE6)],
  },
  {
    what: 'a device gets another MAC',
    act: (alien) => {
      alien.setLink(LINK4.name, { mac: macOf(9, 4) });
      alien.setLink(LINK6.name, { mac: macOf(9, 6) });
    },
    lost: [LINK4, LINK6, NEIGHBOUR4, NEIGHBOUR6],
    announced: [
      gone(NEIGHBOUR4),
      gone(NEIGHBOUR6),
      describe(vxlanLink(4, { mac: macOf(9, 4) })),
      describe(vxlanLink(6, { mac: macOf(9, 6) })),
    ],
  },
  {
    what: 'a device gets another MTU',
    act: (alien) => alien.setLink(LINK4.name, { mtuBytes: 1300 }),
    lost: [LINK4],
    announced: [describe(vxlanLink(4, { mtuBytes: 1300 }))],
  },
  {
    what: 'a device begins to learn',
    act: (alien) => alien.setLink(LINK6.name, { learning: true }),
    lost: [LINK6],
    announced: [describe(vxlanLink(6, { device: { learning: true } }))],
  },
  {
    what: 'the underlay is set down',
    act: (alien) => alien.setLink(UNDERLAY, { up: false }),
    lost: [DIRECT4, DIRECT6],
    announced: [gone(DIRECT6), 'underlay link eth0'],
    silent: [DIRECT4],
  },
  {
    what: 'the underlay loses its IPv4 address',
    act: (alien) => alien.remove({ kind: 'address', link: UNDERLAY, ip: UNDERLAY_IPV4, length: 24 }),
    lost: [DIRECT4],
    announced: ['underlay address eth0'],
    silent: [DIRECT4],
  },
  {
    what: 'the underlay gets a smaller MTU',
    act: (alien) => alien.setLink(UNDERLAY, { mtuBytes: 1400 }),
    lost: [],
    announced: ['underlay link eth0'],
  },
  {
    what: 'the underlay is removed',
    act: (alien) => alien.remove({ ...LINK4, name: UNDERLAY }),
    lost: EVERYTHING,
    announced: [gone(LINK4), gone(LINK6), 'underlay link eth0'],
    silent: [DIRECT4],
  },
];

/** See the module. */
export function consequencesContract(open: OpenWorld): void {
  for (const { what, act, lost, announced, silent = [] } of MISHAPS) {
    test(`${what}: what is lost and what is announced`, async () => {
      using world = open();
      const heard = await equip(world);
      act(world.alien);
      await world.heard();
      const left = new Set(world.show());
      const missing = EVERYTHING.map(lineOf).filter((line) => !left.has(line));
      expect(missing.sort()).toEqual(lost.map(lineOf).sort());
      expect(announced.filter((line) => !heard.includes(line))).toEqual([]);
      expect(silent.map(gone).filter((line) => heard.includes(line))).toEqual([]);
    });
  }

  test('our own doings are not announced, except forwarding entries', async () => {
    using world = open();
    const heard = await equip(world);
    const again = [
      { ...DIRECT4, gateway: directRoute(8, 4).gateway },
      { ...NEIGHBOUR6, mac: macOf(8, 6) },
    ];
    make(world, ...again, peerFdb(8, 4));
    await world.heard();
    expect(heard).toEqual([lineOf(peerFdb(8, 4))]);
  });

  test('a link that comes up again has its addresses and nothing else', async () => {
    using world = open();
    await equip(world);
    world.alien.setLink(UNDERLAY, { up: false });
    world.alien.setLink(UNDERLAY, { up: true });
    const left = new Set(world.show());
    expect([DIRECT4, DIRECT6].map(lineOf).filter((line) => left.has(line))).toEqual([]);
    make(world, DIRECT4);
  });
}

/** Makes everything, and gives back what is announced from then on. */
async function equip(world: World): Promise<string[]> {
  const heard: string[] = [];
  world.setClaims(CLAIMS);
  make(world, ...EVERYTHING);
  observe(world, 'links');
  world.listen({
    moved: ({ object }: Observed, isGone) => void heard.push(isGone ? gone(object) : lineOf(object)),
    look: (cause) => void heard.push(`look ${cause}`),
    underlay: (event) =>
      void heard.push(`underlay ${event.kind} ${event.kind === 'link' ? event.name : event.link}`),
  });
  await world.heard();
  heard.length = 0;
  return heard;
}
