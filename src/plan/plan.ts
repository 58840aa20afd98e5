/**
 * From configuration and leases to the objects that should exist. Pure: equal inputs give equal plans.
 *
 * @module
 */
import { FAMILIES } from '../model/ip.ts';
import { type Lease, leaseFamily } from '../model/lease.ts';
import { type BackendConfig, type NetworkConfig, networkFamily } from '../model/network.ts';
import type { FileObject, KernelObject, PassageObject, RouteObject } from '../model/objects.ts';
import type { TableObject } from '../model/traffic-rules.ts';
import type { Backend, Inputs } from './backend.ts';
import { planBlackholes } from './blackhole.ts';
import { planForwarding } from './forwarding.ts';
import { hostGw } from './host-gw.ts';
import { planRules } from './rules.ts';
import { planSubnetEnv } from './subnet-env.ts';
import { vxlan } from './vxlan.ts';

/** The desired state, its peers made on demand: never held whole. */
export interface Plan {
  readonly node: readonly KernelObject[];
  /** Those of the node alone. */
  readonly routes: readonly RouteObject[];
  readonly rules: readonly (TableObject | PassageObject)[];
  /** Those that are made with iptables. */
  readonly iptables: readonly TableObject[];
  readonly files: readonly FileObject[];
  readonly peer: (lease: Lease) => readonly KernelObject[];
}

/** Computes the desired state. */
export function plan(inputs: Inputs): Plan {
  const { backend } = inputs.network;
  switch (backend.type) {
    case 'vxlan':
      return assemble(vxlan, inputs, backend);
    case 'host-gw':
      return assemble(hostGw, inputs, backend);
  }
}

function assemble<C extends BackendConfig>(backend: Backend<C>, inputs: Inputs, config: C): Plan {
  const tables = planRules({ ...inputs, masquerade: inputs.ipMasq });
  return {
    node: [...backend.planNode(inputs, config), ...planForwarding(inputs)],
    routes: inputs.blackhole ? planBlackholes(inputs.own) : [],
    rules: [...(inputs.iptables ? [] : tables), ...(inputs.fixForward ? [planPassage(inputs.network)] : [])],
    iptables: inputs.iptables ? tables : [],
    files: isWhole(inputs) ? [planSubnetEnv(inputs, backend.podMtuBytes(inputs, config))] : [],
    peer: backend.planPeers(inputs, config),
  };
}

/** A file without an enabled family would give pods half a network for all their life: it is not written yet. */
function isWhole({ network, own }: Inputs): boolean {
  return FAMILIES.every((family) => !networkFamily(network, family) || leaseFamily(own, family));
}

/** By rules in chains of others, which drop what our own accept. */
function planPassage(network: NetworkConfig): PassageObject {
  const networks = FAMILIES.flatMap((family) => networkFamily(network, family)?.network ?? []);
  return { kind: 'passage', networks, faults: [], rules: [] };
}
