/**
 * One network namespace with a bridge, a VXLAN device on it and our own netlink sockets.
 *
 * @module
 */
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { type NetlinkOptions, type NetlinkSocket, openNetlink } from '../../ffi/socket.ts';
import { type Ip, type Mac, parseIp, parseMac } from '../../src/model/ip.ts';
import {
  AF,
  NETLINK_ROUTE,
  NTF_SELF,
  NUD_PERMANENT,
  ndmsg,
  neighbourMessage,
  RT_TABLE_MAIN,
  RTM,
  RTN_UNICAST,
  RTNH_F_ONLINK,
  RTPROT,
  routeMessage,
  rtmsg,
} from '../../src/netlink/route.ts';
import { NLM_F, Session } from '../../src/netlink/session.ts';
import { run } from './witness.ts';

/** The indexes that the devices of {@link NetlinkLab} have. */
export const BRIDGE_INDEX = 2;
export const VXLAN_INDEX = 3;

/** The namespace: `using lab = new NetlinkLab()`. */
export class NetlinkLab implements Disposable {
  readonly netns: Netns = createNetns();
  /** Of the session's socket. */
  readonly portId: number;
  readonly session: Session;
  readonly #sockets: NetlinkSocket[] = [];

  constructor() {
    this.run('ip link add br0 address 02:00:00:00:00:01 type bridge');
    this.run('ip link set br0 up');
    this.run('ip address add 192.168.1.1/16 dev br0');
    this.run('ip link add flannel.1 type vxlan id 1 dev br0 local 192.168.1.1 dstport 8472 nolearning');
    this.run('ip link set flannel.1 up');
    const socket = this.open({ protocol: NETLINK_ROUTE });
    this.portId = socket.portId;
    this.session = new Session(socket);
  }

  /** Runs a command of words without blanks, and gives back what it prints. */
  run(command: string): string {
    return run(this.netns, command.split(' '));
  }

  /** Opens a socket in the namespace. */
  open(options: NetlinkOptions): NetlinkSocket {
    const socket = inNetns(this.netns, () => openNetlink(options));
    if (typeof socket === 'number') throw new Error(`Cannot open a netlink socket: errno ${-socket}`);
    this.#sockets.push(socket);
    return socket;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.close();
    this.netns.close();
  }
}

/** An address that is written in the test. */
export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`Not an address: '${text}'`);
  return parsed;
}

/** A link-layer address that ends in a number. */
export function mac(number: number): Mac {
  const hex = number.toString(16).padStart(6, '0');
  const parsed = parseMac(`02:00:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`);
  if (parsed === undefined) throw new Error(`Too large: ${number}`);
  return parsed;
}

/** `ip route replace 10.x.y.0/24 via 10.x.y.0 dev flannel.1 onlink` for the peer with a number. */
export function peerRoute(number: number) {
  const dst = ip(`10.${number >> 8}.${number & 255}.0`);
  const header = rtmsg.of({
    family: AF.INET,
    dstLength: 24,
    table: RT_TABLE_MAIN,
    protocol: RTPROT.BOOT,
    type: RTN_UNICAST,
    flags: RTNH_F_ONLINK,
  });
  return {
    type: RTM.NEWROUTE,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    codec: routeMessage,
    value: { header, attrs: { dst, gateway: dst, oif: VXLAN_INDEX } },
  };
}

/** `bridge fdb replace … dev flannel.1 dst 192.168.x.y self permanent` for the peer with a number. */
export function peerForwarding(number: number) {
  const header = ndmsg.of({
    family: AF.BRIDGE,
    ifindex: VXLAN_INDEX,
    state: NUD_PERMANENT,
    flags: NTF_SELF,
  });
  const dst = ip(`192.168.${number >> 8}.${number & 255}`);
  return {
    type: RTM.NEWNEIGH,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    codec: neighbourMessage,
    value: { header, attrs: { dst, lladdr: mac(number) } },
  };
}

/** `ip neighbour replace … dev flannel.1 nud permanent` for the peer with a number. */
export function peerNeighbour(number: number) {
  const header = ndmsg.of({ family: AF.INET, ifindex: VXLAN_INDEX, state: NUD_PERMANENT, type: RTN_UNICAST });
  const dst = ip(`10.${number >> 8}.${number & 255}.0`);
  return {
    type: RTM.NEWNEIGH,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    codec: neighbourMessage,
    value: { header, attrs: { dst, lladdr: mac(number) } },
  };
}
