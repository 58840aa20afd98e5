/**
 * CHECK: what a pod was given compared with what the kernel has, each field that its plan sets.
 *
 * @module
 */
import { inNetns, type Netns } from '../../ffi/netns.ts';
import { rangeHolds } from '../ipam/pod-ranges.ts';
import { familyOf, type Ip, type Mac, prefixBase, prefixLength } from '../model/ip.ts';
import { AF, IFF, RT_TABLE_MAIN, RTM, routeMessage, rtmsg } from '../netlink/route.ts';
import { gatewaySettings, type PodAddress, type PodPlan, planPod, podSettings } from '../plan/pod.ts';
import { AddressBook } from './address-book.ts';
import { nodeEndOf } from './attachment.ts';
import type { BridgeConfig } from './bridge-config.ts';
import { CniAbort, cniFailure } from './failure.ts';
import { openNamespace } from './namespace.ts';
import { findBridge, type NodeBridge } from './node-bridge.ts';
import type { CniRequest } from './request.ts';
import { type LinkMessage, type PortMessage, Rtnl } from './rtnl.ts';
import { differingSettings } from './settings.ts';

/** Looks whether a pod has all that it was given. Throws {@link CniAbort} with everything that differs. */
export function checkOnBridge(request: CniRequest, config: BridgeConfig): void {
  using netns = openNamespace(request);
  using pod = new Rtnl(netns);
  using node = new Rtnl();
  const { addresses, strange } = addressesOf(request, config);
  const plan = planPod({ ...config, addresses });
  const bridge = findBridge(node, config.bridge);
  const end = pod.link(request.ifname);
  const named = node.port(nodeEndOf(request));
  // flannel and the reference give the node's end another name, and the pod's any MAC.
  const port = named ?? (end?.attrs.link === undefined ? undefined : node.port(end.attrs.link));
  const mac = named === undefined ? undefined : plan.mac;
  const differences = [
    ...strange,
    ...bridgeDifferences(bridge, { config, plan }),
    ...portDifferences(port, { config, bridge }),
    ...(end === undefined
      ? [`there is no interface ${request.ifname} in the container`]
      : podDifferences(pod, { netns, end, config, plan, mac, ifname: request.ifname })),
  ];
  const [first] = differences;
  if (first === undefined) return;
  const more = differences.length > 1 ? ` (and ${differences.length - 1} more)` : '';
  const details = `${differences.join('; ')}. Delete the pod; it is made anew`;
  throw new CniAbort(cniFailure('OWN', `${first}${more}`, details));
}

function addressesOf(
  request: CniRequest,
  config: BridgeConfig,
): { addresses: PodAddress[]; strange: string[] } {
  const folder = `${config.books}/${config.name}`;
  using book = AddressBook.ofFolder(folder);
  const given = book?.addressesOf(request) ?? [];
  if (given.length === 0) {
    return { addresses: [], strange: [`${request.containerId} has no address in ${folder}`] };
  }
  const ranges = config.sets.flat();
  const addresses: PodAddress[] = [];
  const strange: string[] = [];
  for (const ip of given) {
    const range = ranges.find((each) => rangeHolds(each, ip));
    if (range === undefined) strange.push(`${ip} is of no range of the network`);
    else addresses.push({ ip, length: prefixLength(range.subnet), gateway: range.gateway });
  }
  // The first is the one that the MAC follows from.
  const place = (ip: Ip) => ranges.findIndex((range) => rangeHolds(range, ip));
  addresses.sort((a, b) => place(a.ip) - place(b.ip));
  return { addresses, strange };
}

interface Planned {
  readonly config: BridgeConfig;
  readonly plan: PodPlan;
}

