/**
 * A kernel in memory that behaves as Linux does where it matters here: what stands on a link falls with it, IPv4
 * routes without a word; a link that goes down keeps its forwarding entries and nothing else; a new address of the
 * link flushes its neighbours; a route needs a link that is up and a gateway that can be reached. The contract
 * suite (`test/contract`) holds it to what the real kernel does.
 *
 * @module
 */
import { addressBits, type Family, familyOf, type Mac } from '../../src/model/ip.ts';
import {
  type AddressObject,
  type FdbObject,
  type KernelObject,
  keyOf,
  type LinkObject,
  type NeighbourObject,
  type PassageObject,
  type RouteObject,
  type VxlanDevice,
} from '../../src/model/objects.ts';
import type { TableObject } from '../../src/model/traffic-rules.ts';
import { ERRNO } from '../../src/netlink/error.ts';
import { RTPROT } from '../../src/netlink/route.ts';
import { type FakeLink, FakeLinks, headroomBytes } from './fake-links.ts';
import { connectedRoute, FakeRoutes } from './fake-routes.ts';

/** Who does something: the kernel does not announce to us what we have asked for ourselves. */
export type Actor = 'us' | 'another';

/** Something that the kernel announces. */
export interface FakeEvent {
  readonly object: KernelObject;
  readonly gone: boolean;
  /** For a link that was renamed. */
  readonly formerName?: string;
}

/** The answer to a request: 0, or an errno. */
export type Errno = number;

/** One network namespace. */
export class FakeKernel {
  readonly links = new FakeLinks();
  readonly routes = new FakeRoutes();
  /** Settings below /proc/sys, of links among them; as on a node that has forwarded before. */
  readonly sysctls = new Map([
    ['net/ipv4/ip_forward', '1'],
    ['net/ipv6/conf/all/forwarding', '1'],
  ]);
  readonly files = new Map<string, string>();
  /** Traffic rules, by family and name. */
  readonly tables = new Map<string, TableObject>();
  /** What stands in the way in chains of others, and the rules of ours there. */
  passage: PassageObject = { kind: 'passage', networks: [], faults: [], rules: [] };
  /** What was announced and not delivered yet. */
  readonly events: FakeEvent[] = [];

  /** Makes a link of hardware or of a kind that is never ours. */
  addOther(name: string, { mac, mtuBytes = 1500, kind = '' }: OtherLinkOptions): Errno {
    const link = this.links.add({ name, mac, mtuBytes, device: { type: 'other', name: kind } });
    if (link === undefined) return ERRNO.EEXIST;
    this.#linkUp(link, false, 'another');
    return 0;
  }

  addVxlan({ name, mac, mtuBytes, device }: LinkObject & { device: VxlanDevice }, actor: Actor): Errno {
    const { parent: parentName, ...rest } = device;
    const parent = this.links.get(parentName);
    if (parentName !== undefined && parent === undefined) return ERRNO.ENODEV;
    if (this.links.get(name) !== undefined || this.links.twinOf(device) !== undefined) return ERRNO.EEXIST;
    const mtuMax = parent === undefined ? mtuBytes : parent.mtuBytes - headroomBytes(device);
    const made = { ...rest, parentIndex: parent?.index };
    const link = this.links.add({ name, mac, mtuBytes: Math.min(mtuBytes, mtuMax), device: made });
    if (link === undefined) return ERRNO.EEXIST;
    this.sysctls.set(`net/ipv6/conf/${name}/accept_ra`, '1');
    this.#announceLink(link, actor);
    return 0;
  }

  deleteLink(name: string, actor: Actor): Errno {
    const link = this.links.get(name);
    if (link === undefined) return ERRNO.ENODEV;
    for (const above of this.links.above(link)) this.deleteLink(above.name, 'another');
    this.#flush(link);
    for (const address of [...link.addresses.values()]) this.#forgetAddress(link, address, 'another');
    link.fdb.clear();
    this.links.delete(link);
    this.sysctls.delete(`net/ipv6/conf/${name}/accept_ra`);
    this.#announce(actor, { ...this.links.object(link) }, true);
    return 0;
  }

