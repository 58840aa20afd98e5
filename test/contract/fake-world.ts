/**
 * The fake kernel as a world.
 *
 * @module
 */
import type { EventSink } from '../../src/kernel/events.ts';
import type { Mac } from '../../src/model/ip.ts';
import { errnoName } from '../../src/netlink/error.ts';
import { RTPROT } from '../../src/netlink/route.ts';
import type { Claims } from '../../src/reconcile/target.ts';
import { type Errno, FakeKernel } from '../sim/fake-kernel.ts';
import { deliverEvents, FakeTarget } from '../sim/fake-target.ts';
import {
  type Alien,
  type AlienLinkChange,
  type AlienObject,
  lineOf,
  UNDERLAY,
  UNDERLAY_IPV4,
  UNDERLAY_IPV6,
  type World,
} from './world.ts';

/** A new fake namespace. */
export function openFakeWorld(): FakeWorld {
  return new FakeWorld();
}

/** Everything that the fake kernel has and that is not its own, in the words of iproute2, sorted. */
export function showFakeKernel({ links, routes }: FakeKernel): string[] {
  const lines: string[] = [];
  for (const link of links.all()) {
    const { name, neighbours, fdb } = link;
    lines.push(lineOf(links.object(link)));
    if (link.up) lines.push(lineOf({ kind: 'up', link: name }));
    for (const address of link.addresses.values()) lines.push(lineOf(address));
    for (const [ip, mac] of neighbours) lines.push(lineOf({ kind: 'neighbour', link: name, ip, mac }));
    for (const [mac, dst] of fdb) lines.push(lineOf({ kind: 'fdb', link: name, mac, dst }));
  }
  for (const route of routes.all()) if (route.protocol !== RTPROT.KERNEL) lines.push(lineOf(route));
  return lines.sort();
}

/** Throws what the kernel says. */
export function done(errno: Errno): void {
  if (errno !== 0) throw new Error(errnoName(errno));
}

/** Somebody else's hand in a fake kernel. */
export class FakeAlien implements Alien {
  readonly #kernel: FakeKernel;

  constructor(kernel: FakeKernel) {
    this.#kernel = kernel;
  }

  make(object: AlienObject): void {
    done(this.#make(object));
  }

  remove(object: AlienObject): void {
    done(this.#remove(object));
  }

  setLink(name: string, { up, mtuBytes, mac, name: newName, learning }: AlienLinkChange): void {
    const kernel = this.#kernel;
    if (up !== undefined) done(kernel.setUp(name, up, 'another'));
    if (mtuBytes !== undefined || mac !== undefined || learning !== undefined) {
      const { device } = kernel.links.object(this.#link(name));
      const changed = learning !== undefined && device.type === 'vxlan' ? { ...device, learning } : undefined;
      done(kernel.changeLink(name, { mtuBytes, mac, device: changed }, 'another'));
    }
    if (newName !== undefined) done(kernel.renameLink(name, newName));
  }

  setSysctl(name: string, value: string): void {
    this.#kernel.sysctls.set(name, value);
  }

  setOffload(link: string, feature: string, on: boolean): void {
    this.#link(link).offloads.set(feature, on);
  }

  #make(object: AlienObject): Errno {
    const kernel = this.#kernel;
    switch (object.kind) {
      case 'link': {
        const { name, mac, mtuBytes, device } = object;
        return device.type === 'vxlan'
          ? kernel.addVxlan({ ...object, device }, 'another')
          : kernel.addOther(name, { mac, mtuBytes, kind: device.name });
      }
      case 'address':
        return kernel.addAddress(object, 'another');
      case 'route':
        return kernel.setRoute(object, 'another');
      case 'neighbour':
        return kernel.setNeighbour(object, 'another');
      case 'fdb':
        return kernel.setFdb(object);
    }
  }

  #remove(object: AlienObject): Errno {
    const kernel = this.#kernel;
    switch (object.kind) {
      case 'link':
        return kernel.deleteLink(object.name, 'another');
      case 'address':
        return kernel.removeAddress(object, 'another');
      case 'route':
        return kernel.removeRoute(object, 'another');
      case 'neighbour':
        return kernel.removeNeighbour(object, 'another');
      case 'fdb':
        return kernel.removeFdb(object);
    }
  }

  #link(name: string) {
    const link = this.#kernel.links.get(name);
    if (link === undefined) throw new Error(`No link ${name}`);
    return link;
  }
}

/** See {@link World}. */
export class FakeWorld implements World {
  readonly kernel = new FakeKernel();
  readonly target = new FakeTarget(this.kernel);
  readonly alien = new FakeAlien(this.kernel);
  readonly directory = '/run/flannel';
  #claims: Claims = { links: new Set(), networks: [] };
  #sink: EventSink | undefined;

  constructor() {
    const { alien } = this;
    const mac = '02:00:00:00:99:01' as Mac;
    alien.make({
      kind: 'link',
      name: UNDERLAY,
      mtuBytes: 1500,
      mac,
      device: { type: 'other', name: 'veth' },
    });
    alien.setLink(UNDERLAY, { up: true });
    alien.make({ kind: 'address', link: UNDERLAY, ip: UNDERLAY_IPV4, length: 24 });
    alien.make({ kind: 'address', link: UNDERLAY, ip: UNDERLAY_IPV6, length: 64 });
  }

  setClaims(claims: Claims): void {
    this.#claims = claims;
  }

  listen(sink: EventSink): void {
    this.kernel.events.length = 0;
    this.#sink = sink;
  }

  heard(): Promise<void> {
    if (this.#sink !== undefined) deliverEvents(this.kernel, this.#claims, this.#sink);
    return Promise.resolve();
  }

  show(): string[] {
    return showFakeKernel(this.kernel);
  }

  [Symbol.dispose](): void {
    this.#sink = undefined;
  }
}
