/**
 * The hostPorts of a container made, looked at and taken away: written down first, then made in the kernel, so that
 * whoever is killed in between leaves nothing that the next one does not put right.
 *
 * @module
 */
import { missingPorts } from '../../kernel/port-description.ts';
import { addPorts, writePortTables } from '../../kernel/port-tables.ts';
import { type HostPorts, localnetOf } from '../../model/host-ports.ts';
import { familyOf, type Ip } from '../../model/ip.ts';
import type { NetlinkError } from '../../netlink/error.ts';
import { addressMessage, ifaddrmsg, RTM } from '../../netlink/route.ts';
import { findConflict, isFor, planHostPorts, wantsLocalnet } from '../../plan/host-ports.ts';
import type { Attachment } from '../attachment.ts';
import { CniAbort, cniFailure } from '../failure.ts';
import type { JsonObject } from '../json.ts';
import { isNamespace, ownNamespace } from '../namespace.ts';
import type { CniRequest } from '../request.ts';
import { Rtnl, refusal } from '../rtnl.ts';
import { isSet, setSysctl } from '../settings.ts';
import { type Flow, forgetConnections } from './connections.ts';
import { hasPorts, hostPortsFolder } from './folder.ts';
import { Netfilter } from './netfilter.ts';
import { PortBook } from './port-book.ts';
import { addressesIn, portText, readMappings, readMasquerading } from './port-config.ts';

/**
 * Makes what the runtime asks for, which takes the place of what the container had. Nothing is half made. `outbound` says
 * whether what it sends to the outside is to be masqueraded; without it that stays as it was.
 */
export function addHostPorts(request: CniRequest, result: JsonObject, outbound?: boolean): void {
  const ports = wantedPorts(request, result, outbound);
  if (ports === undefined) return;
  const folder = hostPortsFolder(request.config);
  using netfilter = new Netfilter();
  make(netfilter, folder, { ports, keepsOutbound: outbound === undefined });
  try {
    // Without the lock: the kernel takes its time to walk through its connections.
    forgetOthers(netfilter, ports);
  } catch (thrown) {
    remove(netfilter, folder, (each) => isOf(each, ports));
    throw thrown;
  }
}

/** Takes away what an interface of a container has, by what is written down alone. */
export function removeHostPortsOf(folder: string, owner: Attachment): void {
  removeHostPorts(folder, (ports) => isOf(ports, owner));
  if (!hasPorts(folder, owner)) return;
  // It could not be read, and so was not in the kernel either.
  using book = new PortBook(folder);
  book.remove(owner);
}

/** Takes away what the containers of a network have that are not valid any more. */
export function collectHostPorts(folder: string, network: string, valid: readonly Attachment[]): void {
  removeHostPorts(folder, (ports) => ports.network === network && !valid.some((each) => isOf(ports, each)));
}

interface Making {
  readonly ports: HostPorts;
  /** Whether `outbound` is to be as an earlier plugin of the list had it. */
  readonly keepsOutbound: boolean;
}

function make({ session }: Netfilter, folder: string, { ports: wanted, keepsOutbound }: Making): void {
  using book = new PortBook(folder);
  const previous = book.read().find((each) => isOf(each, wanted));
  const ports = keepsOutbound ? { ...wanted, outbound: previous?.outbound === true } : wanted;
  const others = withoutConflicts(book, ports);
  book.write(ports);
  try {
    const tables = { before: planHostPorts(others), after: planHostPorts([...others, ports]) };
    const error = addPorts(session, tables);
    if (error !== undefined) throw refused(error);
    if (wantsLocalnet(ports)) openLocalnet(book, ports.link);
  } catch (thrown) {
    if (previous === undefined) book.remove(ports);
    else book.write(previous);
    writePortTables(session, planHostPorts([...others, ...(previous === undefined ? [] : [previous])]));
    throw thrown;
  }
}

function removeHostPorts(folder: string, isGone: (ports: HostPorts) => boolean): void {
  using netfilter = new Netfilter();
  for (const ports of remove(netfilter, folder, isGone)) forgetOwn(netfilter, ports);
}

/** Gives back what it has taken away. */
function remove(
  { session }: Netfilter,
  folder: string,
  isGone: (ports: HostPorts) => boolean,
): readonly HostPorts[] {
  using book = new PortBook(folder);
  const all = book.read();
  const [gone, left] = [all.filter(isGone), all.filter((ports) => !isGone(ports))];
  if (gone.length === 0) return [];
  // Before their guard goes.
  closeLocalnets(book, left);
  const error = writePortTables(session, planHostPorts(left));
  if (error !== undefined) throw refused(error);
  // Last, so that who is killed before is asked again.
  for (const ports of gone) book.remove(ports);
  return gone;
}

/** Looks whether the kernel has what the container was given. Throws {@link CniAbort} with what is missing. */
export function checkHostPorts(request: CniRequest, result: JsonObject, outbound?: boolean): void {
  const wanted = wantedPorts(request, result, outbound);
  if (wanted === undefined) return;
  using book = new PortBook(hostPortsFolder(request.config));
  const ports = book.read().find((each) => isOf(each, request));
  const details = 'Delete the pod; it is made anew';
  // Those of an interface whose ports are chained are not in every entry.
  const isOther = (mappings: HostPorts['mappings']) =>
    wanted.mappings.length > 0 && JSON.stringify(mappings) !== JSON.stringify(wanted.mappings);
  if (ports === undefined || isOther(ports.mappings)) {
    const msg = `the hostPorts of ${request.containerId} are not those that are written down`;
    throw new CniAbort(cniFailure('OWN', msg, details));
  }
  using netfilter = new Netfilter();
  const missing = missingPorts(netfilter.session, planHostPorts([ports]));
  if ('errno' in missing) throw refusal('read the hostPorts', missing);
  if (missing.length > 0) {
    throw new CniAbort(cniFailure('OWN', `of the hostPorts is missing: ${missing.join('; ')}`, details));
  }
}

