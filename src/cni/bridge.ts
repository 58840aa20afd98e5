/**
 * A pod on a bridge, as the reference plugin `bridge` makes it with `host-local`.
 *
 * @module
 */
import { inNetns, type Netns } from '../../ffi/netns.ts';
import { prefixLength } from '../model/ip.ts';
import { ERRNO } from '../netlink/error.ts';
import { ifinfomsg } from '../netlink/link-kinds.ts';
import { IFF } from '../netlink/route.ts';
import { type PodPlan, planPod, podSettings } from '../plan/pod.ts';
import { AddressBook, type GivenAddress } from './address-book.ts';
import { type Attachment, nodeEndOf, nodeMacOf } from './attachment.ts';
import type { BridgeConfig } from './bridge-config.ts';
import { CniAbort, cniFailure } from './failure.ts';
import type { JsonObject } from './json.ts';
import { findNamespace, openNamespace } from './namespace.ts';
import { addAddress, addRoute, changeLink, createLink, deleteLink, setHairpin } from './network-requests.ts';
import { addressesInUse, ensureBridge, findBridge, type NodeBridge } from './node-bridge.ts';
import type { CniRequest } from './request.ts';
import { formatResult } from './result.ts';
import { Rtnl, refusal } from './rtnl.ts';
import { setAll } from './settings.ts';

/**
 * Adds a pod. What was made is taken back if something cannot be. `otherBooks` are folders of this network in which
 * addresses are written down, too.
 */
export function addToBridge(
  request: CniRequest,
  config: BridgeConfig,
  otherBooks: readonly string[],
): JsonObject {
  using netns = openNamespace(request);
  using pod = new Rtnl(netns);
  using node = new Rtnl();
  if (pod.link(request.ifname) !== undefined) {
    const msg = `the container has an interface ${request.ifname} already`;
    throw new CniAbort(cniFailure('OWN', msg, 'DEL takes it away; a container is added once'));
  }
  const found = findBridge(node, config.bridge);
  const given = giveAddresses(node, { owner: request, config, otherBooks, found });
  try {
    return connect({ request, config, netns, pod, node }, { given, found });
  } catch (thrown) {
    node.try(deleteLink(nodeEndOf(request)));
    release(request, [`${config.books}/${config.name}`]);
    throw thrown;
  }
}

interface Ask {
  readonly owner: Attachment;
  readonly config: BridgeConfig;
  readonly otherBooks: readonly string[];
  readonly found: NodeBridge | undefined;
}

function giveAddresses(node: Rtnl, { owner, config, otherBooks, found }: Ask): GivenAddress[] {
  const inUse = found === undefined ? new Set<GivenAddress['ip']>() : addressesInUse(node, found, config);
  using book = new AddressBook(`${config.books}/${config.name}`);
  return book.give(owner, { sets: config.sets, inUse, otherBooks });
}

interface Connection {
  readonly request: CniRequest;
  readonly config: BridgeConfig;
  readonly netns: Netns;
  readonly pod: Rtnl;
  readonly node: Rtnl;
}

function connect(
  connection: Connection,
  { given, found }: { given: readonly GivenAddress[]; found: NodeBridge | undefined },
): JsonObject {
  const { request, config, netns, pod, node } = connection;
  const plan = planPod({ ...config, addresses: given.map(podAddress) });
  const bridge = ensureBridge(node, { config, plan, found });
  makePair(connection, { plan, bridge });
  setUpPod(pod, { netns, ifname: request.ifname, plan });
  // One whose MAC is not set takes that of a port.
  const bridgeMac = bridge.mac === plan.bridgeMac ? bridge.mac : node.link(config.bridge)?.attrs.address;
  const interfaces = [
    { name: config.bridge, mac: bridgeMac ?? plan.bridgeMac },
    { name: nodeEndOf(request), mac: nodeMacOf(request) },
    { name: request.ifname, mac: plan.mac, sandbox: request.netns },
  ];
  const ips = plan.addresses.map(({ ip, length, gateway }) => ({ ip, length, gateway, interface: 2 }));
  const routes = plan.routes.map(({ dst, gw }) => (gw === undefined ? { dst } : { dst, gw }));
  return formatResult(request.version, { interfaces, ips, routes, dns: config.dns });
}

function podAddress({ ip, range }: GivenAddress) {
  return { ip, length: prefixLength(range.subnet), gateway: range.gateway };
}

/** The node's end comes up as a port of the bridge, the pod's end down. */
function makePair(
  { request, config, netns, node }: Connection,
  { plan, bridge }: { plan: PodPlan; bridge: NodeBridge },
): void {
  const name = nodeEndOf(request);
  const mtu = config.mtuBytes;
  const peer = {
    header: ifinfomsg.of({}),
    attrs: { name: request.ifname, address: plan.mac, mtu, netNsFd: netns.fd },
  };
  const linkInfo = { kind: 'veth' as const, data: { peer } };
  const attrs = { name, mtu, address: nodeMacOf(request), master: bridge.index, linkInfo };
  const create = createLink(IFF.UP, attrs);
  const what = `create veth pair ${name}, ${request.ifname} as a port of ${config.bridge}`;
  const refused = node.try(create);
  if (refused !== undefined) {
    if (refused.errno !== ERRNO.EEXIST) throw refusal(what, refused);
    // Of an earlier try that was killed.
    node.try(deleteLink(name));
    node.run([{ what, request: create }]);
  }
  if (config.hairpinMode) node.run([{ what: `set hairpin mode of ${name}`, request: setHairpin(name) }]);
}

interface PodEnd {
  readonly netns: Netns;
  readonly ifname: string;
  readonly plan: PodPlan;
}

/** Addresses before the link is up: then the kernel tells the neighbours of them, by ARP and by ND. */
function setUpPod(pod: Rtnl, { netns, ifname, plan }: PodEnd): void {
  inNetns(netns, () => setAll(podSettings(plan, ifname)));
  const index = pod.link(ifname)?.header.index;
  if (index === undefined) {
    throw new CniAbort(cniFailure('OWN', `${ifname} has gone from the container`, 'It has ended meanwhile'));
  }
  pod.run([
    ...plan.addresses.map((address) => ({
      what: `add ${address.ip}/${address.length} to ${ifname}`,
      request: addAddress(index, address),
    })),
    { what: `set ${ifname} up`, request: changeLink(index, IFF.UP) },
    // As in the reference: the first of two wins.
    ...plan.routes.map((route) => ({
      what: `add a route to ${route.dst}`,
      request: addRoute(index, route),
      unless: ERRNO.EEXIST,
    })),
  ]);
}

/** Takes a pod away, whatever is left of it. */
export function removeFromBridge(request: CniRequest, books: readonly string[]): void {
  using node = new Rtnl();
  // Both ends go with one. Those of flannel and the reference have other names.
  if (!dropLink(node, nodeEndOf(request))) {
    using netns = findNamespace(request);
    if (netns !== undefined) {
      using pod = new Rtnl(netns);
      dropLink(pod, request.ifname);
    }
  }
  release(request, books);
}

function release(owner: Attachment, books: readonly string[]): void {
  for (const folder of books) {
    using book = AddressBook.ofFolder(folder);
    book?.release(owner);
  }
}

/** Whether there was such a link. */
function dropLink(rtnl: Rtnl, name: string): boolean {
  const error = rtnl.try(deleteLink(name));
  if (error === undefined) return true;
  if (error.errno === ERRNO.ENODEV) return false;
  throw refusal(`delete ${name}`, error);
}
