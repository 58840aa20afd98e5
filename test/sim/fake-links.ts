/**
 * The links of the fake kernel: what stands on a link falls with it.
 *
 * @module
 */
import type { Ip, Mac } from '../../src/model/ip.ts';
import {
  type AddressObject,
  keyOf,
  type LinkObject,
  type OtherDevice,
  type VxlanDevice,
} from '../../src/model/objects.ts';

/** A link with all that stands on it, except routes. */
export interface FakeLink {
  readonly index: number;
  name: string;
  mtuBytes: number;
  mac: Mac;
  device: FakeVxlan | OtherDevice;
  up: boolean;
  readonly addresses: Map<string, AddressObject>;
  readonly neighbours: Map<Ip, Mac>;
  readonly fdb: Map<Mac, Ip>;
  readonly offloads: Map<string, boolean>;
}

/** A VXLAN device: like the kernel it knows its underlay by index. */
export interface FakeVxlan extends Omit<VxlanDevice, 'parent'> {
  readonly parentIndex: number | undefined;
}

/** Outer headers (`vxlan_headroom` in `net/vxlan.h`). */
export function headroomBytes({ local }: Pick<VxlanDevice, 'local'>): number {
  return local?.includes(':') ? 70 : 50;
}

/** The links by name and by index. */
export class FakeLinks {
  readonly #byName = new Map<string, FakeLink>();
  #lastIndex = 0;

  /** Makes a link that is down and empty, or nothing if the name is taken. */
  add(link: Pick<FakeLink, 'name' | 'mtuBytes' | 'mac' | 'device'>): FakeLink | undefined {
    if (this.#byName.has(link.name)) return undefined;
    const made: FakeLink = {
      ...link,
      index: ++this.#lastIndex,
      up: false,
      addresses: new Map(),
      neighbours: new Map(),
      fdb: new Map(),
      offloads: new Map([['tx-checksum-ip-generic', true]]),
    };
    this.#byName.set(link.name, made);
    return made;
  }

  get(name: string | undefined): FakeLink | undefined {
    return name === undefined ? undefined : this.#byName.get(name);
  }

  at(index: number | undefined): FakeLink | undefined {
    for (const link of this.#byName.values()) if (link.index === index) return link;
    return undefined;
  }

  all(): FakeLink[] {
    return [...this.#byName.values()];
  }

  rename(link: FakeLink, name: string): void {
    this.#byName.delete(link.name);
    link.name = name;
    const addresses = [...link.addresses.values()].map((address) => ({ ...address, link: name }));
    link.addresses.clear();
    for (const address of addresses) link.addresses.set(keyOf(address), address);
    this.#byName.set(name, link);
  }

  delete(link: FakeLink): void {
    this.#byName.delete(link.name);
  }

  /** The VXLAN devices whose packets leave by this link. */
  above({ index }: FakeLink): FakeLink[] {
    return this.all().filter(({ device }) => device.type === 'vxlan' && device.parentIndex === index);
  }

  /** The device that has the same VNI, port and outer family, which only one can have. */
  twinOf(device: Pick<VxlanDevice, 'vni' | 'port' | 'local'>): FakeLink | undefined {
    return this.all().find(
      ({ device: other }) =>
        other.type === 'vxlan' &&
        other.vni === device.vni &&
        other.port === device.port &&
        headroomBytes(other) === headroomBytes(device),
    );
  }

  /** The link as the rest of the program sees it. */
  object({ name, mtuBytes, mac, device }: FakeLink): LinkObject {
    if (device.type === 'other') return { kind: 'link', name, mtuBytes, mac, device };
    const { parentIndex, ...rest } = device;
    return {
      kind: 'link',
      name,
      mtuBytes,
      mac,
      device: { ...rest, parent: this.at(parentIndex)?.name },
    };
  }
}
