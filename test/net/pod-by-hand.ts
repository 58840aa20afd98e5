/**
 * A pod without a plugin: a namespace joined to the node's by a pair of devices, with all that an agent needs of one.
 *
 * @module
 */
import { createNetns } from '../../ffi/netns.ts';
import type { Pod } from '../../src/cli/demo/pods.ts';
import { bootRoute, Rtnl } from '../../src/cli/demo/rtnl.ts';
import { untilCarrying } from '../../src/cli/demo/settle.ts';
import type { NodeSubnets } from '../../src/cli/demo/subnet-env.ts';
import { type NodeSpace, writeSysctls } from '../../src/cli/demo/topology.ts';
import { addressAt, type Family, type Ip, ipFromBigint, prefixLength, prefixOf } from '../../src/model/ip.ts';

const NODE_END = 'pod0';
const POD_END = 'eth0';

/** Makes the node's pod: the second address of the node's subnet, a default route through the first. */
export async function addPod(node: NodeSpace, { subnets, mtuBytes }: NodeSubnets): Promise<Pod> {
  using stack = new DisposableStack();
  const netns = stack.use(createNetns());
  using rtnl = new Rtnl(netns);
  writeSysctls(netns, { 'net/ipv6/conf/default/disable_ipv6': 0, 'net/ipv6/conf/default/accept_dad': 0 });
  node.rtnl.addVeth({ name: NODE_END }, { name: POD_END, netns });
  node.rtnl.setLink(NODE_END, { mtuBytes, up: true });
  rtnl.setLink('lo', { up: true });
  rtnl.setLink(POD_END, { mtuBytes, up: true });
  const ips = new Map<Family, Ip>();
  const gateways: Ip[] = [];
  for (const [family, subnet] of subnets) {
    const gateway = addressAt(subnet, 1n);
    const ip = addressAt(subnet, 2n);
    const length = prefixLength(subnet);
    node.rtnl.add({ kind: 'address', link: NODE_END, ip: gateway, length });
    rtnl.add({ kind: 'address', link: POD_END, ip, length });
    rtnl.add(bootRoute({ dst: prefixOf(ipFromBigint(family, 0n), 0), gateway, link: POD_END }));
    ips.set(family, ip);
    gateways.push(gateway);
  }
  await untilCarrying([
    { netns: node.netns, rtnl: node.rtnl, link: NODE_END, ips: gateways },
    { netns, rtnl, link: POD_END, ips: [...ips.values()] },
  ]);
  const held = stack.move();
  return { node, netns, ips, [Symbol.dispose]: () => held.dispose() };
}
