/**
 * Looks for what flanneld has left in iptables of either kind, and removes it.
 *
 * @module
 */
import { openNetlink } from '../../ffi/socket.ts';
import { mayHaveNfTables } from '../kernel/nf-tables-module.ts';
import type { FlanneldRules, NotRemoved } from '../model/flanneld-rules.ts';
import type { Prefix } from '../model/ip.ts';
import type { NetlinkError } from '../netlink/error.ts';
import { NETLINK_NETFILTER } from '../netlink/nftables.ts';
import { Session } from '../netlink/session.ts';
import { findLegacyRules, removeLegacyRules } from './legacy.ts';
import { findNftRules, isNeeded, removeNftRules } from './nft.ts';

/** All that there is; nothing is loaded into the kernel for it. What cannot be read is not there. */
export function findFlanneldRules(): readonly FlanneldRules[] {
  const ofNft = mayHaveNfTables() ? withSession(findNftRules, []) : [];
  return [...('errno' in ofNft ? [] : ofNft), ...findLegacyRules()];
}

/**
 * Removes what there is of it now.
 *
 * @param keepFor the pod networks of those who may need it; without them it is removed whoever needs it
 * @returns why it is not removed, if it is not
 */
export async function removeFlanneldRules(
  rules: FlanneldRules,
  keepFor?: readonly Prefix[],
): Promise<NotRemoved | undefined> {
  if (rules.variant === 'legacy') return removeLegacyRules(rules, keepFor !== undefined);
  const error = withSession<NetlinkError | undefined | 'needed'>((session) => {
    const needed = keepFor !== undefined && isNeeded(session, rules, keepFor);
    if (typeof needed !== 'boolean') return needed;
    return needed ? 'needed' : removeNftRules(session, rules);
  }, undefined);
  return typeof error === 'object' ? { reason: error.message } : error;
}

/** Over a socket of its own, so that whoever listens to changes hears of these. */
function withSession<T>(use: (session: Session) => T, otherwise: T): T {
  const socket = openNetlink({ protocol: NETLINK_NETFILTER });
  if (typeof socket === 'number') return otherwise;
  try {
    return use(new Session(socket));
  } finally {
    socket.close();
  }
}
