/**
 * A network namespace with chains of other programs, which nft and iptables make, and what reads them.
 *
 * @module
 */
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { type NetlinkSocket, openNetlink } from '../../ffi/socket.ts';
import { Passage } from '../../src/kernel/passage.ts';
import type { ForwardChain } from '../../src/model/forward-chains.ts';
import { NETLINK_NETFILTER } from '../../src/netlink/nftables.ts';
import { Session } from '../../src/netlink/session.ts';
import { prefix } from '../sim/samples.ts';
import { run } from './witness.ts';

/** The pod networks. */
export const NETWORKS = [prefix('10.42.0.0/16'), prefix('fd42::/48')];

/** As Docker leaves the chain: its own rules, and a policy. */
export const DOCKER = `
  iptables-nft -N DOCKER-USER; iptables-nft -N DOCKER-FORWARD
  iptables-nft -A DOCKER-FORWARD -i docker0 -j ACCEPT
  iptables-nft -A FORWARD -j DOCKER-USER; iptables-nft -A FORWARD -j DOCKER-FORWARD
  iptables-nft -P FORWARD DROP`;

/** See the module. */
export class PassageLab implements Disposable {
  readonly session: Session;
  /** One that no events reach. */
  readonly passage: Passage;
  readonly #netns: Netns;
  readonly #socket: NetlinkSocket;

  constructor() {
    this.#netns = createNetns();
    const opened = inNetns(this.#netns, () => openNetlink({ protocol: NETLINK_NETFILTER }));
    if (typeof opened === 'number') throw new Error(`errno ${-opened}`);
    this.#socket = opened;
    this.session = new Session(opened);
    this.passage = new Passage({ session: () => this.session, isHeard: () => false, monotonicMs: () => 0 });
  }

  nft(...commands: string[]): string {
    return commands.map((command) => run(this.#netns, ['nft', command])).join('');
  }

  /** Everything, with what is another once something was made anew. */
  handles(): string {
    return run(this.#netns, ['nft', '-a', 'list ruleset']);
  }

  sh(command: string): string {
    return run(this.#netns, ['sh', '-ec', command]);
  }

  look(): readonly ForwardChain[] {
    const chains = this.passage.look(NETWORKS);
    if ('errno' in chains) throw new Error(chains.message);
    return chains;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
    this.#netns.close();
  }
}
