/**
 * What the kernel of one node holds for the pod network: read whole, since it is a demonstration's size.
 *
 * @module
 */
import { classify, type Mac, prefixOf } from '../../model/ip.ts';
import { describe } from '../../model/objects.ts';
import { ifinfomsg } from '../../netlink/link-kinds.ts';
import {
  AF,
  addressMessage,
  IFF,
  ifaddrmsg,
  linkMessage,
  NTF_SELF,
  NUD_PERMANENT,
  ndmsg,
  neighbourMessage,
  RT_TABLE_MAIN,
  RTM,
  RTNH_F_ONLINK,
  routeMessage,
  rtmsg,
} from '../../netlink/route.ts';
import type { LinkedObject, Rtnl } from './rtnl.ts';

/** A link, as far as a repair has to bring it back. */
export interface LinkView {
  readonly name: string;
  readonly up: boolean;
  readonly mtuBytes: number;
  readonly mac: Mac | undefined;
}

/** Links and what stands on them. */
export interface View {
  readonly links: readonly LinkView[];
  readonly objects: readonly LinkedObject[];
}

/** Reads the links that `owns` names with all that stands on them, and every route through a gateway. */
export function readView(rtnl: Rtnl, owns: (link: string) => boolean): View {
  const names = new Map<number, string>();
  const links: LinkView[] = [];
  const request = {
    type: RTM.GETLINK,
    flags: 0,
    codec: linkMessage,
    value: { header: ifinfomsg.of({}), attrs: {} },
  };
  rtnl.dump(request, linkMessage, ({ header, attrs: { name = '', mtu = 0, address } }) => {
    names.set(header.index, name);
    if (owns(name)) links.push({ name, up: (header.flags & IFF.UP) !== 0, mtuBytes: mtu, mac: address });
  });
  const nameOf = (index: number | undefined) => names.get(index ?? 0) ?? '';
  const objects = [...readAddresses(rtnl, nameOf), ...readNeighbours(rtnl, nameOf)];
  return {
    links,
    objects: [...objects.filter(({ link }) => owns(link)), ...readRoutes(rtnl, nameOf)],
  };
}

/** Everything in the view as text, one line each: a later view that has them all is as good. */
export function viewLines({ links, objects }: View): Set<string> {
  const lines = links.map(
    ({ name, up, mtuBytes, mac }) => `link ${name} ${up ? 'up' : 'down'} mtu ${mtuBytes} ${mac ?? ''}`,
  );
  return new Set([...lines, ...objects.map(describe)]);
}

type NameOf = (index: number | undefined) => string;

function readAddresses(rtnl: Rtnl, nameOf: NameOf): LinkedObject[] {
  const found: LinkedObject[] = [];
  const value = { header: ifaddrmsg.of({}), attrs: {} };
  const request = { type: RTM.GETADDR, flags: 0, codec: addressMessage, value };
  rtnl.dump(request, addressMessage, ({ header, attrs }) => {
    const ip = attrs.local ?? attrs.address;
    // The kernel makes link-local addresses by itself, when it sees fit.
    if (ip === undefined || classify(ip) === 'link-local') return;
    found.push({ kind: 'address', link: nameOf(header.index), ip, length: header.prefixLength });
  });
  return found;
}

function readRoutes(rtnl: Rtnl, nameOf: NameOf): LinkedObject[] {
  const found: LinkedObject[] = [];
  for (const family of [AF.INET, AF.INET6]) {
    const value = { header: rtmsg.of({ family, table: RT_TABLE_MAIN }), attrs: {} };
    const request = { type: RTM.GETROUTE, flags: 0, codec: routeMessage, value };
    rtnl.dump(request, routeMessage, ({ header, attrs: { dst: base, gateway, oif } }) => {
      if (header.table !== RT_TABLE_MAIN || base === undefined || gateway === undefined) return;
      const dst = prefixOf(base, header.dstLength);
      const onlink = (header.flags & RTNH_F_ONLINK) !== 0;
      const { protocol } = header;
      found.push({ kind: 'route', dst, gateway, link: nameOf(oif), onlink, protocol, metric: undefined });
    });
  }
  return found;
}

function readNeighbours(rtnl: Rtnl, nameOf: NameOf): LinkedObject[] {
  const found: LinkedObject[] = [];
  for (const family of [AF.INET, AF.INET6, AF.BRIDGE]) {
    const value = { header: ndmsg.of({ family }), attrs: {} };
    const request = { type: RTM.GETNEIGH, flags: 0, codec: neighbourMessage, value };
    rtnl.dump(request, neighbourMessage, ({ header, attrs: { dst, lladdr: mac } }) => {
      if (dst === undefined || mac === undefined || (header.state & NUD_PERMANENT) === 0) return;
      const link = nameOf(header.ifindex);
      if (family !== AF.BRIDGE) found.push({ kind: 'neighbour', link, ip: dst, mac });
      else if ((header.flags & NTF_SELF) !== 0) found.push({ kind: 'fdb', link, mac, dst });
    });
  }
  return found;
}
