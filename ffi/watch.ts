/**
 * Multicast netlink sockets in the event loop: a datagram wakes the process, nothing polls.
 *
 * The socket is read as a file. `Bun.connect` would take it, too, but keeps a timer for sockets that runs every second:
 * 80 wake-ups a minute while nothing happens, against none.
 *
 * @module
 */
import type { NetlinkSocket } from './socket.ts';

/** Who hears of datagrams. */
export interface WatchHandlers {
  /** Whole datagrams, one or several in a row; the bytes are only good during the call. */
  readonly onDatagrams: (bytes: Uint8Array) => void;
  /** Nothing comes any more: events were lost (ENOBUFS) or the socket failed. Open another and look at everything. */
  readonly onLost: (reason: string) => void;
}

/** A socket under watch. */
export interface Watch {
  /** Ends it without a call of `onLost`, and closes the socket. */
  close(): void;
}

/** Takes the socket over, which must be non-blocking and bound to its groups. */
export function watchNetlink(socket: NetlinkSocket, { onDatagrams, onLost }: WatchHandlers): Watch {
  const reader = Bun.file(socket.fd).stream().getReader();
  let over = false;
  const pump = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (over) return;
      if (done) throw new Error('closed');
      onDatagrams(value);
    }
  };
  // The stream reads a copy of the descriptor: the socket lives, and takes events in, until both are closed.
  const release = () =>
    void reader
      .cancel()
      .catch(() => undefined)
      .finally(() => socket.close());
  pump().catch((error: unknown) => {
    if (over) return;
    over = true;
    release();
    onLost(error instanceof Error ? error.message : String(error));
  });
  return {
    close() {
      if (over) return;
      over = true;
      release();
    },
  };
}
