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

/** Speaks to the service manager. Each method tells whether it was heard; without a manager, `true`. */
export interface Notifier {
  /** `READY=1` with a sentence for `systemctl status`. */
  ready(sentence: string): boolean;
  /** A sentence for `systemctl status`; the same one again is not sent. */
  status(sentence: string): boolean;
  /** `STOPPING=1`: the agent has begun to end. */
  stopping(): boolean;
}

/** A notifier for the socket that `NOTIFY_SOCKET` names; one that does nothing if it names none. */
export function createNotifier(
  env: Readonly<Record<string, string | undefined>>,
  send: SendDatagram,
): Notifier {
  const { NOTIFY_SOCKET: socket = '' } = env;
  const reachable = socket.startsWith('/') || socket.startsWith('@');
  const notify = (state: string) => !reachable || send(socket, state) === 0;
  let told: string | undefined;
  const tell = (sentence: string, before: string) => {
    const heard = notify(`${before}STATUS=${printable(sentence)}`);
    told = heard ? sentence : undefined;
    return heard;
  };
  return {
    ready: (sentence) => tell(sentence, 'READY=1\n'),
    status: (sentence) => sentence === told || tell(sentence, ''),
    stopping: () => notify('STOPPING=1'),
  };
}
