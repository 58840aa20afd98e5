/**
 * Who this node is to its peers: chosen once, kept, never read back from a device.
 *
 * @module
 */
import { formatMac, isStationMac, type Mac } from '../model/ip.ts';
import type { Lease } from '../model/lease.ts';

/** The addresses of the VTEP devices. */
export interface Identity {
  readonly macIpv4: Mac;
  readonly macIpv6: Mac;
}

/** Where an identity may come from, the best source first. */
export interface IdentitySources {
  /** What peers have been told: the node's stored lease. */
  readonly published: Lease | undefined;
  /** What the state directory remembers. */
  readonly remembered: { readonly macIpv4: Mac | undefined; readonly macIpv6: Mac | undefined };
  readonly nodeName: string;
  /** Tells nodes of one name in different clusters apart; may be empty. */
  readonly machineId: string;
}

/** Published, else remembered, else derived; what cannot be a device's address is passed over. So a node that has lost its disk still has its old addresses. */
export function chooseIdentity({ published, remembered, nodeName, machineId }: IdentitySources): Identity {
  const choose = (told: readonly (Mac | undefined)[], family: 4 | 6) =>
    told.find((mac) => mac !== undefined && isStationMac(mac)) ??
    deriveMac(`${nodeName}\n${machineId}\n${family}`);
  return {
    macIpv4: choose([published?.ipv4?.vtep?.mac, remembered.macIpv4], 4),
    macIpv6: choose([published?.ipv6?.vtep?.mac, remembered.macIpv6], 6),
  };
}

/** A locally administered station address that depends on nothing but `seed` (IEEE 802c). */
export function deriveMac(seed: string): Mac {
  const digest = new Uint8Array(6);
  digest.set(new Bun.CryptoHasher('sha256').update(seed).digest().subarray(0, 6));
  digest[0] = ((digest[0] ?? 0) & 0xfc) | 0x02;
  return formatMac(digest, 0);
}
