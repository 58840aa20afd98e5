/**
 * A steady stream of pings, to see what an interruption costs.
 *
 * @module
 */
import { Pinger } from '../../src/cli/demo/pings.ts';
import type { Pod } from '../../src/cli/demo/pods.ts';
import type { Family } from '../../src/model/ip.ts';

/** What became of a stream. */
export interface StreamCount {
  readonly sent: number;
  readonly lost: number;
}

/** Who pings whom, and how often. */
export interface StreamOptions {
  readonly from: Pod;
  readonly to: Pod;
  readonly family: Family;
  /** 10 if absent. */
  readonly intervalMs?: number;
}

/** A stream that runs from its making until {@link stop}. */
export class PingStream implements Disposable {
  readonly #pinger: Pinger;
  readonly #timer: NodeJS.Timeout;
  readonly #pings: Promise<number | undefined>[] = [];

  constructor({ from, to, family, intervalMs = 10 }: StreamOptions) {
    const ip = to.ips.get(family);
    if (ip === undefined) throw new Error(`The pod has no IPv${family} address`);
    this.#pinger = new Pinger(from.netns, family);
    this.#timer = setInterval(() => this.#pings.push(this.#pinger.ping(ip)), intervalMs);
  }

  /** Sends no more, waits for the last replies and counts. */
  async stop(): Promise<StreamCount> {
    clearInterval(this.#timer);
    const roundTrips = await Promise.all(this.#pings);
    this.#pinger[Symbol.dispose]();
    return { sent: roundTrips.length, lost: roundTrips.filter((ms) => ms === undefined).length };
  }

  /** Ends it without counting. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#pinger[Symbol.dispose]();
  }
}
