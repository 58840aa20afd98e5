/**
 * The kernel's netfilter: a socket that is opened when it is first needed, since to ask for nf_tables loads it, and the
 * events of it for as long as rules are wanted.
 *
 * @module
 */
import { type NetlinkSocket, openNetlink } from '../ffi/socket.ts';
import { type Watch, watchNetlink } from '../ffi/watch.ts';
import type { EventSink } from './kernel/events.ts';
import { Passage } from './kernel/passage.ts';
import { readRuleEvents } from './kernel/rule-events.ts';
import type { Clock, Timer } from './model/clock.ts';
import { NETLINK_NETFILTER, NFTABLES_GROUP } from './netlink/nftables.ts';
import { Session } from './netlink/session.ts';

/** Room for what a program says that makes thousands of rules; only what is unread takes it. */
const EVENT_BUFFER_BYTES = 4 * 1024 * 1024;
/** After lost events, the storm that caused them is given this long to pass. */
const REOPEN_MS = 50;
/** After the events could not be heard. */
const AGAIN_MS = 60_000;

/** After a change of chains of others, so that what is done to them step by step is looked at once. */
const SETTLE_MS = 1_000;

/** Who hears of rules. */
export interface RuleListener extends Pick<EventSink, 'moved' | 'look' | 'hostPorts' | 'iptables'> {
  /** Chains of others were looked at anew. */
  readonly onPassage: () => void;
}

/** One namespace's netfilter. */
export class NetfilterAccess {
  /** Chains of other programs that may drop what pods send. */
  readonly passage = new Passage({
    session: () => this.session(),
    isHeard: () => this.#watch !== undefined,
    monotonicMs: () => this.#clock.monotonicMs(),
  });
  readonly #clock: Clock;
  readonly #open: typeof openNetlink;
  #socket: NetlinkSocket | undefined;
  #session: Session | undefined;
  #listener: RuleListener | undefined;
  #watch: Watch | undefined;
  #settling: Timer | undefined;
  /** Until it is over nothing is opened: each pass wants the rules anew, and would have begun another wait. */
  #waiting: Timer | undefined;
  #isWanted = false;
  #isClosed = false;
  /** How often events were lost. */
  eventLosses = 0;

  /** @param open for tests: the faults of sockets */
  constructor(clock: Clock, open: typeof openNetlink = openNetlink) {
    this.#clock = clock;
    this.#open = open;
  }

  /** For requests; `undefined` where the kernel has no netfilter, or lets nobody ask. */
  session(): Session | undefined {
    if (this.#session !== undefined || this.#isClosed) return this.#session;
    const opened = this.#open({ protocol: NETLINK_NETFILTER });
    if (typeof opened === 'number') return undefined;
    this.#socket = opened;
    this.#session = new Session(opened);
    return this.#session;
  }

  /** The session if there was a use for it. */
  get opened(): Session | undefined {
    return this.#session;
  }

  /** Says who is to hear of events, once rules are wanted. */
  listen(listener: RuleListener): void {
    this.#listener = listener;
    if (this.#isWanted) this.#begin();
  }

  /** Rules are wanted: whoever changes them, a flush of everything above all, is heard of from now on. */
  want(): void {
    this.#isWanted = true;
    this.#begin();
  }

  close(): void {
    this.#isClosed = true;
    this.#settling?.cancel();
    this.#waiting?.cancel();
    this.#watch?.close();
    this.#socket?.close();
  }

  #begin(): void {
    const listener = this.#listener;
    if (this.#isClosed || listener === undefined) return;
    if (this.#watch !== undefined || this.#waiting !== undefined) return;
    if (this.session() === undefined) return;
    const socket = this.#open({
      protocol: NETLINK_NETFILTER,
      groups: NFTABLES_GROUP,
      receiveBufferBytes: EVENT_BUFFER_BYTES,
    });
    // Without events the look from time to time finds what they would have told.
    if (typeof socket === 'number') {
      this.#again(listener, AGAIN_MS);
      return;
    }
    const context = { ownPortId: this.#socket?.portId ?? 0, passage: this.passage };
    const sink = { ...listener, passage: () => this.#settle(listener) };
    this.passage.doubt();
    this.#watch = watchNetlink(socket, {
      onDatagrams: (bytes) => readRuleEvents(bytes, context, sink),
      onLost: () => {
        this.eventLosses++;
        this.passage.doubt();
        this.#watch = undefined;
        this.#again(listener, REOPEN_MS);
      },
    });
  }

  /** The engine looks by itself only if it has anything to keep there. */
  #settle(listener: RuleListener): void {
    this.#settling ??= this.#clock.schedule(SETTLE_MS, () => {
      this.#settling = undefined;
      this.passage.lookAgain();
      listener.onPassage();
    });
  }

  #again(listener: RuleListener, delayMs: number): void {
    this.#waiting = this.#clock.schedule(delayMs, () => {
      this.#waiting = undefined;
      this.#begin();
      listener.look('events of traffic rules were lost');
    });
  }
}
