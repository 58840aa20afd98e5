/**
 * Tells systemd how the agent is, by the sd_notify(3) protocol. The socket itself is the caller's, because
 * JavaScript has no Unix datagrams.
 *
 * @module
 */
import { printable } from './model/printable.ts';

/**
 * Sends one datagram to a Unix socket; a leading `@` names an abstract one.
 *
 * @returns 0, or `-errno`
 */
export type SendDatagram = (path: string, text: string) => number;

/** What {@link createNotifier} needs. */
export interface NotifierOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The own process: a manager may mean another by its variables. */
  readonly pid: number;
  readonly send: SendDatagram;
}

/** Speaks to the service manager. Each method tells whether it was heard; without a manager, `true`. */
export interface Notifier {
  /** Whether there is a manager that listens. */
  readonly listened: boolean;
  /** How long the manager bears silence, in milliseconds; `undefined` if it asks for no sign of life. */
  readonly watchdogMs: number | undefined;
  /** `READY=1` with a sentence for `systemctl status`. */
  ready(sentence: string): boolean;
  /** A sentence for `systemctl status`; the same one again is not sent. */
  status(sentence: string): boolean;
  /** `WATCHDOG=1`: work was done. Before `READY=1` it also asks for as much time to get ready in. */
  alive(): boolean;
  /** `STOPPING=1`: the agent has begun to end. */
  stopping(): boolean;
}

/** A notifier for the socket that `NOTIFY_SOCKET` names; one that does nothing if it names none. */
export function createNotifier({ env, pid, send }: NotifierOptions): Notifier {
  const { NOTIFY_SOCKET: socket = '' } = env;
  const listened = socket.startsWith('/') || socket.startsWith('@');
  const watchdogMs = listened ? watchdogOf(env, pid) : undefined;
  const notify = (state: string) => !listened || send(socket, state) === 0;
  let told: string | undefined;
  let isReady = false;
  const tell = (sentence: string, before: string) => {
    const heard = notify(`${before}STATUS=${printable(sentence)}`);
    told = heard ? sentence : undefined;
    return heard;
  };
  return {
    listened,
    watchdogMs,
    ready: (sentence) => {
      isReady = tell(sentence, 'READY=1\n');
      return isReady;
    },
    status: (sentence) => sentence === told || tell(sentence, ''),
    // The watchdog only counts from READY on: until then a hanging start is what runs out of time.
    alive: () =>
      notify(isReady ? 'WATCHDOG=1' : `WATCHDOG=1\nEXTEND_TIMEOUT_USEC=${(watchdogMs ?? 0) * 1_000}`),
    stopping: () => notify('STOPPING=1'),
  };
}

/** sd_watchdog_enabled(3): `WATCHDOG_USEC` counts for the process that `WATCHDOG_PID` names, or for any. */
function watchdogOf(env: NotifierOptions['env'], pid: number): number | undefined {
  const { WATCHDOG_USEC: interval = '', WATCHDOG_PID: meant = '' } = env;
  if (meant !== '' && meant !== String(pid)) return undefined;
  if (!/^[1-9]\d{0,15}$/.test(interval)) return undefined;
  return Number(interval) / 1_000;
}
