/**
 * Keeps the own Node saying what it should: what is missing, wrong or out of date is patched, again and again if
 * somebody else changes it back, but less and less often.
 *
 * @module
 */
import { backOffMs } from '../../model/back-off.ts';
import type { Clock, Timer } from '../../model/clock.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { annotationPatch } from './annotations.ts';
import type { KubeApi } from './api.ts';
import { PROTOBUF, readSingle } from './message.ts';
import type { KubeNode, NodeFilter } from './node.ts';

/** What should stand in the Node. */
export interface Published {
  readonly annotations: ReadonlyMap<string, string | undefined>;
  /** Whether the condition NetworkUnavailable is to be False. */
  readonly isNetworkUp: boolean;
}

/** What a {@link Publisher} needs. */
export interface PublisherOptions {
  readonly api: KubeApi;
  readonly filter: NodeFilter;
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** What a successful patch has made of the Node. */
  readonly onNode: (node: KubeNode) => void;
  readonly onProblem: (problem: Problem | undefined) => void;
}

/** Kubernetes' condition of a node, as flannel writes it (`setNodeNetworkUnavailableFalse` in its kube.go). */
const CONDITION = {
  type: 'NetworkUnavailable',
  status: 'False',
  reason: 'FlannelIsUp',
  message: 'Flannel is running on this node',
} as const;

/** The longest pause between two attempts. */
const PAUSE_MS_MAX = 5_000;

/** Somebody who changes the Node back within this time of our patch is at work. */
const CALM_MS = 10_000;

/** See the module. */
export class Publisher {
  readonly #options: PublisherOptions;
  #node: KubeNode | undefined;
  #wanted: Published | undefined;
  #isPatching = false;
  #failures = 0;
  #patchedMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** What the Node is now; `undefined` if there is none. */
  setNode(node: KubeNode | undefined): void {
    this.#node = node;
    this.#look();
  }

  /** What it should say. */
  setWanted(wanted: Published): void {
    this.#wanted = wanted;
    this.#look();
  }

  /** Ends it: nothing is patched any more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #look(): void {
    if (this.#isPatching || this.#timer !== undefined || this.#isClosed) return;
    if (this.#nextPatch() === undefined) {
      this.#options.onProblem(undefined);
      return;
    }
    const { clock, random } = this.#options;
    const sinceMs = clock.monotonicMs() - this.#patchedMs;
    if (sinceMs > CALM_MS) this.#failures = 0;
    if (this.#failures === 0) {
      void this.#patch();
      return;
    }
    this.#timer = clock.schedule(backOffMs(this.#failures, { random, longestMs: PAUSE_MS_MAX }), () => {
      this.#timer = undefined;
      void this.#patch();
    });
  }

  /** The annotations first: peers wait for them. */
  #nextPatch(): string | undefined {
    if (this.#node === undefined || this.#wanted === undefined) return undefined;
    const { annotations, status } = this.#node;
    const { prefix, clock } = this.#options;
    const patch = annotationPatch(this.#wanted.annotations, { annotations, prefix });
    if (patch !== undefined || !this.#wanted.isNetworkUp) return patch;
    const { networkUnavailable } = status ?? {};
    if (networkUnavailable?.status === CONDITION.status) return undefined;
    const now = new Date(clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
    const condition = { ...CONDITION, lastHeartbeatTime: now, lastTransitionTime: now };
    return JSON.stringify({ status: { conditions: [condition] } });
  }

  async #patch(): Promise<void> {
    const { api, filter, clock, onNode, onProblem } = this.#options;
    const patch = this.#nextPatch();
    if (patch === undefined || this.#isClosed) return;
    this.#isPatching = true;
    const answer = await api.ask({
      method: 'PATCH',
      path: `/api/v1/nodes/${encodeURIComponent(filter.own)}/status`,
      accept: PROTOBUF,
      patch,
      what: `patch the status of node ${filter.own}`,
      operation: 'acquire',
    });
    this.#isPatching = false;
    if (this.#isClosed) return;
    this.#failures++;
    const node = answer.ok ? readSingle(answer.value, filter) : undefined;
    if (node !== undefined) {
      this.#patchedMs = clock.monotonicMs();
      onProblem(undefined);
      // The watch says the same, maybe later.
      this.#node = node;
      onNode(node);
    } else {
      onProblem(answer.ok ? UNREADABLE : answer.error.problem);
    }
    this.#look();
  }
}

const UNREADABLE = problem('store-unavailable', 'The API server gave a Node that cannot be read');
