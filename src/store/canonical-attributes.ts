/**
 * A short way through attributes that are exactly as flannel and this program write them: one regular
 * expression in place of a JSON tree and its validation, which is what reading 5,000 leases is made of.
 *
 * @module
 */
import {
  type Family,
  familyOf,
  formatMac,
  type Ip,
  type Mac,
  parseIp,
  parseMac,
  writeMac,
} from '../model/ip.ts';
import type { Vtep } from '../model/lease.ts';
import type { FamilyAttributes, LeaseAttributes } from './lease-attributes.ts';

const IP = '"([\\da-f.:]{2,45})"';
const VTEP = '\\{"VNI":(0|[1-9]\\d{0,7}),"VtepMAC":"((?:[\\da-f]{2}:){5}[\\da-f]{2})"\\}';
const CANONICAL = new RegExp(
  `^\\{"PublicIP":${IP},"PublicIPv6":(?:null|${IP}),"BackendType":"([a-z-]{1,16})"` +
    `(?:,"BackendData":${VTEP})?(?:,"BackendV6Data":${VTEP})?\\}$`,
);

const CANONICAL_VTEP = new RegExp(`^${VTEP}$`);

const VNI_MAX = 0xff_ff_ff;

/** VXLAN backend data by itself if it is canonical and sound, as an annotation holds it. */
export function parseCanonicalVtep(text: string): Vtep | undefined {
  const [, vni, mac] = CANONICAL_VTEP.exec(text) ?? [];
  const vtep = vtepOf(vni, mac);
  return vtep === 'wrong' ? undefined : vtep;
}

/**
 * The attributes if they are canonical and nothing is wrong with them, else `undefined`: then the long way
 * finds out what is the matter.
 */
export function parseCanonical(text: string): LeaseAttributes | undefined {
  const match = CANONICAL.exec(text);
  if (match === null) return undefined;
  const [, publicIp, publicIpv6, backendType = '', vni, mac, vniV6, macV6] = match;
  const isVxlan = backendType === 'vxlan';
  const ipv4 = familyAttributes(4, publicIp, isVxlan ? vtepOf(vni, mac) : undefined);
  const ipv6 = familyAttributes(6, publicIpv6, isVxlan ? vtepOf(vniV6, macV6) : undefined);
  return ipv4 === undefined || ipv6 === undefined ? undefined : { backendType, ipv4, ipv6 };
}

function familyAttributes(
  family: Family,
  address: string | undefined,
  vtep: Vtep | 'wrong' | undefined,
): FamilyAttributes | undefined {
  const publicIp = addressOf(family, address);
  if (publicIp === 'wrong' || vtep === 'wrong') return undefined;
  return { publicIp, vtep, fault: undefined };
}

function addressOf(family: Family, text: string | undefined): Ip | 'wrong' | undefined {
  if (text === undefined || text === '0.0.0.0') return undefined;
  const ip = parseIp(text);
  return ip !== undefined && familyOf(ip) === family ? ip : 'wrong';
}

function vtepOf(vniText: string | undefined, macText: string | undefined): Vtep | 'wrong' | undefined {
  if (vniText === undefined || macText === undefined) return undefined;
  const vni = Number(vniText);
  const mac = parseMac(macText);
  return mac === undefined || vni > VNI_MAX ? 'wrong' : { vni, mac: copyOf(mac) };
}

const octets = new Uint8Array(6);

/** The same text in memory of its own: what a match gives keeps the whole text that was matched. */
function copyOf(mac: Mac): Mac {
  writeMac(mac, octets, 0);
  return formatMac(octets, 0);
}
