/**
 * A cable from the demo's own network, where the store's servers run, to the bridge of the nodes.
 *
 * @module
 */
import { openNetnsOf } from '../../../ffi/netns.ts';
import type { Family, Ip } from '../../model/ip.ts';
import { Rtnl } from './rtnl.ts';
import { BRIDGE, UNDERLAY_LENGTHS, type UnderlayNetwork, underlayAddress, writeSysctls } from './topology.ts';

/** A node number that no node has. */
const STORE_NUMBER = 254;

/** Plugs it in. Gives back the address at which nodes reach the store. */
export function plugInStore(underlay: UnderlayNetwork, family: Family): Ip {
  using own = openNetnsOf(process.pid);
  using rtnl = new Rtnl(own);
  using bridge = new Rtnl(underlay.bridge);
  // Without duplicate address detection an address works at once.
  writeSysctls(own, { 'net/ipv6/conf/default/accept_dad': 0, 'net/ipv6/conf/all/accept_dad': 0 });
  rtnl.setLink('lo', { up: true });
  rtnl.addVeth({ name: 'store0' }, { name: 'store', netns: underlay.bridge });
  bridge.setLink('store', { bridge: BRIDGE, up: true });
  rtnl.setLink('store0', { up: true });
  const ip = underlayAddress(STORE_NUMBER, family);
  rtnl.add({ kind: 'address', link: 'store0', ip, length: UNDERLAY_LENGTHS[family] });
  return ip;
}
