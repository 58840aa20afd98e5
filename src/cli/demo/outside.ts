/**
 * A host beyond the nodes: they route to it, and it knows their addresses alone, not the pods'. So what comes from a
 * pod has an answer only if its node puts its own address in the place of the pod's.
 *
 * @module
 */
import { createNetns, type Netns } from '../../../ffi/netns.ts';
import { type Family, type Ip, ipFromBigint, parseIp, prefixOf } from '../../model/ip.ts';
import { bootRoute, Rtnl } from './rtnl.ts';
import { untilCarrying } from './settle.ts';
import {
  BRIDGE,
  UNDERLAY_LENGTHS,
  UNDERLAY_LINK,
  type UnderlayNetwork,
  underlayAddress,
  writeSysctls,
} from './topology.ts';

/** A node number that no node has. */
const OUTSIDE_NUMBER = 253;

/** Of the networks that are kept for documentation (RFC 5737, RFC 3849). */
const ADDRESSES = { 4: { text: '198.51.100.1', length: 32 }, 6: { text: '2001:db8::1', length: 128 } };

/** The host's namespace, and the addresses beyond the underlay at which it is pinged. */
export interface Outside extends Disposable {
  readonly netns: Netns;
  readonly ips: ReadonlyMap<Family, Ip>;
}

/** Plugs the host into the nodes' bridge, and gives every node a default route to it. */
export async function addOutside(
  { nodes, bridge }: Pick<UnderlayNetwork, 'nodes' | 'bridge'>,
  families: readonly Family[],
): Promise<Outside> {
  using stack = new DisposableStack();
  const netns = stack.use(createNetns());
  using rtnl = new Rtnl(netns);
  using bridgeRtnl = new Rtnl(bridge);
  writeSysctls(netns, { 'net/ipv6/conf/default/disable_ipv6': 0, 'net/ipv6/conf/default/accept_dad': 0 });
  bridgeRtnl.addVeth({ name: 'outside' }, { name: UNDERLAY_LINK, netns });
  bridgeRtnl.setLink('outside', { bridge: BRIDGE, up: true });
  for (const link of ['lo', UNDERLAY_LINK]) rtnl.setLink(link, { up: true });
  const ips = new Map<Family, Ip>();
  const gateways: Ip[] = [];
  for (const family of families) {
    const gateway = underlayAddress(OUTSIDE_NUMBER, family);
    const { text, length } = ADDRESSES[family];
    const ip = parseIp(text);
    if (ip === undefined) throw new Error(`'${text}' does not parse`);
    rtnl.add({ kind: 'address', link: UNDERLAY_LINK, ip: gateway, length: UNDERLAY_LENGTHS[family] });
    rtnl.add({ kind: 'address', link: 'lo', ip, length });
    const dst = prefixOf(ipFromBigint(family, 0n), 0);
    for (const node of nodes) node.rtnl.add(bootRoute({ dst, gateway, link: UNDERLAY_LINK }));
    ips.set(family, ip);
    gateways.push(gateway);
  }
  await untilCarrying([
    { netns, rtnl, link: UNDERLAY_LINK, ips: gateways },
    { netns: bridge, rtnl: bridgeRtnl, link: 'outside', ips: [] },
  ]);
  const held = stack.move();
  return { netns, ips, [Symbol.dispose]: () => held.dispose() };
}
