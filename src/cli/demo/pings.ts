/**
 * Pings between pods.
 *
 * @module
 */
import { type EchoSocket, openEcho } from '../../../ffi/icmp.ts';
import { inNetns, type Netns } from '../../../ffi/netns.ts';
import { type Family, type Ip, writeIp } from '../../model/ip.ts';
import type { Pod } from './pods.ts';

/**
 * A reply that takes longer is lost. The first packet to a neighbour waits until the kernel has found it, and a
 * question of the kernel's that is lost is asked again only after a second (RFC 4861, RETRANS_TIMER).
 */
export const PING_TIMEOUT_MS = 3_000;

/** How many pings may be fresh at once: more would measure how busy this process is. */
const FRESH_PINGS_MAX = 4;
/** A ping without a reply for this long lets the next one start. */
const FRESH_MS = 50;

/** Sends echo requests from one namespace in one family. */
export class Pinger implements Disposable {
  readonly #socket: EchoSocket;
  readonly #waiting = new Map<number, (atMs: number) => void>();
  #sequence = 0;
  /** Tells the pingers of one namespace apart, where each hears the replies to all. */
  static #id = 0;

  constructor(netns: Netns, family: Family) {
    Pinger.#id = (Pinger.#id + 1) & 0xffff;
    const id = Pinger.#id;
    const onReply = (sequence: number, atMs: number) => this.#waiting.get(sequence)?.(atMs);
    this.#socket = inNetns(netns, () => openEcho({ family, id, onReply }));
  }

  /** Sends one request. Gives back the round trip in milliseconds, or `undefined` if no reply came in time. */
  ping(to: Ip, timeoutMs: number = PING_TIMEOUT_MS): Promise<number | undefined> {
    const address = new Uint8Array(16);
    const size = writeIp(to, address, 0);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const sequence = this.#sequence;
    return new Promise((resolve) => {
      const settle = (roundTripMs: number | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(sequence);
        resolve(roundTripMs);
      };
      const timer = setTimeout(settle, timeoutMs, undefined);
      const sentMs = performance.now();
      this.#waiting.set(sequence, (atMs) => settle(atMs - sentMs));
      if (this.#socket.send(address.subarray(0, size), sequence) < 0) settle(undefined);
    });
  }

  /** Closes the socket; replies that are still on their way count as lost. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** What has addresses to be pinged at. */
export type Target = Pick<Pod, 'ips'>;

/** One ping from a pod to another, or to something else. */
export interface Ping<To extends Target = Pod> {
  readonly from: Pod;
  readonly to: To;
  readonly family: Family;
  /** `undefined` if it was lost. */
  readonly roundTripMs: number | undefined;
}

/** Which pod pings what. */
export interface PingPair<To extends Target = Pod> {
  readonly from: Pod;
  readonly to: To;
}

/** Every ordered pair of different pods. */
export function allPairs(pods: readonly Pod[]): PingPair[] {
  return pods.flatMap((from) => pods.filter((to) => to !== from).map((to) => ({ from, to })));
}

/** The pairs in which a pod takes part, in both directions. */
export function pairsOf(pod: Pod, pods: readonly Pod[]): PingPair[] {
  return allPairs(pods).filter(({ from, to }) => from === pod || to === pod);
}

/** Pings every pair once in every family that it has, and calls `onPing` as the outcomes come. */
export async function pingPairs<To extends Target>(
  pairs: readonly PingPair<To>[],
  onPing: (ping: Ping<To>) => void = () => {},
): Promise<Ping<To>[]> {
  using pingers = new Pingers();
  const pings: Promise<Ping<To>>[] = [];
  const queue = pairs.flatMap(({ from, to }) =>
    [...from.ips.keys()].flatMap((family) => {
      const ip = to.ips.get(family);
      return ip === undefined ? [] : [{ from, to, family, ip }];
    }),
  );
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { from, to, family, ip } = next;
      const reply = pingers.of(from, family).ping(ip);
      const ping = reply.then((roundTripMs): Ping<To> => {
        const outcome = { from, to, family, roundTripMs };
        onPing(outcome);
        return outcome;
      });
      pings.push(ping);
      await Promise.race([ping, Bun.sleep(FRESH_MS)]);
    }
  };
  await Promise.all(Array.from({ length: FRESH_PINGS_MAX }, work));
  return Promise.all(pings);
}

/** A pinger for every pod and family that asks. */
class Pingers implements Disposable {
  readonly #open = new Map<Pod, Map<Family, Pinger>>();

  of(pod: Pod, family: Family): Pinger {
    const families = this.#open.get(pod) ?? new Map<Family, Pinger>();
    this.#open.set(pod, families);
    const pinger = families.get(family) ?? new Pinger(pod.netns, family);
    families.set(family, pinger);
    return pinger;
  }

  [Symbol.dispose](): void {
    for (const families of this.#open.values())
      for (const pinger of families.values()) pinger[Symbol.dispose]();
  }
}
