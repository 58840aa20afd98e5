/**
 * Changes of traffic rules, each all or nothing, and only good for what it was decided on.
 *
 * @module
 */
import { ERRNO, type NetlinkError, netlinkError } from '../netlink/error.ts';
import { generationMessage, NFT_MSG, nfgenmsg } from '../netlink/nftables.ts';
import type { Request, Session } from '../netlink/session.ts';
import { batch } from './nft-requests.ts';

/** Others may make transactions at the same time; after so many the look or the change counts as failed. */
export const ATTEMPTS = 5;

/** See {@link ATTEMPTS}. */
export const CHANGED = netlinkError(ERRNO.EAGAIN, { text: 'the rules changed again and again meanwhile' });

/** `linux/errno.h`: of a transaction that is for another generation. */
const ERESTART = 85;

/** Whether that is what a kernel without nf_tables answers. */
export function isAbsent({ errno }: NetlinkError): boolean {
  return errno === ERRNO.EOPNOTSUPP || errno === ERRNO.EPROTONOSUPPORT || errno === ERRNO.EINVAL;
}

/** The number that every transaction changes, whoever makes it. */
export function readGeneration(session: Session): number | NetlinkError {
  let id: number | undefined;
  const error = session.ask(
    {
      type: NFT_MSG.GETGEN,
      flags: 0,
      codec: generationMessage,
      value: { header: nfgenmsg.of({}), attrs: {} },
    },
    generationMessage,
    ({ attrs }) => {
      id = attrs.id;
    },
  );
  return error ?? id ?? netlinkError(ERRNO.EIO, { text: 'no generation of nf_tables' });
}

/**
 * Makes the changes that `requestsFor` finds to be needed, in one transaction; it is asked again if somebody else was
 * faster.
 */
export function inTransaction(
  session: Session,
  requestsFor: () => readonly Request<unknown>[] | NetlinkError,
): NetlinkError | undefined {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const generation = readGeneration(session);
    if (typeof generation !== 'number') return generation;
    const requests = requestsFor();
    if ('errno' in requests) return requests;
    if (requests.length === 0) return undefined;
    const failures = session.transact([batch('BEGIN', generation), ...requests, batch('END')]);
    if (failures.get(0)?.errno === ERESTART) continue;
    // What was refused is told with its reason, also where the end of the answer is missing.
    return [...failures.values()].find(({ errno }) => errno !== ERRNO.EAGAIN) ?? [...failures.values()][0];
  }
  return CHANGED;
}
