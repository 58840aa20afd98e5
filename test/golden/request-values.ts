/**
 * What iproute2, bridge and ethtool ask for, as values of our codecs.
 *
 * @module
 */
import type { Ip, Mac } from '../../src/model/ip.ts';
import type { Codec } from '../../src/netlink/codec.ts';
import { featuresMessage } from '../../src/netlink/ethtool.ts';
import { genlmsghdr } from '../../src/netlink/generic.ts';
import { ifinfomsg } from '../../src/netlink/link-kinds.ts';
import {
  AF,
  addressMessage,
  ifaddrmsg,
  linkMessage,
  NTF_SELF,
  NUD_PERMANENT,
  ndmsg,
  neighbourMessage,
  RT_TABLE_MAIN,
  RTM,
  RTN_BLACKHOLE,
  RTN_UNICAST,
  RTPROT,
  routeMessage,
  rtmsg,
} from '../../src/netlink/route.ts';
import { NLM_F } from '../../src/netlink/session.ts';

/** Why written bytes cannot equal a tool's: its habit, by what has to be overlooked. */
export type Habit =
  | { readonly overlook: 'order'; readonly why: string }
  | { readonly overlook: 'padding'; readonly offsets: readonly number[]; readonly why: string };

/** One captured request. */
export interface RequestCase {
  /** The file in `requests/` without `.txt`. */
  readonly file: string;
  readonly type: number;
  /** NLM_F_* besides REQUEST and ACK. */
  readonly flags: number;
  readonly codec: Codec<unknown>;
  readonly value: unknown;
  readonly habit?: Habit | undefined;
  /** Whether an acknowledgement is asked for; in a transaction none is. */
  readonly answered?: boolean;
}

const BRIDGE_ORDER: Habit = {
  overlook: 'order',
  why: 'bridge writes NDA_LLADDR before NDA_DST, ip neighbour the other way round',
};
/** linux/neighbour.h: `bridge fdb` adds it to the state of what it calls permanent. */
const NUD_NOARP = 0x40;
const CREATE = NLM_F.CREATE | NLM_F.EXCL;
const REPLACE = NLM_F.CREATE | NLM_F.REPLACE;

/** `ip link add`. */
export function newLink(file: string, attrs: Parameters<typeof linkMessage.write>[1]['attrs']): RequestCase {
  return {
    file,
    type: RTM.NEWLINK,
    flags: CREATE,
    codec: linkMessage,
    value: { header: ifinfomsg.of({}), attrs },
  };
}

/** `ip link set` or `ip link del`. */
export function changedLink(
  file: string,
  given: { type?: number; index: number; flags?: number; change?: number; attrs?: object },
): RequestCase {
  const { type = RTM.NEWLINK, index, flags = 0, change = 0, attrs = {} } = given;
  return {
    file,
    type,
    flags: 0,
    codec: linkMessage,
    value: { header: ifinfomsg.of({ index, flags, change }), attrs },
  };
}

/** `ip address add`. */
export function address(
  file: string,
  { length, index, local, flags = 0 }: { length: number; index: number; local: string; flags?: number },
): RequestCase {
  const header = ifaddrmsg.of({ family: familyOf(local), prefixLength: length, flags, index });
  return {
    file,
    type: RTM.NEWADDR,
    flags: CREATE,
    codec: addressMessage,
    value: { header, attrs: { local, address: local } },
  };
}

interface GivenRoute {
  readonly length: number;
  readonly dst: string;
  readonly gateway?: string;
  readonly oif?: number;
  readonly flags?: number;
  readonly protocol?: number;
}

/** `ip route replace`; through the destination itself if no gateway is given. */
export function route(file: string, { length, dst, gateway, oif, flags, protocol }: GivenRoute): RequestCase {
  const header = rtmsg.of({
    family: familyOf(dst),
    dstLength: length,
    table: RT_TABLE_MAIN,
    protocol: protocol ?? RTPROT.BOOT,
    type: RTN_UNICAST,
    flags: flags ?? 0,
  });
  const attrs = { dst, gateway: gateway ?? dst, ...(oif === undefined ? {} : { oif }) };
  return { file, type: RTM.NEWROUTE, flags: REPLACE, codec: routeMessage, value: { header, attrs } };
}

/** `ip route replace blackhole … proto 102 metric 2147483647`. */
export function blackhole(file: string, dst: string, length: number): RequestCase {
  const protocol = 102;
  const family = familyOf(dst);
  const header = rtmsg.of({ family, dstLength: length, table: RT_TABLE_MAIN, protocol, type: RTN_BLACKHOLE });
  const attrs = { dst, priority: 0x7fffffff };
  return { file, type: RTM.NEWROUTE, flags: REPLACE, codec: routeMessage, value: { header, attrs } };
}

interface GivenNeighbour {
  readonly ifindex: number;
  readonly dst: string;
  readonly lladdr?: string;
}

/** `ip neighbour replace … nud permanent`. */
export function neighbour(file: string, { ifindex, ...attrs }: GivenNeighbour): RequestCase {
  const header = ndmsg.of({ family: familyOf(attrs.dst), ifindex, state: NUD_PERMANENT });
  return { file, type: RTM.NEWNEIGH, flags: REPLACE, codec: neighbourMessage, value: { header, attrs } };
}

/** `bridge fdb replace … self permanent`. */
export function forwarding(file: string, { ifindex, ...attrs }: GivenNeighbour): RequestCase {
  const state = NUD_NOARP | NUD_PERMANENT;
  const header = ndmsg.of({ family: AF.BRIDGE, ifindex, state, flags: NTF_SELF });
  return {
    file,
    type: RTM.NEWNEIGH,
    flags: REPLACE,
    codec: neighbourMessage,
    value: { header, attrs },
    habit: BRIDGE_ORDER,
  };
}

/** `ethtool -k` or `-K` of flannel.1. */
export function features(
  file: string,
  { command, ...attrs }: { command: number; wanted?: object },
): RequestCase {
  return {
    file,
    // The id that the kernel of the capture had given to the family.
    type: 21,
    flags: 0,
    codec: featuresMessage,
    value: {
      header: genlmsghdr.of({ command, version: 1 }),
      attrs: { header: { devName: 'flannel.1', flags: 1 }, ...attrs },
    },
  };
}

function familyOf(text: string): number {
  return text.includes(':') ? AF.INET6 : AF.INET;
}

/** A literal address. */
export function ip(text: string): Ip {
  return text as Ip;
}

/** The link-layer address of capture.sh with this last octet. */
export function mac(lastOctet: string): Mac {
  return `02:00:00:00:00:${lastOctet}` as Mac;
}
