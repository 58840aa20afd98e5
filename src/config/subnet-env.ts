/**
 * Reading subnet.env as an earlier agent, ours or flanneld, has left it; `src/model/subnet-env.ts` writes it.
 *
 * @module
 */
import { parseEnv } from 'node:util';
import { type Family, familyOf, type Prefix, parsePrefix, prefixLength } from '../model/ip.ts';

/** What an earlier file says of one family. */
export interface PreviousFamily {
  readonly networks: readonly Prefix[];
  /** `undefined` if there is none or more than one: then it is not clear which was ours. */
  readonly subnet: Prefix | undefined;
}

/** What an earlier file says. */
export interface PreviousSubnets {
  readonly ipv4: PreviousFamily;
  readonly ipv6: PreviousFamily;
}

/**
 * Reads an earlier file, whoever wrote it, in dotenv syntax as flannel does. Each value may be a list with
 * commas; what is no network of the family is skipped. Any text has an answer.
 */
export function readSubnetEnv(text: string): PreviousSubnets {
  const variables = new Map(Object.entries(parseEnv(text)));
  return { ipv4: readFamily(variables, 4), ipv6: readFamily(variables, 6) };
}

function readFamily(variables: ReadonlyMap<string, string | undefined>, family: Family): PreviousFamily {
  const name = family === 4 ? 'FLANNEL' : 'FLANNEL_IPV6';
  const networks = prefixes(variables.get(`${name}_NETWORK`), family);
  const subnets = prefixes(variables.get(`${name}_SUBNET`), family);
  return { networks, subnet: subnets.length === 1 ? subnets[0] : undefined };
}

function prefixes(list: string | undefined, family: Family): Prefix[] {
  const all = (list ?? '').split(',').flatMap((entry) => parsePrefix(entry.trim()) ?? []);
  // A length of 0 is how an unused family is written.
  return all.filter((prefix) => familyOf(prefix) === family && prefixLength(prefix) > 0);
}
