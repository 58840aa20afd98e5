/**
 * The netlink requests that a pod's network is made of.
 *
 * @module
 */
import {
  addressBits,
  familyOf,
  type Ip,
  ipFromBigint,
  ipToBigint,
  type Prefix,
  prefixBase,
  prefixLength,
} from '../model/ip.ts';
import { ifinfomsg } from '../netlink/link-kinds.ts';
import {
  AF,
  addressMessage,
  IFA_F,
  ifaddrmsg,
  linkMessage,
  RT_SCOPE,
  RT_TABLE_MAIN,
  RTM,
  RTN_UNICAST,
  RTPROT,
  routeMessage,
  rtmsg,
  setPortMessage,
} from '../netlink/route.ts';
import { NLM_F, type Request } from '../netlink/session.ts';
import type { LinkMessage } from './rtnl.ts';

const CREATE = NLM_F.CREATE | NLM_F.EXCL;

/** The kernel's number of an address's family. */
export function familyNumber(address: Ip | Prefix): number {
  return familyOf(address) === 4 ? AF.INET : AF.INET6;
}

/** Makes a link; `flags` are set. */
export function createLink(flags: number, attrs: LinkMessage['attrs']): Request<unknown> {
  return request(RTM.NEWLINK, CREATE, { header: ifinfomsg.of({ flags, change: flags }), attrs });
}

/** Deletes a link. */
export function deleteLink(name: string): Request<unknown> {
  return request(RTM.DELLINK, 0, { header: ifinfomsg.of({}), attrs: { name } });
}

/** Changes a link: `flags` are set. */
export function changeLink(index: number, flags: number, attrs: LinkMessage['attrs'] = {}): Request<unknown> {
  return request(RTM.NEWLINK, 0, { header: ifinfomsg.of({ index, flags, change: flags }), attrs });
}

function request(type: number, flags: number, value: LinkMessage): Request<unknown> {
  return { type, flags, codec: linkMessage, value };
}

/** Lets a bridge send a packet back through the port that it came by. */
export function setHairpin(name: string): Request<unknown> {
  const port = { kind: 'bridge_slave' as const, data: { hairpin: true } };
  const value = { header: ifinfomsg.of({}), attrs: { name, port } };
  return { type: RTM.NEWLINK, flags: 0, codec: setPortMessage, value };
}

/** Gives a link an address: one of IPv6 works at once, without a second of looking for its double. */
export function addAddress(index: number, { ip, length }: { ip: Ip; length: number }): Request<unknown> {
  const family = familyOf(ip);
  const header = ifaddrmsg.of({ family: familyNumber(ip), prefixLength: length, index });
  const attrs =
    family === 4
      ? { local: ip, address: ip, broadcast: broadcastOf(ip, length) }
      : { local: ip, address: ip, flags: IFA_F.NODAD };
  return { type: RTM.NEWADDR, flags: CREATE, codec: addressMessage, value: { header, attrs } };
}

/** Takes an address from a link. */
export function removeAddress(index: number, { ip, length }: { ip: Ip; length: number }): Request<unknown> {
  const header = ifaddrmsg.of({ family: familyNumber(ip), prefixLength: length, index });
  const value = { header, attrs: { local: ip, address: ip } };
  return { type: RTM.DELADDR, flags: 0, codec: addressMessage, value };
}

function broadcastOf(ip: Ip, length: number): Ip {
  const hosts = (1n << BigInt(addressBits(4) - length)) - 1n;
  return ipFromBigint(4, ipToBigint(ip) | hosts);
}

/** Makes a route as `ip route add` does. */
export function addRoute(
  index: number,
  { dst, via }: { dst: Prefix; via: Ip | undefined },
): Request<unknown> {
  const header = rtmsg.of({
    family: familyNumber(dst),
    dstLength: prefixLength(dst),
    table: RT_TABLE_MAIN,
    protocol: RTPROT.BOOT,
    scope: via === undefined ? RT_SCOPE.LINK : RT_SCOPE.UNIVERSE,
    type: RTN_UNICAST,
  });
  const attrs = { dst: prefixLength(dst) === 0 ? undefined : prefixBase(dst), gateway: via, oif: index };
  return { type: RTM.NEWROUTE, flags: CREATE, codec: routeMessage, value: { header, attrs } };
}
