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

/** So many patches of the same in a row, each of which has worked, are a fight. */
const FIGHT_PATCHES = 4;

const FIGHT_REMEDY =
  'Stop the other agent or flanneld that has the name of this node (NODE_NAME), or give it another';

interface Patch {
  readonly body: string;
  /** The same for patches that are to bring about the same. */
  readonly purpose: string;
}

/** See the module. */
export class Publisher {
  readonly #options: PublisherOptions;
  #node: KubeNode | undefined;
  #wanted: Published | undefined;
  #isPatching = false;
  /** How often the same was tried in a row, be it in vain or changed back by somebody. */
  #attempts = 0;
  #tried: string | undefined;
  /** How many of those attempts the server has taken. */
  #undone = 0;
  #triedMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  /** When a fight is over. */
  #calm: Timer | undefined;
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
    this.#calm?.cancel();
  }

  #look(): void {
    if (this.#isPatching || this.#isClosed) return;
    const next = this.#nextPatch();
    if (next !== undefined && next.purpose !== this.#tried) {
      this.#forget();
      this.#timer?.cancel();
      this.#timer = undefined;
    }
    if (next === undefined) this.#tellPeace();
    if (next === undefined || this.#timer !== undefined) return;
    const { clock, random } = this.#options;
    if (clock.monotonicMs() - this.#triedMs > CALM_MS) this.#forget();
    if (this.#attempts === 0) {
      void this.#patch();
      return;
    }
    this.#timer = clock.schedule(backOffMs(this.#attempts, { random, longestMs: PAUSE_MS_MAX }), () => {
      this.#timer = undefined;
      void this.#patch();
    });
  }

  #forget(): void {
    this.#attempts = 0;
    this.#undone = 0;
  }

  /** The Node says what it should; whoever has changed it back again and again is believed to be gone only after a while. */
  #tellPeace(): void {
    const { clock, onProblem } = this.#options;
    const calmMs = this.#triedMs + CALM_MS - clock.monotonicMs();
    const isFight = this.#undone >= FIGHT_PATCHES && calmMs > 0;
    onProblem(isFight ? this.#fight() : undefined);
    this.#calm?.cancel();
    this.#calm = isFight ? clock.schedule(calmMs + 1, () => this.#look()) : undefined;
  }

  #fight(): Problem {
    const message = `Something else keeps changing the annotations of Node ${this.#options.filter.own} back`;
    return problem('lease-contested', message, FIGHT_REMEDY);
  }

  /** The annotations first: peers wait for them. */
  #nextPatch(): Patch | undefined {
    if (this.#node === undefined || this.#wanted === undefined) return undefined;
    const { annotations, status } = this.#node;
    const { prefix, clock } = this.#options;
    const patch = annotationPatch(this.#wanted.annotations, { annotations, prefix });
    if (patch !== undefined) return { body: patch, purpose: patch };
    if (!this.#wanted.isNetworkUp) return undefined;
    const { networkUnavailable } = status ?? {};
    if (networkUnavailable?.status === CONDITION.status) return undefined;
    const now = new Date(clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
    const condition = { ...CONDITION, lastHeartbeatTime: now, lastTransitionTime: now };
    return { body: JSON.stringify({ status: { conditions: [condition] } }), purpose: CONDITION.type };
  }

  async #patch(): Promise<void> {
    const { api, filter, clock, onNode, onProblem } = this.#options;
    const patch = this.#nextPatch();
    if (patch === undefined || this.#isClosed) return;
    this.#isPatching = true;
    this.#tried = patch.purpose;
    const answer = await api.ask({
      method: 'PATCH',
      path: `/api/v1/nodes/${encodeURIComponent(filter.own)}/status`,
      accept: PROTOBUF,
      patch: patch.body,
      what: `patch the status of node ${filter.own}`,
      operation: 'acquire',
    });
    this.#isPatching = false;
    if (this.#isClosed) return;
    this.#attempts++;
    this.#triedMs = clock.monotonicMs();
    const node = answer.ok ? readSingle(answer.value, filter) : undefined;
    if (node !== undefined) {
      this.#undone++;
      onProblem(this.#undone >= FIGHT_PATCHES ? this.#fight() : undefined);
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
