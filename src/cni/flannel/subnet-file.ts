/**
 * subnet.env as flannel's CNI plugin reads it: what it lacks is named.
 *
 * @module
 */
import { familyOf, type Prefix, parsePrefix } from '../../model/ip.ts';
import { fail, ok, type Result } from '../../model/result.ts';

/** What the file says. */
export interface SubnetFile {
  /** IPv4 first. */
  readonly networks: readonly Prefix[];
  /** At most one of each family, IPv4 first. */
  readonly subnets: readonly Prefix[];
  readonly mtuBytes: number;
  readonly ipMasq: boolean;
}

/** As `linux/if_link.h` has it: u32. */
const MTU_MAX = 0xffff_ffff;

/** Reads the text; the error says what is wrong with it. */
export function readSubnetFile(text: string): Result<SubnetFile, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  const missing = missingFrom(values);
  if (missing.length > 0) return fail(`missing ${missing.join(', ')}`);
  const read = (name: string, family: 4 | 6) =>
    [...new Set((values.get(name) ?? '').split(',').filter((entry) => entry !== ''))].map((entry) => {
      const prefix = parsePrefix(entry);
      return prefix !== undefined && familyOf(prefix) === family ? prefix : `${name} is '${entry}'`;
    });
  const networks = [...read('FLANNEL_NETWORK', 4), ...read('FLANNEL_IPV6_NETWORK', 6)];
  const subnets = [...read('FLANNEL_SUBNET', 4), ...read('FLANNEL_IPV6_SUBNET', 6)];
  const wrong = [...networks, ...subnets].find((entry) => entry.includes(' '));
  if (wrong !== undefined) return fail(`${wrong}, which is no network`);
  const prefixes = (list: readonly string[]) => list.flatMap((entry) => parsePrefix(entry) ?? []);
  const mtuBytes = Number(values.get('FLANNEL_MTU'));
  if (!/^\d+$/.test(values.get('FLANNEL_MTU') ?? '') || mtuBytes > MTU_MAX)
    return fail('FLANNEL_MTU is no number');
  const ipMasq = values.get('FLANNEL_IPMASQ') === 'true';
  return ok({ networks: prefixes(networks), subnets: prefixes(subnets), mtuBytes, ipMasq });
}

/** In flannel's order. One family is enough. */
function missingFrom(values: ReadonlyMap<string, string>): string[] {
  const lacks = (name: string) => !values.get(name);
  const missing: string[] = [];
  if (lacks('FLANNEL_NETWORK') && lacks('FLANNEL_IPV6_NETWORK')) {
    missing.push('FLANNEL_NETWORK', 'FLANNEL_IPV6_NETWORK');
  }
  if (lacks('FLANNEL_SUBNET') && lacks('FLANNEL_IPV6_SUBNET')) {
    missing.push('FLANNEL_SUBNET', 'FLANNEL_IPV6_SUBNET');
  }
  return [...missing, ...['FLANNEL_MTU', 'FLANNEL_IPMASQ'].filter(lacks)];
}
