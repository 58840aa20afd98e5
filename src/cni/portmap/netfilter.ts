/**
 * A socket to the node's netfilter.
 *
 * @module
 */
import { type NetlinkSocket, openNetlink } from '../../../ffi/socket.ts';
import { errnoName } from '../../netlink/error.ts';
import { NETLINK_NETFILTER } from '../../netlink/nftables.ts';
import { Session } from '../../netlink/session.ts';
import { CniAbort, cniFailure } from '../failure.ts';

/** What nf_tables and the table of connections are asked by. */
export class Netfilter implements Disposable {
  readonly session: Session;
  readonly #socket: NetlinkSocket;

  constructor() {
    const socket = openNetlink({ protocol: NETLINK_NETFILTER });
    if (typeof socket === 'number') {
      const details = 'hostPorts need nf_tables, with nft_chain_nat, nft_fib and nft_masq, in the kernel';
      throw new CniAbort(cniFailure('OWN', `cannot open a netfilter socket: ${errnoName(-socket)}`, details));
    }
    this.#socket = socket;
    this.session = new Session(socket);
  }

  /** Closes the socket. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
