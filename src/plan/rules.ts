/**
 * The rules for traffic that leaves the pod network or is forwarded: flannel's tables and chains
 * (`pkg/trafficmngr/nftables`), with the meaning that its iptables rules have.
 *
 * In two rules flannel's nf_tables variant means something else, by mistake: there its fourth rule lets all traffic from
 * outside into the network return, so that the sixth masquerades none, and the mark has to be equal, not only set.
 *
 * @module
 */
import { FAMILIES, type Family, type Prefix, parsePrefix } from '../model/ip.ts';
import { type Lease, leaseFamily } from '../model/lease.ts';
import { type NetworkConfig, networkFamily } from '../model/network.ts';
import {
  type AddressMatch,
  type RuleChain,
  type TableObject,
  type TrafficRule,
  tableName,
} from '../model/traffic-rules.ts';

/** What the rules are made of. */
export interface RuleInputs {
  readonly network: NetworkConfig;
  readonly own: Lease;
  readonly masquerade: boolean;
  /** Whether the ports of masqueraded connections are chosen at random, so that two do not choose the same. */
  readonly fullyRandom: boolean;
  readonly forward: boolean;
}

/** The mark that kube-proxy puts on packets that it masquerades itself. */
const MASQUERADED_ELSEWHERE = 0x4000;

/** NF_IP_PRI_NAT_SRC (`linux/netfilter_ipv4.h`). */
const SOURCE_NAT = 100;

/** A table for each family that has a lease, if there is anything in it. */
export function planRules({
  network,
  own,
  masquerade,
  fullyRandom,
  forward,
}: RuleInputs): readonly TableObject[] {
  return FAMILIES.flatMap((family) => {
    const pods = networkFamily(network, family)?.network;
    const subnet = leaseFamily(own, family)?.subnet;
    if (pods === undefined || subnet === undefined) return [];
    const chains = [
      ...(forward ? [forwardChain(pods)] : []),
      ...(masquerade ? [masqueradeChain(family, { pods, subnet, fullyRandom })] : []),
    ];
    const name = tableName(family);
    if (chains.length === 0) return [];
    return [{ kind: 'table', family, name, comment: `rules for ${name}`, dormant: false, chains } as const];
  });
}

function forwardChain(pods: Prefix): RuleChain {
  return {
    name: 'forward',
    type: 'filter',
    hook: 'forward',
    priority: 0,
    policy: 'accept',
    comment: 'chain to accept flannel traffic',
    rules: [
      { source: inside(pods), verdict: 'accept' },
      { destination: inside(pods), verdict: 'accept' },
    ],
  };
}

interface MasqueradeInputs {
  readonly pods: Prefix;
  readonly subnet: Prefix;
  readonly fullyRandom: boolean;
}

function masqueradeChain(family: Family, { pods, subnet, fullyRandom }: MasqueradeInputs): RuleChain {
  const verdict = fullyRandom ? 'masquerade fully-random' : 'masquerade';
  const rules: TrafficRule[] = [
    { mark: MASQUERADED_ELSEWHERE, verdict: 'return' },
    { source: inside(subnet), destination: inside(pods), verdict: 'return' },
    { source: inside(pods), destination: inside(subnet), verdict: 'return' },
    { source: outside(pods), destination: inside(subnet), verdict: 'return' },
    { source: inside(pods), destination: outside(multicast(family)), verdict },
    { source: outside(pods), destination: inside(pods), verdict },
  ];
  return {
    name: 'postrtg',
    type: 'nat',
    hook: 'postrouting',
    priority: SOURCE_NAT,
    policy: 'accept',
    comment: 'chain to manage traffic masquerading by flannel',
    rules,
  };
}

function inside(prefix: Prefix): AddressMatch {
  return { prefix, not: false };
}

function outside(prefix: Prefix): AddressMatch {
  return { prefix, not: true };
}

function multicast(family: Family): Prefix {
  const text = family === 4 ? '224.0.0.0/4' : 'ff00::/8';
  return parsePrefix(text) ?? (text as Prefix);
}
