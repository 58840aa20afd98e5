/**
 * A pod on a bridge, as the reference plugin `bridge` makes it with `host-local`.
 *
 * @module
 */
import { inNetns, type Netns } from '../../ffi/netns.ts';
import { familyOf, formatMac, type Mac, prefixLength } from '../model/ip.ts';
import { ERRNO } from '../netlink/error.ts';
import { ifinfomsg } from '../netlink/link-kinds.ts';
import { IFF, RTM, routeMessage, rtmsg } from '../netlink/route.ts';
import { type PodPlan, planPod } from '../plan/pod.ts';
import { AddressBook, type Attachment, type GivenAddress } from './address-book.ts';
import type { BridgeConfig } from './bridge-config.ts';
import { CniAbort, cniFailure } from './failure.ts';
import type { JsonObject } from './json.ts';
import { findNamespace, openNamespace } from './namespace.ts';
import { addAddress, addRoute, changeLink, createLink, deleteLink, setHairpin } from './network-requests.ts';
import { addressesInUse, enableIpv6, ensureBridge, needBridge, setSysctl } from './node-bridge.ts';
import type { CniRequest } from './request.ts';
import { formatResult } from './result.ts';
import { type LinkMessage, Rtnl, refusal } from './rtnl.ts';

/** Adds a pod. What was made is taken back if something cannot be. */
export function addToBridge(request: CniRequest, config: BridgeConfig, otherBooks: string): JsonObject {
  using netns = openNamespace(request);
  using pod = new Rtnl(netns);
  using node = new Rtnl();
  if (pod.link(request.ifname) !== undefined) {
    const msg = `the container has an interface ${request.ifname} already`;
    throw new CniAbort(cniFailure('OWN', msg, 'DEL takes it away; a container is added once'));
  }
  const given = giveAddresses(node, { owner: request, config, otherBooks });
  try {
    return connect({ request, config, netns, pod, node }, given);
  } catch (thrown) {
    dropNodeEnd(node, request);
    release(request, [`${config.books}/${config.name}`]);
    throw thrown;
  }
}

interface Ask {
  readonly owner: Attachment;
  readonly config: BridgeConfig;
  readonly otherBooks: string;
}

function giveAddresses(node: Rtnl, { owner, config, otherBooks }: Ask): GivenAddress[] {
  const inUse = addressesInUse(node, config);
  using book = new AddressBook(`${config.books}/${config.name}`);
  if (otherBooks !== config.books) {
    for (const ip of AddressBook.peek(`${otherBooks}/${config.name}`)) inUse.add(ip);
  }
  return book.give(owner, { sets: config.sets, inUse });
}

interface Connection {
  readonly request: CniRequest;
  readonly config: BridgeConfig;
  readonly netns: Netns;
  readonly pod: Rtnl;
  readonly node: Rtnl;
}

function connect(
  { request, config, netns, pod, node }: Connection,
  given: readonly GivenAddress[],
): JsonObject {
  const plan = planPod({ ...config, addresses: given.map(podAddress) });
  const bridge = ensureBridge(node, config, plan);
  const name = nodeEndOf(request);
  // Of an earlier try that was killed.
  dropNodeEnd(node, request);
  const peer = {
    header: ifinfomsg.of({}),
    attrs: { name: request.ifname, address: plan.mac, mtu: config.mtuBytes, netNsFd: netns.fd },
  };
  const linkInfo = { kind: 'veth' as const, data: { peer } };
  node.execute(
    `create veth pair ${name}, ${request.ifname}`,
    createLink({ name, mtu: config.mtuBytes, linkInfo }),
  );
  const here = needLink(node, name);
  node.execute(
    `make ${name} a port of ${config.bridge}`,
    changeLink(here.header.index, IFF.UP, { master: bridge.header.index }),
  );
  if (config.hairpinMode) node.execute(`set hairpin mode of ${name}`, setHairpin(here.header.index));
  setUpPod(pod, { netns, ifname: request.ifname, plan });
  const interfaces = [
    { name: config.bridge, mac: macOf(needBridge(node, config.bridge)) },
    { name, mac: macOf(needLink(node, name)) },
    { name: request.ifname, mac: plan.mac, sandbox: request.netns },
  ];
  const ips = plan.addresses.map(({ ip, length, gateway }) => ({ ip, length, gateway, interface: 2 }));
  const routes = plan.routes.map(({ dst, gw }) => (gw === undefined ? { dst } : { dst, gw }));
  return formatResult(request.version, { interfaces, ips, routes, dns: config.dns });
}

function podAddress({ ip, range }: GivenAddress) {
  return { ip, length: prefixLength(range.subnet), gateway: range.gateway };
}

interface PodEnd {
  readonly netns: Netns;
  readonly ifname: string;
  readonly plan: PodPlan;
}

