/**
 * An object's members by name, under Go's rules for JSON (`encoding/json`).
 *
 * @module
 */
import type { JsonNode, JsonObject } from './json-text.ts';

/**
 * What `null` means for a key. Go leaves a field as it is (`keeps` what an earlier duplicate said), sets a
 * pointer to nil (`clears` it), or hands the `null` to a type's own reader (`counts` as a value).
 */
export type NullRule = 'keeps' | 'clears' | 'counts';

/** The keys that an object may have, in their canonical spelling. */
export type KeyRules = Readonly<Record<string, NullRule>>;

/** An object's members under canonical names, and the names that are none of its keys. */
export interface FoldedMembers {
  readonly known: ReadonlyMap<string, JsonNode>;
  readonly unknown: readonly string[];
}

/** Matches names without regard to case; of duplicates only the last is looked at. */
export function foldMembers(object: JsonObject, keys: KeyRules): FoldedMembers {
  const canonical = new Map(Object.keys(keys).map((key) => [key.toLowerCase(), key]));
  const known = new Map<string, JsonNode>();
  const unknown: string[] = [];
  for (const [name, value] of object.members) {
    const key = canonical.get(name.toLowerCase());
    if (key === undefined) {
      unknown.push(name);
      continue;
    }
    const rule = isNull(value) ? keys[key] : 'counts';
    if (rule === 'counts') known.set(key, value);
    else if (rule === 'clears') known.delete(key);
  }
  return { known, unknown };
}

/** Whether a node is the word `null`. */
export function isNull(node: JsonNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** The node as a plain value for a schema; what no schema of ours takes becomes an empty object. */
export function plainValue(node: JsonNode): null | boolean | string | number | object {
  if (node.kind === 'scalar') return node.value;
  // Go reads `1.0` and `1e3` into no integer, and there are only integers here.
  if (node.kind === 'number') return /^-?\d+$/.test(node.source) ? Number(node.source) + 0 : Number.NaN;
  return {};
}

/** The node for messages that say what is wrong with the value: a string without its quotes. */
export function shownValue(node: JsonNode): string {
  if (node.kind === 'array') return '[...]';
  return node.kind === 'object' ? '{...}' : node.source;
}

/** The node for messages that say what is wrong with the type: a string in its quotes. */
export function sourceOf(node: JsonNode): string {
  return node.kind === 'scalar' && typeof node.value === 'string' ? `"${node.value}"` : shownValue(node);
}
