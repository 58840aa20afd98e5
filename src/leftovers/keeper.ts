/**
 * Removes what flanneld has left in iptables, once, when the node has rules of its own: its chains masquerade by a subnet
 * that the node may no longer have. Nothing is fought with: whoever makes them again keeps them.
 *
 * @module
 */
import {
  type FlanneldRules,
  flanneldRulesName,
  type NotRemoved,
  notRemovedText,
  removalCommand,
} from '../model/flanneld-rules.ts';
import { type Problem, problem } from '../model/problem.ts';

/** What was not removed may have been removed by the operator since, or what stood in the way is gone. */
const AGAIN_MS = 60_000;

/** What a keeper needs. */
export interface FlanneldRulesKeeperOptions {
  readonly monotonicMs: () => number;
  /** Whether the node's own network is whole. */
  readonly isReady: () => boolean;
  readonly find: () => Promise<readonly FlanneldRules[]>;
  /** The process of a flanneld that runs here, if one does. */
  readonly flanneld: () => Promise<number | undefined>;
  readonly remove: (rules: FlanneldRules) => Promise<NotRemoved | undefined>;
  readonly onRemoved: (rules: FlanneldRules) => void;
  /** Hears of the worst problem whenever it may have changed. */
  readonly onProblem: (problem: Problem | undefined) => void;
}

/** See the module. */
export class FlanneldRulesKeeper {
  readonly #options: FlanneldRulesKeeperOptions;
  #problems: readonly Problem[] = [];
  #state: 'waiting' | 'working' | 'done' = 'waiting';
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: FlanneldRulesKeeperOptions) {
    this.#options = options;
  }

  /** What is still there, and why. */
  problems(): readonly Problem[] {
    return this.#problems;
  }

  /** A pass has ended. */
  ensure(): void {
    const { monotonicMs, isReady } = this.#options;
    if (this.#state !== 'waiting' || !isReady() || monotonicMs() - this.#lookedMs < AGAIN_MS) return;
    this.#state = 'working';
    this.#lookedMs = monotonicMs();
    void this.#work();
  }

  async #work(): Promise<void> {
    const { find, flanneld, onProblem } = this.#options;
    const found = await find();
    const pid = found.length === 0 ? undefined : await flanneld();
    this.#problems =
      pid === undefined ? await this.#removeAll(found) : found.map((rules) => used(rules, pid));
    this.#state = this.#problems.length === 0 ? 'done' : 'waiting';
    onProblem(this.#problems[0]);
  }

  async #removeAll(found: readonly FlanneldRules[]): Promise<readonly Problem[]> {
    const { remove, onRemoved } = this.#options;
    const problems: Problem[] = [];
    for (const rules of found) {
      const why = await remove(rules);
      if (why === undefined) onRemoved(rules);
      else problems.push(left(rules, why));
    }
    return problems;
  }
}

function used(rules: FlanneldRules, pid: number): Problem {
  const message = `flanneld runs here (process ${pid}) and has made ${flanneldRulesName(rules)}: left alone`;
  return problem('flanneld-rules', message, STOP_REMEDY);
}

function left(rules: FlanneldRules, why: NotRemoved): Problem {
  const what = `flanneld has left ${flanneldRulesName(rules)}`;
  const command = removalCommand(rules);
  if (why === 'needed') {
    const message = `${what}, by which pods get through ${rules.chain.caller}, which drops the rest: kept, but a reboot takes it`;
    return problem('flanneld-rules', message, NEEDED_REMEDY.replace('COMMAND', command));
  }
  return problem(
    'flanneld-rules',
    `${what}, and ${notRemovedText(why)}`,
    REMOVE_REMEDY.replace('COMMAND', command),
  );
}

const STOP_REMEDY =
  'Stop one of the two (flanneld: also its DaemonSet or service); what flanneld has made is removed within minutes then';
const REMOVE_REMEDY = 'Remove it by hand, where that program is or in a container that has it: COMMAND';
const NEEDED_REMEDY =
  'Have that chain accept the pod network otherwise (in nf_tables --fix-forward does, and removes this), then: COMMAND';