  /** Changes what can be changed on a live link. */
  changeLink(name: string, change: LinkChange, actor: Actor): Errno {
    const link = this.links.get(name);
    if (link === undefined) return ERRNO.ENODEV;
    const { mtuBytes, mac, device } = change;
    if (device !== undefined && link.device.type === 'vxlan') {
      const { parent: parentName, ...rest } = device;
      const parent = this.links.get(parentName);
      if (parentName !== undefined && parent === undefined) return ERRNO.ENODEV;
      link.device = { ...link.device, ...rest, parentIndex: parent?.index };
    }
    if (mtuBytes !== undefined) {
      const parent = link.device.type === 'vxlan' ? this.links.at(link.device.parentIndex) : undefined;
      if (link.device.type === 'vxlan' && parent && mtuBytes > parent.mtuBytes - headroomBytes(link.device))
        return ERRNO.EINVAL;
      link.mtuBytes = mtuBytes;
    }
    if (mac !== undefined) {
      link.mac = mac;
      this.#flushNeighbours(link);
    }
    this.#announceLink(link, actor);
    return 0;
  }

  renameLink(name: string, to: string): Errno {
    const link = this.links.get(name);
    if (link === undefined) return ERRNO.ENODEV;
    if (this.links.get(to) !== undefined) return ERRNO.EEXIST;
    this.links.rename(link, to);
    this.routes.renameLink(name, to);
    this.events.push({ object: this.links.object(link), gone: false, formerName: name });
    return 0;
  }

  setUp(name: string, up: boolean, actor: Actor): Errno {
    const link = this.links.get(name);
    if (link === undefined) return ERRNO.ENODEV;
    this.#linkUp(link, up, actor);
    return 0;
  }

  addAddress(address: AddressObject, actor: Actor): Errno {
    const link = this.links.get(address.link);
    if (link === undefined) return ERRNO.ENODEV;
    const key = keyOf(address);
    if (link.addresses.has(key)) return 0;
    link.addresses.set(key, address);
    this.#announce(actor, address, false);
    if (link.up) this.#connect(address);
    return 0;
  }

  /** With its last IPv4 address a link loses all IPv4 routes and neighbours (`fib_disable_ip`). */
  removeAddress(address: AddressObject, actor: Actor): Errno {
    const link = this.links.get(address.link);
    if (link === undefined) return ERRNO.ENODEV;
    if (!link.addresses.has(keyOf(address))) return ERRNO.EADDRNOTAVAIL;
    this.#forgetAddress(link, address, actor);
    const left = [...link.addresses.values()].some(({ ip }) => familyOf(ip) === 4);
    if (familyOf(address.ip) === 4 && !left) this.#flush(link, 4);
    return 0;
  }

  setRoute(route: RouteObject, actor: Actor): Errno {
    const link = this.links.get(route.link);
    if (link === undefined && !route.blackhole) return ERRNO.ENODEV;
    if (link?.up === false) return ERRNO.ENETDOWN;
    if (route.gateway !== undefined && !route.onlink && !this.routes.reaches(route.link, route.gateway))
      return ERRNO.ENETUNREACH;
    this.routes.set(route);
    this.#announce(actor, route, false);
    return 0;
  }

  /** Removes the route if gateway, link and protocol are those that are named. */
  removeRoute(route: RouteObject, actor: Actor): Errno {
    const there = this.routes.inPlaceOf(route);
    if (
      there === undefined ||
      there.link !== route.link ||
      there.gateway !== route.gateway ||
      there.protocol !== route.protocol
    )
      return ERRNO.ESRCH;
    this.#dropRoute(there, actor);
    return 0;
  }

  setNeighbour({ link: name, ip, mac, ...rest }: NeighbourObject, actor: Actor): Errno {
    const link = this.links.get(name);
    if (link === undefined) return ERRNO.ENODEV;
    link.neighbours.set(ip, mac);
    this.#announce(actor, { ...rest, link: name, ip, mac }, false);
    return 0;
  }

  removeNeighbour(neighbour: NeighbourObject, actor: Actor): Errno {
    const link = this.links.get(neighbour.link);
    if (link === undefined) return ERRNO.ENODEV;
    const mac = link.neighbours.get(neighbour.ip);
    if (mac === undefined) return ERRNO.ENOENT;
    link.neighbours.delete(neighbour.ip);
    this.#announce(actor, { ...neighbour, mac }, true);
    return 0;
  }

