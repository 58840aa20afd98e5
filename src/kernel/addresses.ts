/**
 * Addresses between objects and RTM_*ADDR.
 *
 * @module
 */
import { classify, familyOf, prefixContains } from '../model/ip.ts';
import type { AddressObject } from '../model/objects.ts';
import type { Infer } from '../netlink/codec.ts';
import { AF, addressMessage, ifaddrmsg, RTM } from '../netlink/route.ts';
import { NLM_F, type Request } from '../netlink/session.ts';
import type { Claims, Owner } from '../reconcile/target.ts';
import type { LinkTable } from './link-table.ts';

/** A decoded RTM_NEWADDR. */
export type AddressMessage = Infer<typeof addressMessage>;

/** Asks for all addresses of a family: asked for all families at once, the kernel adds ones of other sorts. */
export function dumpAddresses(family: 4 | 6): Request<AddressMessage> {
  const header = ifaddrmsg.of({ family: family === 4 ? AF.INET : AF.INET6 });
  return { type: RTM.GETADDR, flags: 0, codec: addressMessage, value: { header, attrs: {} } };
}

/** Adds or removes an address: global, without broadcast or label, as flannel sets it. */
export function addressRequest(
  verb: 'add' | 'remove',
  { ip, length }: AddressObject,
  index: number,
): Request<AddressMessage> {
  const family = familyOf(ip) === 4 ? AF.INET : AF.INET6;
  return {
    type: verb === 'add' ? RTM.NEWADDR : RTM.DELADDR,
    flags: verb === 'add' ? NLM_F.CREATE | NLM_F.REPLACE : 0,
    codec: addressMessage,
    value: {
      header: ifaddrmsg.of({ family, prefixLength: length, index }),
      attrs: { local: ip, address: ip },
    },
  };
}

/** The object that a message shows. */
export function readAddress({ header, attrs }: AddressMessage, links: LinkTable): AddressObject | undefined {
  const link = links.nameOf(header.index);
  const ip = attrs.local ?? attrs.address;
  return link === undefined || ip === undefined
    ? undefined
    : { kind: 'address', link, ip, length: header.prefixLength };
}

/** flannel's rule: on its devices, IPv4 addresses of the network and IPv6 ones that are not link-local are its own. */
export function addressOwner({ link, ip }: AddressObject, { links, networks }: Claims): Owner {
  if (!links.has(link)) return 'alien';
  if (familyOf(ip) === 6) return classify(ip) === 'link-local' ? 'kernel' : 'ours';
  return networks.some((network) => prefixContains(network, ip)) ? 'ours' : 'alien';
}
