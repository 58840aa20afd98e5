/**
 * Lease attributes in flannel's JSON form: what an etcd value holds, and what the embedded store holds too.
 * Whoever may write to the store may write anything, so nothing here is believed.
 *
 * @module
 */
import * as v from 'valibot';
import { type Family, familyOf, type Ip, parseIp, parseMac } from '../model/ip.ts';
import type { Vtep } from '../model/lease.ts';
import { fail, ok, type Result } from '../model/result.ts';
import { parseCanonical } from './canonical-attributes.ts';
import type { FamilyAttributes, LeaseAttributes } from './lease-attributes.ts';
import { quoted } from './printable.ts';

/** Longer attributes are refused; flannel's own are below 300 characters. */
export const TEXT_LENGTH_MAX = 4096;

/** What the attributes are written from; a `Lease` and a `LeaseRequest` both have it. */
export interface AttributesSource {
  readonly backendType: string;
  readonly ipv4: { readonly publicIp: Ip; readonly vtep: Vtep | undefined } | undefined;
  readonly ipv6: { readonly publicIp: Ip; readonly vtep: Vtep | undefined } | undefined;
}

/** The attributes as flannel's `LeaseAttrs` marshals them: order of fields, and what is left out if empty. */
export function formatAttributes(source: AttributesSource): string {
  const { backendType, ipv4, ipv6 } = source;
  return JSON.stringify({
    PublicIP: ipv4?.publicIp ?? '0.0.0.0',
    PublicIPv6: ipv6?.publicIp ?? null,
    BackendType: backendType === '' ? undefined : backendType,
    BackendData: ipv4?.vtep === undefined ? undefined : vtepFields(ipv4.vtep),
    BackendV6Data: ipv6?.vtep === undefined ? undefined : vtepFields(ipv6.vtep),
  });
}

/** VXLAN backend data as flannel writes it; a flanneld that takes over the node finds its MAC in it by text. */
export function formatVtep(vtep: Vtep): string {
  return JSON.stringify(vtepFields(vtep));
}

const textSchema = v.object({
  PublicIP: v.optional(v.unknown()),
  PublicIPv6: v.optional(v.unknown()),
  BackendType: v.optional(v.pipe(v.string(), v.maxLength(64)), ''),
  BackendData: v.optional(v.unknown()),
  BackendV6Data: v.optional(v.unknown()),
});

const vtepSchema = v.object({
  VNI: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xff_ff_ff)),
  VtepMAC: v.pipe(v.string(), v.maxLength(17)),
});

/**
 * Reads attributes. Unknown keys are ignored, names of keys are exact. The failure says in words why the text
 * is of no use at all; what concerns one family only is that family's `fault`.
 */
export function parseAttributes(text: string): Result<LeaseAttributes, string> {
  const canonical = parseCanonical(text);
  if (canonical !== undefined) return ok(canonical);
  if (text.length > TEXT_LENGTH_MAX) return fail(`Attributes are longer than ${TEXT_LENGTH_MAX} characters`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail(`Attributes are not JSON: ${quoted(text)}`);
  }
  const parsed = v.safeParse(textSchema, json);
  if (!parsed.success) return fail(`Attributes have ${firstIssue(parsed.issues)}`);
  const { PublicIP, PublicIPv6, BackendType, BackendData, BackendV6Data } = parsed.output;
  const backendType = BackendType.toLowerCase();
  const isVxlan = backendType === 'vxlan';
  return ok({
    backendType,
    ipv4: familyAttributes(4, PublicIP, isVxlan ? BackendData : undefined),
    ipv6: familyAttributes(6, PublicIPv6, isVxlan ? BackendV6Data : undefined),
  });
}

/** Reads VXLAN backend data that was JSON; `undefined` and `null` mean that there is none. */
export function parseVtep(value: unknown): Result<Vtep | undefined, string> {
  if (value === undefined || value === null) return ok(undefined);
  const parsed = v.safeParse(vtepSchema, value);
  if (!parsed.success) return fail(`backend data has ${firstIssue(parsed.issues)}`);
  const mac = parseMac(parsed.output.VtepMAC);
  if (mac === undefined) return fail(`VtepMAC ${quoted(parsed.output.VtepMAC)} is not a MAC address`);
  return ok({ vni: parsed.output.VNI, mac });
}

/** Reads a public address that was JSON; `undefined`, `null` and `0.0.0.0` mean that there is none. */
export function parsePublicIp(family: Family, value: unknown): Result<Ip | undefined, string> {
  if (value === undefined || value === null || value === '0.0.0.0') return ok(undefined);
  const ip = typeof value === 'string' && value.length <= TEXT_LENGTH_MAX ? parseIp(value) : undefined;
  if (ip !== undefined && familyOf(ip) === family) return ok(ip);
  return fail(`public address ${quoted(String(JSON.stringify(value)))} is not an IPv${family} address`);
}

function familyAttributes(family: Family, publicIp: unknown, backendData: unknown): FamilyAttributes {
  const ip = parsePublicIp(family, publicIp);
  const vtep = parseVtep(backendData);
  return {
    publicIp: ip.ok ? ip.value : undefined,
    vtep: vtep.ok ? vtep.value : undefined,
    fault: ip.ok ? (vtep.ok ? undefined : vtep.error) : ip.error,
  };
}

function vtepFields(vtep: Vtep) {
  return { VNI: vtep.vni, VtepMAC: vtep.mac };
}

/** Such as `an invalid 'VNI': expected number but received "1"`. */
function firstIssue(issues: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): string {
  const [issue] = issues;
  const path = v.getDotPath(issue);
  const what = path === null ? 'the wrong form' : `an invalid ${quoted(path)}`;
  return `${what}: expected ${issue.expected ?? 'another value'} but received ${quoted(issue.received)}`;
}
