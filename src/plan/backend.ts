/**
 * What a backend is to the plan.
 *
 * @module
 */
import type { Lease } from '../model/lease.ts';
import type { BackendConfig, NetworkConfig } from '../model/network.ts';
import type { KernelObject } from '../model/objects.ts';
import type { Underlay } from '../model/underlay.ts';

/** All that a plan depends on, except the peers. */
export interface Inputs {
  readonly network: NetworkConfig;
  /** The own lease, with the VTEP addresses that this node has published. */
  readonly own: Lease;
  readonly underlay: Underlay;
  readonly subnetFile: string;
  /** Whether traffic to the outside is masqueraded, which FLANNEL_IPMASQ says too. */
  readonly ipMasq: boolean;
  /** Whether the ports of masqueraded connections are chosen at random. */
  readonly fullyRandom: boolean;
  /** Whether forwarded pod traffic is accepted in a chain of its own. */
  readonly forward: boolean;
  /** Whether the rules for it are made with iptables. */
  readonly iptables: boolean;
  /** Whether it is accepted in chains of others, too. */
  readonly fixForward: boolean;
  /** Whether what is sent to a pod of this node that is not there goes nowhere. */
  readonly blackhole: boolean;
}

/** What a backend has to say. `config` is the backend's own, already told apart. */
export interface Backend<C extends BackendConfig> {
  /** The objects that the node needs whatever its peers, in the order of their making. */
  planNode(inputs: Inputs, config: C): readonly KernelObject[];
  /**
   * How a peer is reached: from its lease to its objects, in the order of their making; none if it shares no
   * family with us.
   */
  planPeers(inputs: Inputs, config: C): (peer: Lease) => readonly KernelObject[];
  /** What pods may send, in bytes. */
  podMtuBytes(inputs: Inputs, config: C): number;
}
