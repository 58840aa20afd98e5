/**
 * From what was found on a node to what is removed, in which order, and what is left and why. Pure: equal findings
 * give equal answers.
 *
 * @module
 */
import { isPortTable, localnetOf } from '../model/host-ports.ts';
import { judgeCni } from './cni.ts';
import { judgeLease, judgeState, judgeSubnetEnv } from './files.ts';
import type { Findings, Left } from './findings.ts';
import { judgeIptables } from './iptables.ts';
import { judgeKernel } from './kernel.ts';
import type {
  DirectoryStep,
  FileStep,
  IptablesStep,
  LeaseStep,
  ObjectStep,
  RestoreStep,
  SettingStep,
  Step,
} from './step.ts';

/** What is to be done, in the order of its parts: if it is interrupted, it can be done again from the start. */
export interface Removal {
  /** What has the container runtime make pods: first, so that none is made of what is about to go. */
  readonly cni: readonly (FileStep | RestoreStep)[];
  /** Before the rules that keep others from what they open. */
  readonly settings: readonly SettingStep[];
  /** Routes, then what stands on devices, then these. */
  readonly kernel: readonly ObjectStep[];
  readonly iptables: readonly IptablesStep[];
  /** What tells the CNI plugin of the subnet. */
  readonly network: readonly FileStep[];
  readonly lease: readonly LeaseStep[];
  /** What the node remembers of itself goes last, since it tells what is ours. */
  readonly state: readonly (FileStep | DirectoryStep)[];
  readonly left: readonly Left[];
}

/** What an operator says of the node. */
export interface DecideOptions {
  /** That what flanneld of this node has left is taken too. */
  readonly adopt: boolean;
  /** That rules in iptables were made by the agent. */
  readonly iptables?: boolean;
}

/** Decides. */
export function decide(findings: Findings, { adopt, iptables: isOurs = false }: DecideOptions): Removal {
  const { objects, left, successor } = judgeKernel(findings, adopt);
  const network = judgeSubnetEnv(findings, successor);
  const state = judgeState(findings, network.steps);
  const cni = judgeCni(findings.cni);
  const iptables = judgeIptables(findings, { adopt, isOurs });
  const found = objects.length + network.steps.length + state.steps.length + cni.steps.length > 0;
  const lease = judgeLease(findings, found);
  const kernel = objects.map((object): ObjectStep => ({ kind: 'object', object }));
  const hasPorts = objects.some((object) => object.kind === 'table' && isPortTable(object));
  const settings = (hasPorts ? findings.localnets : []).map(
    (link): SettingStep => ({ kind: 'setting', name: localnetOf(link), value: '0' }),
  );
  if (left.some(({ whose }) => whose === 'ours')) {
    const told = [...cni.left, ...left, ...iptables.left, ...network.left, KEPT];
    const steps = { cni: cni.steps, settings, kernel, iptables: iptables.steps, network: network.steps };
    return { ...steps, lease: [], state: [], left: told };
  }
  return {
    cni: cni.steps,
    settings,
    kernel,
    iptables: iptables.steps,
    network: network.steps,
    lease: lease.steps,
    state: state.steps,
    left: [...cni.left, ...left, ...iptables.left, ...network.left, ...lease.left, ...state.left],
  };
}

/** While a device stays, nobody else may get its subnet, and what says that it is ours is needed. */
const KEPT: Left = {
  what: 'the lease and the state directory',
  why: 'kept until the device can go; run this again then',
  whose: 'ours',
};

/** All steps in their order. */
export function stepsOf({
  cni,
  settings,
  kernel,
  iptables,
  network,
  lease,
  state,
}: Removal): readonly Step[] {
  return [...cni, ...settings, ...kernel, ...iptables, ...network, ...lease, ...state];
}
