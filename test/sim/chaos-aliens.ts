/**
 * What others have on a node: near enough to ours to be mistaken for it.
 *
 * @module
 */
import type { FakeAlien } from '../contract/fake-world.ts';
import type { FakeKernel } from './fake-kernel.ts';
import { ip, mac, macOf, prefix, vxlanLink } from './samples.ts';

const BRIDGE = 'other0';
const TUNNEL = 'vx99';

/** Makes a bridge and a foreign tunnel, with addresses, entries and routes inside the cluster's network. */
export function plantAliens(alien: FakeAlien): void {
  const device = { type: 'other', name: 'bridge' } as const;
  alien.make({ kind: 'link', name: BRIDGE, mtuBytes: 1500, mac: mac('02:00:00:00:99:02'), device });
  alien.setLink(BRIDGE, { up: true });
  alien.make({ kind: 'address', link: BRIDGE, ip: ip('10.42.222.1'), length: 24 });
  alien.make(vxlanLink(4, { name: TUNNEL, mac: macOf(99, 6), device: { vni: 99, parent: BRIDGE } }));
  alien.setLink(TUNNEL, { up: true });
  alien.make({ kind: 'fdb', link: TUNNEL, mac: macOf(5, 4), dst: ip('192.168.0.5') });
  alien.make({ kind: 'neighbour', link: TUNNEL, ip: ip('10.42.5.0'), mac: macOf(5, 4) });
  const route = {
    kind: 'route',
    gateway: undefined,
    link: BRIDGE,
    onlink: false,
    metric: undefined,
  } as const;
  alien.make({ ...route, dst: prefix('10.42.200.0/24'), protocol: 3 });
  alien.make({ ...route, dst: prefix('10.42.5.0/24'), protocol: 4, metric: 50 });
  alien.make({ ...route, dst: prefix('0.0.0.0/0'), protocol: 16 });
}

/** All of it, as it is now. */
export function aliensIn({ links, routes }: FakeKernel): string[] {
  const found = [BRIDGE, TUNNEL].map((name) => {
    const link = links.get(name);
    if (link === undefined) return `no ${name}`;
    const { addresses, neighbours, fdb } = link;
    return JSON.stringify({
      ...link,
      addresses: [...addresses],
      neighbours: [...neighbours],
      fdb: [...fdb],
    });
  });
  return [...found, ...routes.all(BRIDGE).map((route) => JSON.stringify(route))].sort();
}
