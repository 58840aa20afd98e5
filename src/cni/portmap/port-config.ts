/**
 * What the configuration and the runtime ask of hostPorts, with the keys of the reference plugin `portmap`.
 *
 * @module
 */
import {
  type HostPorts,
  type PortMapping,
  type PortProtocol,
  PROTOCOL_NUMBERS,
} from '../../model/host-ports.ts';
import { familyOf, type Ip, parseCidr, parseIp } from '../../model/ip.ts';
import { overlap } from '../../plan/host-ports.ts';
import { CniAbort, cniFailure } from '../failure.ts';
import {
  type JsonObject,
  optionalCount,
  optionalFlag,
  optionalObject,
  optionalObjects,
  optionalText,
  type Place,
} from '../json.ts';
import type { CniRequest } from '../request.ts';

/** As the reference has it: 0x2000. */
const MARK_BIT = 13;
const PORT_MAX = 0xffff;

/** What the reference does with iptables and what nf_tables has no counterpart of. */
const NOT_CARRIED_OUT: Readonly<Record<string, string>> = {
  externalSetMarkChain: "is a chain of iptables: use 'markMasqBit', or leave it out",
  conditionsV4: 'are conditions of iptables: leave them out',
  conditionsV6: 'are conditions of iptables: leave them out',
};

/** The mappings that the runtime asks for. Throws {@link CniAbort} if they are wrong. */
export function readMappings(config: Place): PortMapping[] {
  const runtime = optionalObject(config, 'runtimeConfig');
  if (runtime === undefined) return [];
  const mappings: PortMapping[] = [];
  for (const mapping of optionalObjects(runtime, 'portMappings').map(readMapping)) {
    const other = mappings.find((each) => overlap(each, mapping));
    if (other === undefined) mappings.push(mapping);
    else if (JSON.stringify(other) !== JSON.stringify(mapping))
      refuse(`hostPort ${portText(mapping)} is mapped twice`);
  }
  return mappings;
}

/** `8080/tcp`, with the address if there is one. */
export function portText({ protocol, hostPort, hostIp }: PortMapping): string {
  return `${hostIp === undefined ? '' : `${hostIp} `}${hostPort}/${protocol}`;
}

/** How connections are to be masqueraded. Throws {@link CniAbort} if that cannot be carried out. */
export function readMasquerading(config: Place): Pick<HostPorts, 'mark' | 'masqueradeAll'> {
  for (const [key, why] of Object.entries(NOT_CARRIED_OUT)) {
    const value = config.object[key];
    const isEmpty = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
    if (!isEmpty) refuse(`${key} is not carried out here`, `${key} ${why}`);
  }
  const backend = optionalText(config, 'backend') || 'nftables';
  if (backend !== 'nftables')
    refuse(
      `backend '${backend}' is not carried out here`,
      "hostPorts are made with nf_tables: set 'nftables'",
    );
  const bit = optionalCount(config, 'markMasqBit') ?? MARK_BIT;
  if (bit > 31) refuse('markMasqBit must be between 0 and 31');
  const snat = optionalFlag(config, 'snat') ?? true;
  return { mark: snat ? 2 ** bit : 0, masqueradeAll: snat && (optionalFlag(config, 'masqAll') ?? false) };
}

/** The container's addresses by the result of the plugin that made them: the first of each family. */
export function addressesIn(result: JsonObject, { ifname }: CniRequest): HostPorts['addresses'] {
  const place: Place = { object: result, path: 'prevResult.' };
  const interfaces = optionalObjects(place, 'interfaces');
  const addresses: { ip: Ip; length: number }[] = [];
  for (const entry of optionalObjects(place, 'ips')) {
    const cidr = parseCidr(optionalText(entry, 'address') ?? '');
    const owner = interfaces[optionalCount(entry, 'interface') ?? interfaces.length];
    const isOther =
      owner !== undefined && (optionalText(owner, 'name') !== ifname || !optionalText(owner, 'sandbox'));
    if (cidr === undefined || isOther) continue;
    if (!addresses.some(({ ip }) => familyOf(ip) === familyOf(cidr.ip))) addresses.push(cidr);
  }
  return addresses;
}

/**
 * One mapping. Runtimes written in Go may send any letter of a key small or capital. Throws {@link CniAbort} if it is wrong.
 */
export function readMapping({ object, path }: Place): PortMapping {
  const small = Object.fromEntries(Object.entries(object).map(([key, value]) => [key.toLowerCase(), value]));
  const place: Place = { object: small, path };
  const protocol = (optionalText(place, 'protocol') ?? '').toLowerCase();
  if (!isProtocol(protocol))
    refuse(
      `${path}protocol '${protocol}' is not known`,
      `Known: ${Object.keys(PROTOCOL_NUMBERS).join(', ')}`,
    );
  const text = optionalText(place, 'hostip') || undefined;
  const hostIp = text === undefined ? undefined : parseIp(text);
  if (text !== undefined && hostIp === undefined) refuse(`${path}hostIP '${text}' is no address`);
  const port = (key: string, name: string) => {
    const value = optionalCount(place, key) ?? 0;
    return value > 0 && value <= PORT_MAX ? value : refuse(`Invalid ${name} port number: ${value}`);
  };
  const ports = { hostPort: port('hostport', 'host'), containerPort: port('containerport', 'container') };
  return { protocol, ...ports, ...(hostIp === undefined ? {} : { hostIp }) };
}

function isProtocol(text: string): text is PortProtocol {
  return Object.hasOwn(PROTOCOL_NUMBERS, text);
}

function refuse(msg: string, details = ''): never {
  throw new CniAbort(cniFailure('INVALID_CONFIG', msg, details));
}