function bridgeDifferences(bridge: NodeBridge | undefined, { config, plan }: Planned): string[] {
  const { bridge: name } = config;
  if (bridge === undefined) return [`there is no bridge ${name}`];
  const differences: string[] = [];
  if ((bridge.flags & IFF.UP) === 0) differences.push(`${name} is down`);
  if (config.promiscMode && (bridge.flags & IFF.PROMISC) === 0)
    differences.push(`${name} is not promiscuous`);
  for (const { ip, length } of plan.gateways) {
    if (!bridge.addresses.some((has) => has.ip === ip && has.length === length))
      differences.push(`${name} has lost its address ${ip}/${length}`);
  }
  return [...differences, ...differingSettings(gatewaySettings(plan, name))];
}

function portDifferences(
  link: PortMessage | undefined,
  { config, bridge }: { config: BridgeConfig; bridge: NodeBridge | undefined },
): string[] {
  if (link === undefined) return ["the node's end of the veth pair is gone"];
  const { mtu, master, port, name = 'the port' } = link.attrs;
  const differences = linkDifferences(name, { flags: link.header.flags, mtu, config });
  if (bridge === undefined || master !== bridge.index) {
    return [...differences, `${name} is no port of ${config.bridge}`];
  }
  const hairpin = port?.kind === 'bridge' && port.data?.hairpin === true;
  if (config.hairpinMode && !hairpin) differences.push(`${name} has hairpin mode off, not on`);
  return differences;
}

function linkDifferences(
  name: string,
  { flags, mtu, config }: { flags: number; mtu: number | undefined; config: BridgeConfig },
): string[] {
  const differences: string[] = [];
  if ((flags & IFF.UP) === 0) differences.push(`${name} is down`);
  if (config.mtuBytes !== undefined && mtu !== config.mtuBytes)
    differences.push(`${name} has MTU ${mtu}, not ${config.mtuBytes}`);
  return differences;
}

interface PodEnd extends Planned {
  readonly netns: Netns;
  readonly ifname: string;
  readonly end: LinkMessage;
  /** As it was given, if it was by us. */
  readonly mac: Mac | undefined;
}

function podDifferences(pod: Rtnl, { netns, ifname, end, config, plan, mac }: PodEnd): string[] {
  const { attrs, header } = end;
  const differences = linkDifferences(ifname, { flags: header.flags, mtu: attrs.mtu, config });
  if (mac !== undefined && plan.addresses.length > 0 && attrs.address !== mac)
    differences.push(`${ifname} has MAC ${attrs.address}, not ${mac}`);
  const has = pod
    .addresses(header.index)
    .map((found) => `${found.attrs.local ?? found.attrs.address}/${found.header.prefixLength}`);
  for (const { ip, length } of plan.addresses) {
    if (!has.includes(`${ip}/${length}`)) differences.push(`${ifname} has lost its address ${ip}/${length}`);
  }
  return [
    ...differences,
    ...routeDifferences(pod, { link: end, plan }),
    ...inNetns(netns, () => differingSettings(podSettings(plan, ifname))),
  ];
}

function routeDifferences(pod: Rtnl, { link, plan }: { link: LinkMessage; plan: PodPlan }): string[] {
  const value = { header: rtmsg.of({}), attrs: {} };
  const request = { type: RTM.GETROUTE, flags: 0, codec: routeMessage, value };
  const there = pod
    .dump(request, routeMessage)
    .filter(({ header, attrs }) => header.table === RT_TABLE_MAIN && attrs.oif === link.header.index);
  return plan.routes.flatMap(({ dst, via }) => {
    const family = familyOf(dst) === 4 ? AF.INET : AF.INET6;
    const length = prefixLength(dst);
    const same = there.filter(
      ({ header, attrs }) =>
        header.family === family &&
        header.dstLength === length &&
        (length === 0 || attrs.dst === prefixBase(dst)),
    );
    if (same.length === 0) return [`the route to ${dst} is gone`];
    const gateways = same.map(({ attrs }) => attrs.gateway);
    if (
      gateways.includes(via) ||
      plan.routes.some((other) => other.dst === dst && gateways.includes(other.via))
    )
      return [];
    return [`the route to ${dst} goes by ${gateways[0] ?? 'no gateway'}, not by ${via ?? 'none'}`];
  });
}
