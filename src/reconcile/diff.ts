/**
 * What has to be done so that an observed object becomes the desired one. Only fields that the desired object
 * sets are compared; the kernel's other settings are its own.
 *
 * @module
 */
import { describe, type KernelObject, type LinkObject, type VxlanDevice } from '../model/objects.ts';
import { tableDifference } from '../model/traffic-rules.ts';

/** How an object differs. A `conflict` is an object of our name that is not ours to change. */
export interface Difference {
  readonly verb: 'replace' | 'recreate' | 'conflict';
  /** In words. */
  readonly why: string;
}

/** Compares two objects of equal key. */
export function difference(desired: KernelObject, observed: KernelObject): Difference | undefined {
  if (desired.kind === 'link' && observed.kind === 'link') return linkDifference(desired, observed);
  const why = fieldDifference(desired, observed);
  return why === undefined ? undefined : { verb: 'replace', why };
}

/** What can change on a live VXLAN device is changed there: its peers' entries stay. */
function linkDifference(desired: LinkObject, observed: LinkObject): Difference | undefined {
  const want = desired.device;
  const have = observed.device;
  if (want.type !== 'vxlan') return undefined;
  if (have.type !== 'vxlan')
    return { verb: 'conflict', why: `is a device of another kind: ${describe(observed)}` };
  const fixed = changed(want, have, ['vni', 'port', 'gbp']);
  if (fixed !== undefined) return { verb: 'recreate', why: fixed };
  const live =
    changed(desired, observed, ['mac', 'mtuBytes']) ??
    changed<VxlanDevice>(want, have, ['local', 'parent', 'learning']);
  return live === undefined ? undefined : { verb: 'replace', why: live };
}

function fieldDifference(desired: KernelObject, observed: KernelObject): string | undefined {
  if (desired.kind === 'route' && observed.kind === 'route') {
    return changed(desired, observed, ['gateway', 'link', 'onlink', 'protocol', 'blackhole']);
  }
  if (desired.kind === 'neighbour' && observed.kind === 'neighbour')
    return changed(desired, observed, ['mac']);
  if (desired.kind === 'fdb' && observed.kind === 'fdb') return changed(desired, observed, ['dst']);
  if (desired.kind === 'sysctl' && observed.kind === 'sysctl') {
    const isChoice = desired.from !== undefined && desired.from !== observed.value;
    return isChoice ? undefined : changed(desired, observed, ['value']);
  }
  if (desired.kind === 'offload' && observed.kind === 'offload') return changed(desired, observed, ['on']);
  if (desired.kind === 'table' && observed.kind === 'table') return tableDifference(desired, observed);
  if (desired.kind === 'passage' && observed.kind === 'passage') return observed.faults[0];
  if (desired.kind === 'file' && observed.kind === 'file' && desired.text !== observed.text)
    return 'content differs';
  return undefined;
}

function changed<T extends object>(
  desired: T,
  observed: T,
  fields: readonly (keyof T & string)[],
): string | undefined {
  for (const field of fields) {
    if (desired[field] !== observed[field])
      return `${field} was ${observed[field] ?? 'none'}, not ${desired[field]}`;
  }
  return undefined;
}
