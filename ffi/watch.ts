/**
 * Multicast netlink sockets in the event loop: a datagram wakes the process, nothing polls.
 *
 * @module
 */
import type { NetlinkSocket } from './socket.ts';

/** Who hears of datagrams. */
export interface WatchHandlers {
  /** One datagram; the bytes are only good during the call. */
  readonly onDatagram: (bytes: Uint8Array) => void;
  /** Nothing comes any more: events were lost (ENOBUFS) or the socket failed. Open another and look at everything. */
  readonly onLost: (reason: string) => void;
}

/** A socket under watch. */
export interface Watch {
  /** Ends it without a call of `onLost`, and closes the socket. */
  close(): void;
}

/** Takes the socket over, which must be non-blocking and bound to its groups. */
export function watchNetlink(socket: NetlinkSocket, { onDatagram, onLost }: WatchHandlers): Watch {
  let over = false;
  let connection: { end(): void } | undefined;
  const lost = (reason: string) => {
    if (over) return;
    over = true;
    onLost(reason);
  };
  const connecting = Bun.connect({
    fd: socket.fd,
    socket: {
      data: (_, bytes) => {
        if (!over) onDatagram(bytes);
      },
      close: (_, error) => lost(error instanceof Error ? error.message : 'closed'),
      error: (_, error) => lost(error.message),
    },
  });
  connecting.then(
    (opened) => {
      connection = opened;
      if (over) opened.end();
    },
    (error: unknown) => lost(error instanceof Error ? error.message : String(error)),
  );
  return {
    close() {
      over = true;
      connection?.end();
    },
  };
}
