/**
 * net-conf.json: flannel's description of the cluster network, read as flannel reads it and checked further.
 *
 * @module
 */

import { prefixLength } from '../model/ip.ts';
import type { NetworkConfig, NetworkFamily } from '../model/network.ts';
import { fail, ok, type Result } from '../model/result.ts';
import { parseBackend } from './backend.ts';
import { type ConfigError, invalid, printable } from './error.ts';
import { type FoldedMembers, foldMembers, shownValue } from './json-members.ts';
import { parseJsonText } from './json-text.ts';
import { nearest } from './nearest.ts';
import {
  checkMembers,
  NETWORK_KEYS,
  type NetworkKeys,
  networkSchema,
  VXLAN_KEYS,
} from './net-conf-schema.ts';
import { cutNetwork, type RangeInput } from './subnet-range.ts';

/** A network that is fit for use, and lines for the log. */
export interface ParsedNetConf {
  readonly config: NetworkConfig;
  readonly notes: readonly string[];
}

/** What to call the text in errors that have no key. */
const NAME = 'net-conf.json';

/** No configuration is that long: a wrong path may name anything. */
const TEXT_BYTES_MAX = 2 ** 20;

/** Reads the text of net-conf.json; the first mistake is the answer, its key a path such as `Backend.VNI`. */
export function parseNetConf(text: string): Result<ParsedNetConf, ConfigError> {
  if (text.length > TEXT_BYTES_MAX || Buffer.byteLength(text) > TEXT_BYTES_MAX) {
    return fail(invalid({ key: NAME, value: `${text.slice(0, 20)}...` }, 'at most 1 MiB of JSON'));
  }
  const json = parseJsonText(text);
  if (!json.ok) {
    const { line, column, found, expected } = json.error;
    return fail({ kind: 'syntax', key: `${NAME} line ${line} column ${column}`, value: found, expected });
  }
  if (json.value.kind !== 'object') {
    return fail(invalid({ key: NAME, value: shownValue(json.value) }, 'a JSON object'));
  }
  return parseMembers(foldMembers(json.value, NETWORK_KEYS));
}

function parseMembers(members: FoldedMembers): Result<ParsedNetConf, ConfigError> {
  const checked = checkMembers(members, { schema: networkSchema, path: '' });
  if (!checked.ok) return checked;
  const keys = checked.value;
  if (!keys.EnableIPv4 && !keys.EnableIPv6) {
    return fail(invalid({ key: 'EnableIPv4', value: 'false' }, 'true here or in EnableIPv6'));
  }
  const ipv4 = family(keys.EnableIPv4, range4(keys));
  if (!ipv4.ok) return ipv4;
  const ipv6 = family(keys.EnableIPv6, range6(keys));
  if (!ipv6.ok) return ipv6;
  const backend = parseBackend(members.known.get('Backend'), { hasIpv6: keys.EnableIPv6 });
  if (!backend.ok) return backend;
  const config: NetworkConfig = {
    ipv4: ipv4.value,
    ipv6: ipv6.value,
    backend: backend.value.backend,
    enableNftables: keys.EnableNFTables,
  };
  const typos = [
    ...typoNotes(members.unknown, { path: '', keys: Object.keys(NETWORK_KEYS) }),
    ...typoNotes(backend.value.unknownKeys, { path: 'Backend.', keys: Object.keys(VXLAN_KEYS) }),
  ];
  return ok({
    config,
    notes: [...backend.value.notes, ...unusedNotes(keys), ...typos.slice(0, TYPO_NOTES_MAX)],
  });
}

function family(isEnabled: boolean, range: RangeInput): Result<NetworkFamily | undefined, ConfigError> {
  return isEnabled ? cutNetwork(range) : ok(undefined);
}

function range4(keys: NetworkKeys): RangeInput {
  return {
    family: 4,
    network: keys.Network,
    subnetLength: keys.SubnetLen,
    subnetMin: keys.SubnetMin,
    subnetMax: keys.SubnetMax,
  };
}

function range6(keys: NetworkKeys): RangeInput {
  return {
    family: 6,
    network: keys.IPv6Network,
    subnetLength: keys.IPv6SubnetLen,
    subnetMin: keys.IPv6SubnetMin,
    subnetMax: keys.IPv6SubnetMax,
  };
}

/** What is given and has no effect, although its author may think so. */
function unusedNotes(keys: NetworkKeys): string[] {
  const notes: string[] = [];
  const has4 = keys.Network !== undefined && prefixLength(keys.Network) > 0;
  const has6 = keys.IPv6Network !== undefined && prefixLength(keys.IPv6Network) > 0;
  if (has4 && !keys.EnableIPv4) notes.push('Network: not used, as EnableIPv4 is false');
  if (has6 && !keys.EnableIPv6) notes.push('IPv6Network: not used, as EnableIPv6 is not true');
  return notes;
}

/** A file that is something else altogether must not flood the log. */
const TYPO_NOTES_MAX = 10;

function typoNotes(unknown: readonly string[], { path, keys }: { path: string; keys: string[] }): string[] {
  return unknown.flatMap((name) => {
    const meant = nearest(name, keys);
    if (meant === undefined) return [];
    return [`${path}${printable(name)}: unknown key, skipped; did you mean '${meant}'?`];
  });
}
