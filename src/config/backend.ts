/**
 * The Backend object of net-conf.json.
 *
 * @module
 */
import { type BackendConfig, type VxlanConfig, vxlanDeviceName } from '../model/network.ts';
import { fail, ok, type Result } from '../model/result.ts';
import { type ConfigError, invalid, missing } from './error.ts';
import { type FoldedMembers, foldMembers, isNull, shownValue } from './json-members.ts';
import type { JsonNode, JsonObject } from './json-text.ts';
import { backendTypeSchema, checkMembers, VXLAN_KEYS, vxlanSchema } from './net-conf-schema.ts';

/** A backend, with lines for the log and the unknown keys that were skipped. */
export interface ParsedBackend {
  readonly backend: BackendConfig;
  readonly notes: readonly string[];
  readonly unknownKeys: readonly string[];
}

/** The backends that this version has, in words. */
const KNOWN = 'vxlan or host-gw';

/** flannel's backends that this version does not have. */
const OTHERS: readonly string[] = ['wireguard', 'ipip', 'ipsec', 'extension', 'alloc', 'tencent-vpc'];

/** flannel's `udp` copies packets in user space; no kernel needs that any more, and it is IPv4 only. */
const REPLACED = 'udp';

/**
 * Reads the Backend object; `node` is undefined if there is none, which flannel takes for udp.
 *
 * @param options.hasIpv6 - whether the cluster network is IPv6 too, which needs a larger MTU
 */
export function parseBackend(
  node: JsonNode | undefined,
  options: { hasIpv6: boolean },
): Result<ParsedBackend, ConfigError> {
  if (node === undefined) {
    const note = 'Backend: none given, which means udp to flannel; vxlan is used instead';
    return withVxlan(EMPTY, { ...options, notes: [note] });
  }
  if (isNull(node)) return fail(missing('Backend.Type', KNOWN));
  if (node.kind !== 'object')
    return fail(invalid({ key: 'Backend', value: shownValue(node) }, 'a JSON object'));
  const type = backendType(node);
  if (!type.ok) return type;
  switch (type.value) {
    case '':
      return fail(missing('Backend.Type', KNOWN));
    case 'host-gw':
      return ok({ backend: { type: 'host-gw' }, notes: [], unknownKeys: [] });
    case 'vxlan':
      return withVxlan(node, { ...options, notes: [] });
    case REPLACED:
      return withVxlan(node, {
        ...options,
        notes: ['Backend.Type: udp is not offered; vxlan is used instead'],
      });
    default: {
      const kind = OTHERS.includes(type.value) ? 'unsupported' : 'invalid';
      return fail({ kind, key: 'Backend.Type', value: type.value, expected: KNOWN });
    }
  }
}

const EMPTY: JsonObject = { kind: 'object', members: [] };

/** In lower case, as flannel matches it. */
function backendType(node: JsonObject): Result<string, ConfigError> {
  const members = foldMembers(node, { Type: 'keeps' });
  const checked = checkMembers(members, { schema: backendTypeSchema, path: 'Backend.' });
  return checked.ok ? ok(checked.value.Type.toLowerCase()) : checked;
}

function withVxlan(
  node: JsonObject,
  { hasIpv6, notes }: { hasIpv6: boolean; notes: readonly string[] },
): Result<ParsedBackend, ConfigError> {
  const members: FoldedMembers = foldMembers(node, VXLAN_KEYS);
  const checked = checkMembers(members, { schema: vxlanSchema, path: 'Backend.' });
  if (!checked.ok) return checked;
  const { MTU, VNI } = checked.value;
  const family = hasIpv6 ? 6 : 4;
  if (vxlanDeviceName(VNI, family).length > DEVICE_NAME_LENGTH_MAX) {
    const name = vxlanDeviceName(VNI, family);
    const expected = `an integer from 1 to ${hasIpv6 ? 9_999 : 9_999_999}, as ${name} is too long for a device`;
    return fail(invalid({ key: 'Backend.VNI', value: String(VNI) }, expected));
  }
  const mtuBytesMin = hasIpv6 ? DUAL_MTU_BYTES_MIN : IPV4_MTU_BYTES_MIN;
  if (MTU !== 0 && MTU < mtuBytesMin) {
    const why = hasIpv6 ? ' (IPv6 needs 1280 inside the tunnel)' : '';
    const expected = `0 for the MTU of the interface, or an integer from ${mtuBytesMin} to 65535${why}`;
    return fail(invalid({ key: 'Backend.MTU', value: String(MTU) }, expected));
  }
  return ok({ backend: vxlanConfig(checked.value), notes, unknownKeys: members.unknown });
}

/** linux/if.h: `IFNAMSIZ` is 16, with the final NUL. */
const DEVICE_NAME_LENGTH_MAX = 15;

/** RFC 791: what every host must take. The key is the underlay's MTU, not the tunnel's. */
const IPV4_MTU_BYTES_MIN = 576;

/** RFC 8200: a link carries IPv6 from 1280 on; VXLAN over IPv6 adds 70 (40 IPv6, 8 UDP, 8 VXLAN, 14 Ethernet). */
const DUAL_MTU_BYTES_MIN = 1280 + 70;

/** Linux chose it before IANA gave out 4789, and it is still the kernel's default (drivers/net/vxlan, `vxlan_port`). */
const LINUX_VXLAN_PORT = 8472;

function vxlanConfig(keys: {
  VNI: number;
  Port: number;
  MTU: number;
  GBP: boolean;
  Learning: boolean;
  DirectRouting: boolean;
  TxChecksumOffload: boolean;
}): VxlanConfig {
  return {
    type: 'vxlan',
    vni: keys.VNI,
    port: keys.Port === 0 ? LINUX_VXLAN_PORT : keys.Port,
    mtuBytes: keys.MTU === 0 ? undefined : keys.MTU,
    gbp: keys.GBP,
    learning: keys.Learning,
    directRouting: keys.DirectRouting,
    txChecksumOffload: keys.TxChecksumOffload,
  };
}
