/**
 * The bridge of a node's pods: made by the first pod that needs it, and put right by each.
 *
 * @module
 */
import {
  type Cidr,
  familyOf,
  type Ip,
  type Mac,
  prefixContains,
  prefixesOverlap,
  prefixOf,
} from '../model/ip.ts';
import { ERRNO } from '../netlink/error.ts';
import { ifinfomsg } from '../netlink/link-kinds.ts';
import { IFF, linkMessage, NUD_IN_USE, ndmsg, neighbourMessage, RTM } from '../netlink/route.ts';
import { gatewaySettings, type PodPlan } from '../plan/pod.ts';
import type { BridgeConfig } from './bridge-config.ts';
import { CniAbort, cniFailure } from './failure.ts';
import { addAddress, changeLink, createLink, familyNumber, removeAddress } from './network-requests.ts';
import type { LinkMessage, Rtnl } from './rtnl.ts';
import { setAll } from './settings.ts';

/** The bridge as it was found. */
export interface NodeBridge {
  readonly index: number;
  readonly flags: number;
  readonly mac: Mac | undefined;
  readonly addresses: readonly Cidr[];
}

/** Looks at the bridge; `undefined` if there is none. Throws {@link CniAbort} if another link has its name. */
export function findBridge(rtnl: Rtnl, name: string): NodeBridge | undefined {
  const link = rtnl.link(name);
  if (link === undefined) return undefined;
  const { index, flags } = link.header;
  checkKind(link, name);
  const addresses = rtnl.addresses(index).flatMap(({ header, attrs }) => {
    const ip = attrs.local ?? attrs.address;
    return ip === undefined ? [] : [{ ip, length: header.prefixLength }];
  });
  return { index, flags, mac: link.attrs.address, addresses };
}

function checkKind({ attrs }: LinkMessage, name: string): void {
  const { linkInfo } = attrs;
  if (linkInfo?.kind === 'bridge') return;
  const kind = linkInfo?.kind === 'unknown' ? linkInfo.name : linkInfo?.kind;
  throw new CniAbort(
    cniFailure(
      'OWN',
      `${name} already exists but is not a bridge`,
      `It is ${kind ? `a link of the kind ${kind}` : 'a device of the node'}: rename or delete that link, or set 'bridge' to another name`,
    ),
  );
}

/** The bridge, up and with the addresses of the plan. */
export function ensureBridge(
  rtnl: Rtnl,
  { config, plan, found }: { config: BridgeConfig; plan: PodPlan; found: NodeBridge | undefined },
): NodeBridge {
  const { bridge: name } = config;
  const flags = IFF.UP | (config.promiscMode ? IFF.PROMISC : 0);
  const bridge = found ?? create(rtnl, { flags, config, plan });
  if ((bridge.flags & flags) !== flags) {
    rtnl.run([{ what: `set bridge ${name} up`, request: changeLink(bridge.index, flags) }]);
  }
  setAll(gatewaySettings(plan, name));
  for (const gateway of plan.gateways) ensureGateway(rtnl, { bridge, config, gateway });
  return bridge;
}

function create(
  rtnl: Rtnl,
  { flags, config, plan }: { flags: number; config: BridgeConfig; plan: PodPlan },
): NodeBridge {
  const { bridge: name, mtuBytes } = config;
  const attrs = { name, mtu: mtuBytes, address: plan.bridgeMac, linkInfo: { kind: 'bridge' as const } };
  // Another pod's plugin may be quicker.
  rtnl.run([{ what: `create bridge ${name}`, request: createLink(flags, attrs), unless: ERRNO.EEXIST }]);
  const made = findBridge(rtnl, name);
  if (made !== undefined) return made;
  throw new CniAbort(
    cniFailure('OWN', `bridge ${name} went as soon as it was made`, 'Something else deletes it'),
  );
}

interface Gateway {
  readonly bridge: NodeBridge;
  readonly config: BridgeConfig;
  readonly gateway: Cidr;
}

function ensureGateway(rtnl: Rtnl, { bridge, config, gateway }: Gateway): void {
  const { index, addresses } = bridge;
  const same = addresses.filter(({ ip }) => familyOf(ip) === familyOf(gateway.ip));
  if (same.some(({ ip, length }) => ip === gateway.ip && length === gateway.length)) return;
  const subnet = prefixOf(gateway.ip, gateway.length);
  // A bridge may have many IPv6 addresses, of other networks.
  const foreign = same.filter(
    ({ ip, length }) => familyOf(ip) === 4 || prefixesOverlap(prefixOf(ip, length), subnet),
  );
  if (foreign.length > 0 && !config.forceAddress) refuseIfUsed(rtnl, { bridge, config, gateway, foreign });
  const text = ({ ip, length }: Cidr) => `${ip}/${length}`;
  rtnl.run([
    ...foreign.map((cidr) => ({
      what: `remove ${text(cidr)} from ${config.bridge}`,
      request: removeAddress(index, cidr),
      // Gone by another pod's plugin, or with another address of its subnet.
      unless: ERRNO.EADDRNOTAVAIL,
    })),
    {
      what: `add ${text(gateway)} to ${config.bridge}`,
      request: addAddress(index, gateway),
      unless: ERRNO.EEXIST,
    },
  ]);
}

/** A subnet that no pod uses is left over from another configuration; one that pods use is theirs. */
function refuseIfUsed(
  rtnl: Rtnl,
  { bridge, config, gateway, foreign }: Gateway & { foreign: readonly Cidr[] },
): void {
  const value = { header: ifinfomsg.of({}), attrs: { master: bridge.index } };
  const links = rtnl.dump({ type: RTM.GETLINK, flags: 0, codec: linkMessage, value }, linkMessage);
  const ports = links.filter(({ attrs }) => attrs.master === bridge.index);
  if (ports.length === 0) return;
  const has = foreign.map(({ ip, length }) => `${ip}/${length}`).join(', ');
  const names = ports.slice(0, 3).map(({ attrs }) => attrs.name);
  throw new CniAbort(
    cniFailure(
      'OWN',
      `${config.bridge} already has an IP address different from ${gateway.ip}/${gateway.length}`,
      `It has ${has}, and ${ports.length} ports (${names.join(', ')}${ports.length > 3 ? ', ...' : ''}): ` +
        'delete the pods of the old subnet, then it is put right by itself; or set forceAddress',
    ),
  );
}

/** Addresses that the bridge has itself or has heard of lately, whoever gave them. */
export function addressesInUse(rtnl: Rtnl, { index, addresses }: NodeBridge, config: BridgeConfig): Set<Ip> {
  const ranges = config.sets.flat();
  const families = new Set(ranges.map(({ start }) => familyNumber(start)));
  const neighbours = [...families].flatMap((family) => {
    const value = { header: ndmsg.of({ family }), attrs: { ifindex: index } };
    return rtnl.dump({ type: RTM.GETNEIGH, flags: 0, codec: neighbourMessage, value }, neighbourMessage);
  });
  const inUse = new Set(addresses.map(({ ip }) => ip));
  for (const { header, attrs } of neighbours) {
    if (header.ifindex === index && (header.state & NUD_IN_USE) !== 0 && attrs.dst !== undefined)
      inUse.add(attrs.dst);
  }
  return new Set([...inUse].filter((ip) => ranges.some(({ subnet }) => prefixContains(subnet, ip))));
}
