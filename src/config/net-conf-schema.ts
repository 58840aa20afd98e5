/**
 * The types of net-conf.json's values, as valibot schemas. Each message is what was expected.
 *
 * @module
 */
import * as v from 'valibot';
import { type Family, familyOf, parseIp, parsePrefix } from '../model/ip.ts';
import { fail, ok, type Result } from '../model/result.ts';
import { type ConfigError, invalid } from './error.ts';
import { type FoldedMembers, type KeyRules, plainValue, shownValue, sourceOf } from './json-members.ts';

/** The keys of net-conf.json and what `null` does to each. */
export const NETWORK_KEYS = {
  Network: 'counts',
  IPv6Network: 'counts',
  EnableIPv4: 'keeps',
  EnableIPv6: 'keeps',
  EnableNFTables: 'keeps',
  SubnetLen: 'keeps',
  IPv6SubnetLen: 'keeps',
  SubnetMin: 'counts',
  SubnetMax: 'counts',
  IPv6SubnetMin: 'clears',
  IPv6SubnetMax: 'clears',
  Backend: 'counts',
} as const satisfies KeyRules;

/** The keys of the Backend object for vxlan. MacPrefix and Name belong to Windows. */
export const VXLAN_KEYS = {
  Type: 'keeps',
  VNI: 'keeps',
  Port: 'keeps',
  MTU: 'keeps',
  GBP: 'keeps',
  Learning: 'keeps',
  DirectRouting: 'keeps',
  TxChecksumOffload: 'keeps',
  MacPrefix: 'keeps',
  Name: 'keeps',
} as const satisfies KeyRules;

/** Everything but the Backend object, of which only the keys that are given appear. */
export const networkSchema = v.object({
  Network: v.optional(network(4)),
  IPv6Network: v.optional(network(6)),
  EnableIPv4: bool(true),
  EnableIPv6: bool(false),
  EnableNFTables: bool(false),
  SubnetLen: integer({ fallback: 0, min: 0, max: 32 }),
  IPv6SubnetLen: integer({ fallback: 0, min: 0, max: 128 }),
  SubnetMin: v.optional(address(4)),
  SubnetMax: v.optional(address(4)),
  IPv6SubnetMin: v.optional(address(6)),
  IPv6SubnetMax: v.optional(address(6)),
});

/** What {@link networkSchema} gives. */
export type NetworkKeys = v.InferOutput<typeof networkSchema>;

/** The Backend object's type, on which the rest depends. */
export const backendTypeSchema = v.object({ Type: v.optional(v.string('a text'), '') });

/** The Backend object for vxlan; flannel checks no range here. */
export const vxlanSchema = v.object({
  // RFC 7348: 24 bits. In Linux 0 belongs to devices without an identifier of their own (`external`).
  VNI: integer({ fallback: 1, min: 1, max: 2 ** 24 - 1 }),
  Port: integer({ fallback: 0, min: 0, max: 65535 }),
  MTU: integer({ fallback: 0, min: 0, max: 65535 }),
  GBP: bool(false),
  Learning: bool(false),
  DirectRouting: bool(false),
  TxChecksumOffload: bool(false),
});

/** Holds an object's members against a schema; `path` stands before the names of keys in errors. */
export function checkMembers<Schema extends v.GenericSchema>(
  members: FoldedMembers,
  { schema, path }: { schema: Schema; path: string },
): Result<v.InferOutput<Schema>, ConfigError> {
  const plain = Object.fromEntries([...members.known].map(([name, node]) => [name, plainValue(node)]));
  const parsed = v.safeParse(schema, plain, { abortEarly: true });
  if (parsed.success) return ok(parsed.output);
  const [issue] = parsed.issues;
  const name = String(issue.path?.[0]?.key ?? '');
  const node = members.known.get(name);
  // Quotes matter only where the type is wrong: "24" is no 24.
  const value = node && (issue.kind === 'schema' ? sourceOf(node) : shownValue(node));
  return fail(invalid({ key: `${path}${name}`, value }, issue.message));
}

function bool(fallback: boolean) {
  return v.optional(v.boolean('true or false'), fallback);
}

function integer({ fallback, min, max }: { fallback: number; min: number; max: number }) {
  const expected = `an integer from ${min} to ${max}`;
  const schema = v.pipe(
    v.number(expected),
    v.integer(expected),
    v.minValue(min, expected),
    v.maxValue(max, expected),
  );
  return v.optional(schema, fallback);
}

function network(family: Family) {
  return readText((text) => ofFamily(parsePrefix(text), family), `an IPv${family} network as address/length`);
}

function address(family: Family) {
  return readText((text) => ofFamily(parseIp(text), family), `an IPv${family} address`);
}

function ofFamily<Address extends Parameters<typeof familyOf>[0]>(
  value: Address | undefined,
  family: Family,
): Address | undefined {
  return value !== undefined && familyOf(value) === family ? value : undefined;
}

function readText<T>(read: (text: string) => T | undefined, expected: string) {
  return v.pipe(
    v.string(expected),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      const value = read(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: expected });
      return NEVER;
    }),
  );
}
