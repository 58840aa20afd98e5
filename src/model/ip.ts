/**
 * Addresses as branded strings in canonical text (RFC 5952 for IPv6): `===` compares them, maps are keyed
 * by them, logs show them. Bytes exist only while a codec works.
 *
 * @module
 */

declare const brand: unique symbol;

/** An IPv4 or IPv6 address in canonical text, such as `10.42.1.0` or `fd00::1`. */
export type Ip = string & { readonly [brand]: 'Ip' };

/** A network in canonical text with all host bits zero, such as `10.42.1.0/24`. */
export type Prefix = string & { readonly [brand]: 'Prefix' };

/** A 48-bit link-layer address as lower-case hex, such as `0a:58:0a:2a:01:00`. */
export type Mac = string & { readonly [brand]: 'Mac' };

/** An address family by the number in its name. */
export type Family = 4 | 6;

/** Both families, in the order in which flannel writes them. */
export const FAMILIES = [4, 6] as const;

/** The number of bits in an address of a family. */
export function addressBits(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** Reads an address as Go's `net.ParseIP` does: no leading zeros, no zone, no surrounding space. */
export function parseIp(text: string): Ip | undefined {
  const bytes = new Uint8Array(16);
  const length = text.includes(':') ? parseIpv6(text, bytes, 0) : parseIpv4(text, bytes, 0);
  if (length === 0) return undefined;
  // An IPv4-mapped address (RFC 4291) is the IPv4 address, as Go folds them.
  const mapped = length === 16 && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped && bytes.subarray(0, 10).every((byte) => byte === 0)
    ? formatIp(bytes, 12, 4)
    : formatIp(bytes, 0, length);
}

/** The family of an address or a prefix. */
export function familyOf(address: Ip | Prefix): Family {
  return address.includes(':') ? 6 : 4;
}

/**
 * Writes the address into `into` at `at`, in network byte order.
 *
 * @returns the number of bytes written: 4 or 16
 */
export function writeIp(ip: Ip, into: Uint8Array, at: number): 4 | 16 {
  if (!ip.includes(':')) {
    parseIpv4(ip, into, at);
    return 4;
  }
  parseIpv6(ip, into, at);
  return 16;
}

/** The canonical text of the `length` (4 or 16) bytes at `at`. */
export function formatIp(bytes: Uint8Array, at: number, length: number): Ip {
  if (length === 4) {
    return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` as Ip;
  }
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[at + i] ?? 0) << 8) | (bytes[at + i + 1] ?? 0));
  return formatGroups(groups) as Ip;
}

/** The address as an unsigned integer. */
export function ipToBigint(ip: Ip): bigint {
  const bytes = new Uint8Array(16);
  const length = writeIp(ip, bytes, 0);
  let value = 0n;
  for (let i = 0; i < length; i++) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}

/** The address of a family with the given unsigned integer value, which must fit. */
export function ipFromBigint(family: Family, value: bigint): Ip {
  const length = addressBits(family) / 8;
  const bytes = new Uint8Array(length);
  let rest = value;
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return formatIp(bytes, 0, length);
}

/** An address with a prefix length, host bits kept. */
export interface Cidr {
  readonly ip: Ip;
  readonly length: number;
}

/** Reads `address/length` as Go's `net.ParseCIDR` does, keeping the host bits. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const ip = parseIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (ip === undefined || !/^\d{1,3}$/.test(digits)) return undefined;
  const length = Number(digits);
  return length <= addressBits(familyOf(ip)) ? { ip, length } : undefined;
}

/** Reads `address/length` and masks the host bits off. */
export function parsePrefix(text: string): Prefix | undefined {
  const cidr = parseCidr(text);
  return cidr === undefined ? undefined : prefixOf(cidr.ip, cidr.length);
}

/** The network of `length` bits that holds `ip`. */
export function prefixOf(ip: Ip, length: number): Prefix {
  const bytes = scratch;
  const size = writeIp(ip, bytes, 0);
  for (let i = length >> 3; i < size; i++) {
    const keep = Math.max(0, length - i * 8);
    bytes[i] = (bytes[i] ?? 0) & (0xff00 >> keep) & 0xff;
  }
  return `${formatIp(bytes, 0, size)}/${length}` as Prefix;
}

/** For addresses on their way through {@link prefixOf}. */
const scratch = new Uint8Array(16);

/** The first address of a network. */
export function prefixBase(prefix: Prefix): Ip {
  return prefix.slice(0, prefix.indexOf('/')) as Ip;
}

/** The length of a network's prefix in bits. */
export function prefixLength(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1));
}

/** Whether a network holds an address. */
export function prefixContains(prefix: Prefix, ip: Ip): boolean {
  return familyOf(prefix) === familyOf(ip) && prefixOf(ip, prefixLength(prefix)) === prefix;
}

/** Whether `outer` holds all of `inner`. */
export function prefixCovers(outer: Prefix, inner: Prefix): boolean {
  return prefixLength(outer) <= prefixLength(inner) && prefixContains(outer, prefixBase(inner));
}

/** Whether two networks share an address. */
export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return prefixCovers(a, b) || prefixCovers(b, a);
}

/** The address `offset` after the network's base; the caller keeps it inside. */
export function addressAt(prefix: Prefix, offset: bigint): Ip {
  return ipFromBigint(familyOf(prefix), ipToBigint(prefixBase(prefix)) + offset);
}

/** What kind of address this is, in the classes that decide whether it can be an endpoint (RFC 6890). */
export function classify(
  ip: Ip,
): 'unspecified' | 'multicast' | 'loopback' | 'link-local' | 'broadcast' | 'global' {
  if (ip.includes(':')) return classifyIpv6(ip);
  if (ip === '0.0.0.0') return 'unspecified';
  if (ip === '255.255.255.255') return 'broadcast';
  const first = Number.parseInt(ip, 10);
  if (first >= 224 && first <= 239) return 'multicast';
  if (first === 127) return 'loopback';
  return ip.startsWith('169.254.') ? 'link-local' : 'global';
}

/** In canonical text a first group of 0xf000 and more has just four digits. */
function classifyIpv6(ip: Ip): 'unspecified' | 'multicast' | 'loopback' | 'link-local' | 'global' {
  if (ip === '::') return 'unspecified';
  if (ip === '::1') return 'loopback';
  if (/^ff..:/.test(ip)) return 'multicast';
  return /^fe[89ab].:/.test(ip) ? 'link-local' : 'global';
}

/** Reads six hex octets joined by `:` or `-`. */
export function parseMac(text: string): Mac | undefined {
  if (!/^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}$/i.test(text)) return undefined;
  return text.toLowerCase().replaceAll('-', ':') as Mac;
}

/** Whether an address can be a device's own: not all zeros, and without the group bit (IEEE 802). */
export function isStationMac(mac: Mac): boolean {
  return mac !== '00:00:00:00:00:00' && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0;
}

/** Writes the six octets into `into` at `at`. */
export function writeMac(mac: Mac, into: Uint8Array, at: number): void {
  for (let i = 0; i < 6; i++) into[at + i] = (hexValue(mac, i * 3) << 4) | hexValue(mac, i * 3 + 1);
}

/** The text of the six octets at `at`. */
export function formatMac(bytes: Uint8Array, at: number): Mac {
  let text = '';
  for (let i = 0; i < 6; i++) {
    const octet = bytes[at + i] ?? 0;
    text += `${i === 0 ? '' : ':'}${HEX.charAt(octet >> 4)}${HEX.charAt(octet & 15)}`;
  }
  return text as Mac;
}

const HEX = '0123456789abcdef';

/** Returns the number of bytes read into `into` at `at`: 4, or 0 for anything but a dotted quad. */
function parseIpv4(text: string, into: Uint8Array, at: number): 0 | 4 {
  let octet = -1;
  let count = 0;
  for (let i = 0; i <= text.length; i++) {
    const digit = i < text.length ? text.charCodeAt(i) - 48 : -2;
    if (digit >= 0 && digit <= 9) {
      if (octet === 0) return 0;
      octet = octet < 0 ? digit : octet * 10 + digit;
      if (octet > 255) return 0;
    } else if (digit === -2 && octet >= 0 && count < 4) {
      // '.' is 46 = 48 - 2, so the end of the text and a dot close an octet alike.
      into[at + count++] = octet;
      octet = -1;
      if (count === 4 && i < text.length) return 0;
    } else {
      return 0;
    }
  }
  return count === 4 ? 4 : 0;
}

const COLON = 58;
const DOT = 46;

/** Returns the number of bytes read into `into` at `at`: 16, or 0 for anything but an IPv6 address. */
function parseIpv6(text: string, into: Uint8Array, at: number): 0 | 16 {
  const end = text.length;
  let count = 0;
  let gap = text.startsWith('::') ? 0 : -1;
  let i = gap === 0 ? 2 : 0;
  while (i < end) {
    const start = i;
    let group = 0;
    for (let digit = hexValue(text, i); digit >= 0 && i - start < 5; digit = hexValue(text, i)) {
      group = group * 16 + digit;
      i++;
    }
    if (text.charCodeAt(i) === DOT) {
      // The last two groups may be written as an IPv4 address.
      if (count > 6 || parseIpv4(text.slice(start), into, at + count * 2) === 0) return 0;
      count += 2;
      break;
    }
    if (i === start || i - start > 4 || count === 8) return 0;
    into[at + count * 2] = group >> 8;
    into[at + count * 2 + 1] = group & 0xff;
    count++;
    if (i === end) break;
    if (text.charCodeAt(i++) !== COLON) return 0;
    if (i === end) return 0;
    if (text.charCodeAt(i) !== COLON) continue;
    if (gap >= 0) return 0;
    gap = count;
    i++;
  }
  if (gap < 0) return count === 8 ? 16 : 0;
  if (count === 8) return 0;
  const tail = (count - gap) * 2;
  into.copyWithin(at + 16 - tail, at + gap * 2, at + count * 2);
  into.fill(0, at + gap * 2, at + 16 - tail);
  return 16;
}

/** The value of the hex digit at `at`, or -1. */
function hexValue(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) as `::`. */
function formatGroups(groups: number[]): string {
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
    if (end > i) i = end;
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (start < 0) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}
