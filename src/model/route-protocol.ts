/**
 * Who makes routes, by the number that they carry (`rtm_protocol`, `linux/rtnetlink.h` RTPROT_*).
 *
 * @module
 */
import { ROUTE_PROTOCOL } from './objects.ts';

const NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'redirect'],
  [2, 'kernel'],
  [3, 'boot'],
  [4, 'static'],
  [8, 'gated'],
  [9, 'ra'],
  [11, 'zebra'],
  [12, 'bird'],
  [15, 'ntk'],
  [16, 'dhcp'],
  [17, 'mrouted'],
  [18, 'keepalived'],
  [42, 'babel'],
  [99, 'openr'],
  [ROUTE_PROTOCOL, 'flannelette'],
  [186, 'bgp'],
  [187, 'isis'],
  [188, 'ospf'],
  [189, 'rip'],
  [192, 'eigrp'],
]);

/** The name as `ip route` prints it, or the number. flanneld's and most commands' routes are `boot`. */
export function routeProtocolName(protocol: number): string {
  return NAMES.get(protocol) ?? String(protocol);
}
