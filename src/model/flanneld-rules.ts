/**
 * What flanneld makes with iptables and leaves behind: in two tables a chain of its own, and a rule that leads to it.
 *
 * @module
 */
import type { Family } from './ip.ts';

/** One of its chains, and by which rules it is reached. */
export interface FlanneldChain {
  readonly table: 'nat' | 'filter';
  readonly name: string;
  /** The chain of all programs that leads to it; versions before it had chains of its own put all their rules there. */
  readonly caller: string;
  /** Of every rule that it makes in the table. */
  readonly comment: string;
}

/** flannel's `pkg/trafficmngr/iptables`. */
export const FLANNELD_CHAINS: readonly FlanneldChain[] = [
  { table: 'nat', name: 'FLANNEL-POSTRTG', caller: 'POSTROUTING', comment: 'flanneld masq' },
  { table: 'filter', name: 'FLANNEL-FWD', caller: 'FORWARD', comment: 'flanneld forward' },
];

/**
 * What there is of a chain in one of the two kinds of iptables: rules of nf_tables, or those of `ip_tables`, which only its
 * own programs change.
 */
export type FlanneldRules = {
  readonly family: Family;
  readonly chain: FlanneldChain;
} & (
  | { readonly variant: 'legacy' }
  | {
      readonly variant: 'nft';
      /** Whether it has its own chain. */
      readonly hasChain: boolean;
      /** Of its rules in the chain of all programs, as the kernel knows them. */
      readonly handles: readonly number[];
    }
);

/**
 * Why rules are not removed: nobody is there to do it, or pods may depend on them, since the chain of all programs drops what
 * no rule has accepted.
 */
export type NotRemoved = 'no-program' | 'needed' | { readonly reason: string };

/** The reason in words. */
export function notRemovedText(why: NotRemoved): string {
  if (why === 'needed') return 'pods may need it';
  return why === 'no-program' ? 'no iptables-legacy is here to remove it' : why.reason;
}

/** Such as `FLANNEL-POSTRTG of ip6tables-legacy`. */
export function flanneldRulesName({ variant, family, chain }: FlanneldRules): string {
  return `${chain.name} of ${programName(family)}-${variant}`;
}

/** iptables' name for a family. */
export function programName(family: Family): string {
  return family === 4 ? 'iptables' : 'ip6tables';
}

/** The command that removes it, and nothing else. */
export function removalCommand(rules: FlanneldRules): string {
  const { family, chain } = rules;
  const { table, name, caller, comment } = chain;
  if (rules.variant === 'legacy') {
    const program = `${programName(family)}-legacy`;
    return `${program}-save -t ${table} | grep -v -e '[: ]${name}' -e '"${comment}"' | ${program}-restore -T ${table}`;
  }
  const place = `${family === 4 ? 'ip' : 'ip6'} ${table}`;
  const steps = rules.handles.map((handle) => `delete rule ${place} ${caller} handle ${handle}`);
  if (rules.hasChain) steps.push(`flush chain ${place} ${name}`, `delete chain ${place} ${name}`);
  return `nft '${steps.join('; ')}'`;
}
