/**
 * The bridge of a node's pods: made by the first pod that needs it, and put right by each.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { familyOf, type Ip, prefixContains, prefixesOverlap, prefixOf } from '../model/ip.ts';
import { ERRNO } from '../netlink/error.ts';
import { IFF, NUD_IN_USE, ndmsg, neighbourMessage, RTM } from '../netlink/route.ts';
import type { PodPlan } from '../plan/pod.ts';
import type { BridgeConfig } from './bridge-config.ts';
import { CniAbort, cniFailure, thrownText } from './failure.ts';
import { addAddress, changeLink, createLink, familyNumber, removeAddress } from './network-requests.ts';
import { type LinkMessage, type Rtnl, refusal } from './rtnl.ts';

/** The bridge as it is in the kernel, up and with the addresses of the plan. */
export function ensureBridge(rtnl: Rtnl, config: BridgeConfig, plan: PodPlan): LinkMessage {
  const { bridge: name, mtuBytes } = config;
  if (rtnl.link(name) === undefined) {
    const attrs = { name, mtu: mtuBytes, address: plan.bridgeMac, linkInfo: { kind: 'bridge' as const } };
    const error = rtnl.try(createLink(attrs));
    // Another pod's plugin was quicker.
    if (error !== undefined && error.errno !== ERRNO.EEXIST) throw refusal(`create bridge ${name}`, error);
  }
  const link = needBridge(rtnl, name);
  const wanted = IFF.UP | (config.promiscMode ? IFF.PROMISC : 0);
  if ((link.header.flags & wanted) !== wanted) {
    rtnl.execute(`set bridge ${name} up`, changeLink(link.header.index, wanted));
  }
  if (plan.gateways.some(({ ip }) => familyOf(ip) === 6)) enableIpv6(name);
  for (const gateway of plan.gateways) ensureGateway(rtnl, { link, config, gateway });
  if (plan.gateways.length > 0) enableForwarding(plan);
  return link;
}

/** The link, which must be a bridge. */
export function needBridge(rtnl: Rtnl, name: string): LinkMessage {
  const link = rtnl.link(name);
  if (link?.attrs.linkInfo?.kind === 'bridge') return link;
  const msg =
    link === undefined ? `there is no bridge ${name}` : `${name} already exists but is not a bridge`;
  throw new CniAbort(cniFailure('OWN', msg, "Rename or delete that link, or set 'bridge' to another name"));
}

interface Gateway {
  readonly link: LinkMessage;
  readonly config: BridgeConfig;
  readonly gateway: { readonly ip: Ip; readonly length: number };
}

function ensureGateway(rtnl: Rtnl, { link, config, gateway }: Gateway): void {
  const { index } = link.header;
  const subnet = prefixOf(gateway.ip, gateway.length);
  const same = rtnl.addresses(index).flatMap(({ header, attrs }) => {
    const ip = attrs.local ?? attrs.address;
    return ip !== undefined && familyOf(ip) === familyOf(gateway.ip)
      ? [{ ip, length: header.prefixLength }]
      : [];
  });
  if (same.some(({ ip, length }) => ip === gateway.ip && length === gateway.length)) return;
  for (const { ip, length } of same) {
    // A bridge may have many IPv6 addresses, of other networks.
    if (familyOf(ip) === 6 && !prefixesOverlap(prefixOf(ip, length), subnet)) continue;
    if (!config.forceAddress) {
      const msg = `${config.bridge} already has an IP address different from ${gateway.ip}/${gateway.length}`;
      throw new CniAbort(cniFailure('OWN', msg, `It has ${ip}/${length}: remove that, or set forceAddress`));
    }
    rtnl.execute(`remove ${ip}/${length} from ${config.bridge}`, removeAddress(index, { ip, length }));
  }
  const error = rtnl.try(addAddress(index, gateway));
  if (error !== undefined && error.errno !== ERRNO.EEXIST) {
    throw refusal(`add ${gateway.ip}/${gateway.length} to ${config.bridge}`, error);
  }
}

/** Addresses that the bridge has itself or has heard of lately, whoever gave them. */
export function addressesInUse(rtnl: Rtnl, config: BridgeConfig): Set<Ip> {
  const link = rtnl.link(config.bridge);
  if (link === undefined) return new Set();
  const { index } = link.header;
  const own = rtnl.addresses(index).flatMap(({ attrs }) => attrs.local ?? attrs.address ?? []);
  const ranges = config.sets.flat();
  const heard = new Set(ranges.map(({ start }) => familyNumber(start)));
  const neighbours = [...heard].flatMap((family) => {
    const value = { header: ndmsg.of({ family }), attrs: { ifindex: index } };
    return rtnl.dump({ type: RTM.GETNEIGH, flags: 0, codec: neighbourMessage, value }, neighbourMessage);
  });
  const busy = neighbours.flatMap(({ header, attrs }) =>
    header.ifindex === index && (header.state & NUD_IN_USE) !== 0 && attrs.dst !== undefined
      ? [attrs.dst]
      : [],
  );
  return new Set([...own, ...busy].filter((ip) => ranges.some(({ subnet }) => prefixContains(subnet, ip))));
}

function enableForwarding({ gateways }: PodPlan): void {
  for (const { ip } of gateways) {
    if (familyOf(ip) === 4) setSysctl('net/ipv4/ip_forward', '1');
    else setSysctl('net/ipv6/conf/all/forwarding', '1');
  }
}

/** Lets a link of the thread's namespace have IPv6 addresses where new links may not. */
export function enableIpv6(link: string): void {
  setSysctl(`net/ipv6/conf/${link}/disable_ipv6`, '0');
}

/**
 * Sets what is not so yet: /proc/sys is read-only in some containers. Throws {@link CniAbort} if it cannot.
 *
 * @returns whether it was not so
 */
export function setSysctl(name: string, value: string): boolean {
  const path = `/proc/sys/${name}`;
  try {
    if (readFileSync(path, 'utf8').trim() === value) return false;
    writeFileSync(path, value);
    return true;
  } catch (thrown) {
    throw new CniAbort(cniFailure('IO_FAILURE', `cannot set ${name} to ${value}`, thrownText(thrown)));
  }
}