  /** Forwarding entries are announced to everybody, whoever asked for them. */
  setFdb(entry: FdbObject): Errno {
    const link = this.links.get(entry.link);
    if (link === undefined) return ERRNO.ENODEV;
    if (link.device.type !== 'vxlan') return ERRNO.EOPNOTSUPP;
    if (headroomBytes(link.device) !== headroomBytes({ local: entry.dst })) return ERRNO.EAFNOSUPPORT;
    link.fdb.set(entry.mac, entry.dst);
    this.#announce('another', entry, false);
    return 0;
  }

  removeFdb(entry: FdbObject): Errno {
    const link = this.links.get(entry.link);
    if (link === undefined) return ERRNO.ENODEV;
    if (link.device.type !== 'vxlan') return ERRNO.EOPNOTSUPP;
    if (link.fdb.get(entry.mac) !== entry.dst) return ERRNO.ENOENT;
    link.fdb.delete(entry.mac);
    this.#announce('another', entry, true);
    return 0;
  }

  #linkUp(link: FakeLink, up: boolean, actor: Actor): void {
    const before = link.up;
    link.up = up;
    if (before && !up) {
      this.#flush(link);
      for (const address of [...link.addresses.values()])
        if (familyOf(address.ip) === 6) this.#forgetAddress(link, address, 'another');
    }
    this.#announceLink(link, actor);
    if (!before && up) for (const address of link.addresses.values()) this.#connect(address);
  }

  /** Drops neighbours and routes: IPv4 routes silently, IPv6 routes aloud (`fib_sync_down_dev`, `rt6_ifdown`). */
  #flush(link: FakeLink, only?: Family): void {
    this.#flushNeighbours(link, only);
    for (const route of this.routes.all(link.name)) {
      const family = familyOf(route.dst);
      if (only !== undefined && family !== only) continue;
      if (family === 4) this.routes.delete(route);
      else this.#dropRoute(route, 'another');
    }
  }

  #flushNeighbours(link: FakeLink, only?: Family): void {
    for (const [ip, mac] of [...link.neighbours]) {
      if (only !== undefined && familyOf(ip) !== only) continue;
      this.removeNeighbour({ kind: 'neighbour', link: link.name, ip, mac }, 'another');
    }
  }

  #dropRoute(route: RouteObject, actor: Actor): void {
    this.routes.delete(route);
    this.#announce(actor, route, true);
  }

  #forgetAddress(link: FakeLink, address: AddressObject, actor: Actor): void {
    link.addresses.delete(keyOf(address));
    this.#announce(actor, address, true);
    const connected = connectedRoute(address);
    const isShared = [...link.addresses.values()].some(
      (other) => connectedRoute(other).dst === connected.dst,
    );
    const there = this.routes.inPlaceOf(connected);
    if (!isShared && there?.link === link.name && there.protocol === RTPROT.KERNEL)
      this.#dropRoute(there, 'another');
  }

  /** The kernel's own route to the network of an address. */
  #connect(address: AddressObject): void {
    if (address.length === addressBits(4) && familyOf(address.ip) === 4) return;
    const route = connectedRoute(address);
    if (this.routes.inPlaceOf(route) !== undefined) return;
    this.routes.set(route);
    this.#announce('another', route, false);
  }

  #announceLink(link: FakeLink, actor: Actor): void {
    this.#announce(actor, this.links.object(link), false);
    this.#announce(actor, { kind: 'up', link: link.name }, !link.up);
  }

  #announce(actor: Actor, object: KernelObject, gone: boolean): void {
    if (actor === 'another') this.events.push({ object, gone });
  }
}

/** What {@link FakeKernel.addOther} makes. */
export interface OtherLinkOptions {
  readonly mac: Mac;
  readonly mtuBytes?: number;
  readonly kind?: string;
}

/** What is to be changed; the rest stays. */
export interface LinkChange {
  readonly mtuBytes?: number | undefined;
  readonly mac?: Mac | undefined;
  readonly device?: Pick<VxlanDevice, 'local' | 'parent' | 'learning'> | undefined;
}