/** Addresses before the link is up: then the kernel tells the neighbours of them, by ARP and by ND. */
function setUpPod(pod: Rtnl, { netns, ifname, plan }: PodEnd): void {
  const { index } = needLink(pod, ifname).header;
  const has6 = plan.addresses.some(({ ip }) => familyOf(ip) === 6);
  inNetns(netns, () => {
    setSysctl(`net/ipv4/conf/${ifname}/arp_notify`, '1');
    if (!has6) return;
    enableIpv6(ifname);
    setSysctl(`net/ipv6/conf/${ifname}/accept_dad`, '0');
    setSysctl(`net/ipv6/conf/${ifname}/ndisc_notify`, '1');
  });
  for (const address of plan.addresses) {
    pod.execute(`add ${address.ip}/${address.length} to ${ifname}`, addAddress(index, address));
  }
  pod.execute(`set ${ifname} up`, changeLink(index, IFF.UP));
  for (const route of plan.routes) {
    const error = pod.try(addRoute(index, route));
    // As in the reference: the first of two wins.
    if (error !== undefined && error.errno !== ERRNO.EEXIST)
      throw refusal(`add a route to ${route.dst}`, error);
  }
}

/** Takes a pod away, whatever is left of it. */
export function removeFromBridge(request: CniRequest, books: readonly string[]): void {
  using netns = findNamespace(request);
  if (netns !== undefined) {
    using pod = new Rtnl(netns);
    dropLink(pod, request.ifname);
  }
  using node = new Rtnl();
  dropNodeEnd(node, request);
  release(request, books);
}

/** Looks whether a pod has all that it was given. Throws {@link CniAbort} with what is missing. */
export function checkOnBridge(request: CniRequest, config: BridgeConfig): void {
  using netns = openNamespace(request);
  using pod = new Rtnl(netns);
  using node = new Rtnl();
  const { index, flags } = needLink(pod, request.ifname).header;
  if ((flags & IFF.UP) === 0) missing(`${request.ifname} is down`);
  using book = new AddressBook(`${config.books}/${config.name}`);
  const given = book.addressesOf(request);
  if (given.length === 0) missing(`${request.containerId} has no address in ${config.books}/${config.name}`);
  const present = pod.addresses(index).map(({ attrs }) => attrs.local ?? attrs.address);
  const lost = given.find((ip) => !present.includes(ip));
  if (lost !== undefined) missing(`${request.ifname} has lost its address ${lost}`);
  const bridge = needBridge(node, config.bridge);
  const { attrs } = needLink(node, nodeEndOf(request));
  if (attrs.master !== bridge.header.index) missing(`${nodeEndOf(request)} is no port of ${config.bridge}`);
  checkRoutes(pod, { index, config });
}

function checkRoutes(pod: Rtnl, { index, config }: { index: number; config: BridgeConfig }): void {
  const value = { header: rtmsg.of({}), attrs: {} };
  const request = { type: RTM.GETROUTE, flags: 0, codec: routeMessage, value };
  const there = new Set(
    pod
      .dump(request, routeMessage)
      .filter(({ attrs }) => attrs.oif === index && attrs.gateway !== undefined)
      .map(({ header, attrs }) => `${header.family} ${attrs.dst ?? 'default'}/${header.dstLength}`),
  );
  const defaults = [...there].filter((route) => route.includes(' default/')).length;
  if (config.isDefaultGateway && defaults < config.sets.length) missing('a default route is gone');
  for (const { dst } of config.routes) {
    if (prefixLength(dst) > 0 && ![...there].some((route) => route.endsWith(` ${dst}`)))
      missing(`the route to ${dst} is gone`);
  }
}

function missing(msg: string): never {
  throw new CniAbort(cniFailure('OWN', msg, 'Delete the pod; it is made anew'));
}

function release(owner: Attachment, books: readonly string[]): void {
  for (const folder of books) {
    if (!AddressBook.exists(folder)) continue;
    using book = new AddressBook(folder);
    book.release(owner);
  }
}

function needLink(rtnl: Rtnl, name: string): LinkMessage {
  const link = rtnl.link(name);
  return link ?? missing(`there is no interface ${name}`);
}

function macOf({ attrs }: LinkMessage): Mac {
  return attrs.address ?? formatMac(new Uint8Array(6), 0);
}

/** The name of the node's end: it follows from the attachment, so that what a killed ADD has left is found. */
function nodeEndOf({ containerId, ifname }: Attachment): string {
  // As long as a name can be: what bears it is deleted as a leftover.
  return `veth${Bun.hash(`${containerId} ${ifname}`).toString(16).padStart(16, '0').slice(0, 11)}`;
}

function dropNodeEnd(node: Rtnl, owner: Attachment): void {
  dropLink(node, nodeEndOf(owner));
}

function dropLink(rtnl: Rtnl, name: string): void {
  const link = rtnl.link(name);
  if (link === undefined) return;
  const error = rtnl.try(deleteLink(link.header.index));
  if (error !== undefined && error.errno !== ERRNO.ENODEV) throw refusal(`delete ${name}`, error);
}