function wantedPorts(request: CniRequest, result: JsonObject, outbound = false): HostPorts | undefined {
  const { config, containerId, ifname, name: network, netns } = request;
  const masquerading = readMasquerading(config);
  const mappings = readMappings(config);
  const isMapped = mappings.length > 0;
  if (!isMapped && !outbound) return undefined;
  const addresses = addressesIn(result, request);
  const [first] = addresses;
  if (first === undefined) {
    const msg = `hostPorts need an address of ${ifname}, and the result has none`;
    throw new CniAbort(
      cniFailure('INVALID_CONFIG', msg, 'Chain portmap after a plugin that gives addresses'),
    );
  }
  const place = { network, netns, nodeNamespace: ownNamespace() };
  const masquerade = isMapped ? masquerading : { mark: 0, masqueradeAll: false };
  const link = isMapped ? linkTowards(addresses) : '';
  return { containerId, ifname, ...place, addresses, mappings, ...masquerade, outbound, link };
}

function linkTowards(addresses: HostPorts['addresses']): string {
  const { ip } = addresses.find((each) => familyOf(each.ip) === 4) ?? addresses[0] ?? {};
  if (ip === undefined) return '';
  using rtnl = new Rtnl();
  return rtnl.linkTowards(ip) ?? '';
}

function isOf(ports: Attachment, { containerId, ifname }: Attachment): boolean {
  return ports.containerId === containerId && ports.ifname === ifname;
}

/** The other containers, without those whose end nobody has told: a namespace that is gone answers at no port. */
function withoutConflicts(book: PortBook, ports: HostPorts): HostPorts[] {
  let others = book.read().filter((each) => !isOf(each, ports));
  for (;;) {
    const conflict = findConflict(ports, others);
    if (conflict === undefined) return others;
    const { holder, mapping } = conflict;
    if (isAlive(holder)) {
      const msg = `hostPort ${portText(mapping)} is in use by container ${holder.containerId} (${holder.ifname})`;
      const details = `It is of network ${holder.network}: remove that pod, or choose another hostPort`;
      throw new CniAbort(cniFailure('OWN', msg, details));
    }
    book.remove(holder);
    others = others.filter((each) => each !== holder);
  }
}

function isAlive({ netns }: HostPorts): boolean {
  return isNamespace(netns);
}

function refused(error: NetlinkError): CniAbort {
  return refusal('make the hostPorts with nf_tables', error);
}

/** The link to the pod takes packets from and to 127.0.0.1 from now on. Noted first: who is killed leaves it to be closed. */
function openLocalnet(book: PortBook, link: string): void {
  if (link === '' || isSet(localnetOf(link), '1')) return;
  book.noteLocalnet(link, true);
  setSysctl(localnetOf(link), '1');
}

/** No pod needs it any more: what was opened here is closed again. */
function closeLocalnets(book: PortBook, left: readonly HostPorts[]): void {
  for (const link of book.localnets()) {
    if (left.some((ports) => ports.link === link && wantsLocalnet(ports))) continue;
    try {
      setSysctl(localnetOf(link), '0');
    } catch {
      // The link has gone, and its setting with it.
    }
    book.noteLocalnet(link, false);
  }
}

/** What was sent to the ports before and is answered by somebody else: the node, or a container that had them. */
function forgetOthers(netfilter: Netfilter, ports: HostPorts): void {
  if (!ports.mappings.some(({ protocol }) => protocol === 'udp')) return;
  const local = localAddresses();
  const isLocal = (ip: Ip) => local.has(ip) || ip.startsWith('127.');
  forget(netfilter, ports, (flow, to) => flow.answeredBy !== to && isLocal(flow.destination));
}

/** What the container has answered. */
function forgetOwn(netfilter: Netfilter, ports: HostPorts): void {
  forget(netfilter, ports, (flow, to) => flow.answeredBy === to);
}

function forget(
  { session }: Netfilter,
  { addresses, mappings }: HostPorts,
  isStale: (flow: Flow, to: Ip) => boolean,
): void {
  const ofUdp = mappings.filter(({ protocol }) => protocol === 'udp');
  if (ofUdp.length === 0) return;
  const ports = [...new Set(ofUdp.map(({ hostPort }) => hostPort))];
  // What is sent to another address may be somebody else's.
  const isOurs = ({ destination: to, port }: Flow) => ofUdp.some((mapping) => isFor(mapping, { to, port }));
  for (const { ip } of addresses) {
    const stale = { family: familyOf(ip), ports, isStale: (flow: Flow) => isOurs(flow) && isStale(flow, ip) };
    const error = forgetConnections(session, stale);
    if (error !== undefined) throw refusal(`forget connections to UDP ports ${ports.join(', ')}`, error);
  }
}

function localAddresses(): Set<Ip> {
  using rtnl = new Rtnl();
  const value = { header: ifaddrmsg.of({}), attrs: {} };
  const request = { type: RTM.GETADDR, flags: 0, codec: addressMessage, value };
  return new Set(
    rtnl.dump(request, addressMessage).flatMap(({ attrs }) => attrs.local ?? attrs.address ?? []),
  );
}
