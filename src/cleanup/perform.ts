/**
 * Removes what was decided on, and sees that it is gone.
 *
 * @module
 */
import { existsSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { writeSysctl } from '../kernel/files.ts';
import { type FlanneldRules, type NotRemoved, notRemovedText } from '../model/flanneld-rules.ts';
import { keyOf } from '../model/objects.ts';
import type { Problem } from '../model/problem.ts';
import type { Result } from '../model/result.ts';
import type { Change, Target } from '../reconcile/target.ts';
import type { Removal } from '../removal/decide.ts';
import type {
  DirectoryStep,
  FileStep,
  IptablesStep,
  LeaseStep,
  ObjectStep,
  Outcome,
  RestoreStep,
  SettingStep,
  Step,
} from '../removal/step.ts';
import { errnoName } from '../store/sqlite/failure.ts';

/** What the work is done with. */
export interface Tools {
  readonly target: Pick<Target, 'apply'>;
  /** What of the kernel would still have to be removed. */
  readonly remaining: () => Result<readonly ObjectStep[], { readonly message: string }>;
  readonly removeIptables: (rules: FlanneldRules) => Promise<NotRemoved | undefined>;
  readonly release: (step: LeaseStep) => Promise<Result<unknown, Problem>>;
}

/**
 * Does the steps in order. While the kernel keeps something, the lease stays, so that nobody else gets the subnet;
 * and what the node remembers stays for as long as it is needed to do this again.
 */
export async function perform(removal: Removal, tools: Tools): Promise<readonly Outcome[]> {
  const cni = removal.cni.map(attempt);
  const settings = removal.settings.map(set);
  const kernel = removeObjects(removal.kernel, tools);
  const iptables = await removeIptables(removal.iptables, tools);
  const network = removal.network.map(attempt);
  const lease = hasFailed(kernel)
    ? removal.lease.map((step) => kept(step, 'kept until the kernel has nothing left that belongs to it'))
    : await Promise.all(removal.lease.map((step) => giveBack(step, tools)));
  const state =
    hasFailed(cni) || hasFailed(settings) || hasFailed(kernel) || hasFailed(network)
      ? removal.state.map((step) => kept(step, 'kept so that this can be run again'))
      : removal.state.map(attempt);
  return [...cni, ...settings, ...kernel, ...iptables, ...network, ...lease, ...state];
}

function hasFailed(outcomes: readonly Outcome[]): boolean {
  return outcomes.some(({ error }) => error !== undefined);
}

function kept(step: Step, error: string): Outcome {
  return { step, error };
}

/**
 * What the kernel has answered is not the end of it: another program may put back what was removed, be it another by then:
 * a rule has another handle each time.
 */
function removeObjects(steps: readonly ObjectStep[], { target, remaining }: Tools): Outcome[] {
  if (steps.length === 0) return [];
  const changes = steps.map(({ object }): Change => ({ verb: 'remove', object, why: 'cleanup' }));
  const failures = target.apply(changes);
  const look = remaining();
  const stillThere = new Set(look.ok ? look.value.map(({ object }) => keyOf(object)) : []);
  return steps.map((step, i) => {
    const failure = failures.get(i)?.message ?? (look.ok ? undefined : look.error.message);
    if (failure !== undefined) return { step, error: failure };
    const isBack = stillThere.has(keyOf(step.object));
    return {
      step,
      error: isBack ? 'it was removed and is there again: another program makes it' : undefined,
    };
  });
}

/** One after the other: they wait for one lock. */
async function removeIptables(
  steps: readonly IptablesStep[],
  { removeIptables: remove }: Tools,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const step of steps) {
    const why = await remove(step.rules);
    outcomes.push({ step, error: why && notRemovedText(why) });
  }
  return outcomes;
}

async function giveBack(step: LeaseStep, { release }: Tools): Promise<Outcome> {
  const released = await release(step);
  return {
    step,
    error: released.ok ? undefined : `${released.error.message}; run this again once that is put right`,
  };
}

/** Where the device has gone, so has its setting. */
function set(step: SettingStep): Outcome {
  if (!existsSync(`/proc/sys/${step.name}`)) return { step, error: undefined };
  const failure = writeSysctl({ ...step, kind: 'sysctl', optional: false }, '/proc/sys');
  return { step, error: failure?.message };
}

/** A file that has gone by itself is gone. */
function attempt(step: FileStep | DirectoryStep | RestoreStep): Outcome {
  const { path } = step;
  try {
    if (step.kind === 'restore') renameSync(step.aside, path);
    else if (step.kind === 'directory') rmdirSync(path);
    else unlinkSync(path);
    return { step, error: undefined };
  } catch (error) {
    if (errnoName(error) === 'ENOENT') return { step, error: undefined };
    return { step, error: error instanceof Error ? error.message : String(error) };
  }
}
