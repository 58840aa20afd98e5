/**
 * flanneld's chains in the tables that iptables-nft makes: found and removed by nf_tables' own netlink.
 *
 * @module
 */
import { hasComment } from '../kernel/chain-rules.ts';
import { readForwardChains } from '../kernel/forward-chains.ts';
import { headerOf, request } from '../kernel/nft-requests.ts';
import { inTransaction } from '../kernel/transaction.ts';
import { FLANNELD_CHAINS, type FlanneldChain, type FlanneldRules } from '../model/flanneld-rules.ts';
import { FAMILIES, type Family, type Prefix } from '../model/ip.ts';
import { ERRNO, type NetlinkError } from '../netlink/error.ts';
import { chainMessage, NFT_MSG, ruleMessage } from '../netlink/nftables.ts';
import type { Request, Session } from '../netlink/session.ts';

/** What is found of it by nf_tables. */
export type NftRules = Extract<FlanneldRules, { variant: 'nft' }>;

/** Looks for the chains by their names, and in the chains of all programs for rules that lead to them. */
export function findNftRules(session: Session): readonly NftRules[] | NetlinkError {
  const found: NftRules[] = [];
  for (const family of FAMILIES)
    for (const chain of FLANNELD_CHAINS) {
      const rules = readRules(session, family, chain);
      if ('errno' in rules) return rules;
      if (rules.hasChain || rules.handles.length > 0) found.push({ variant: 'nft', family, chain, ...rules });
    }
  return found;
}

/** Whether the chain of all programs that leads there drops what no rule accepts, and no rule of ours stands in it. */
export function isNeeded(
  session: Session,
  { family, chain }: NftRules,
  networks: readonly Prefix[],
): boolean | NetlinkError {
  if (chain.table !== 'filter') return false;
  const read = readForwardChains(session, networks);
  if ('errno' in read) return read;
  return read.chains.some(
    (each) =>
      each.family === (family === 4 ? 'ip' : 'ip6') &&
      each.table === chain.table &&
      each.name === chain.caller &&
      each.drops !== undefined &&
      each.ours.length === 0,
  );
}

type Found = Pick<NftRules, 'hasChain' | 'handles'>;

function readRules(session: Session, family: Family, chain: FlanneldChain): Found | NetlinkError {
  const { table, name, caller, comment } = chain;
  const header = headerOf(family);
  const handles: number[] = [];
  const dump = { header, attrs: { table, chain: caller } };
  const error = session.dump(
    { type: NFT_MSG.GETRULE, flags: 0, codec: ruleMessage, value: dump },
    ruleMessage,
    {
      visit: ({ attrs: { table: ofTable, chain: ofChain, handle, expressions = [], userData } }) => {
        // Older kernels do not know these filters of a dump.
        if (ofTable !== table || ofChain !== caller || handle === undefined) return;
        const leadsThere = expressions.some(
          (each) => each.kind === 'immediate' && each.data?.data?.verdict?.chain === name,
        );
        if (leadsThere || hasComment(comment, expressions, userData)) handles.push(handle);
      },
      restart: () => handles.splice(0),
    },
  );
  if (error !== undefined && !isNothing(error)) return error;
  const value = { header, attrs: { table, name } };
  const absent = session.ask(
    { type: NFT_MSG.GETCHAIN, flags: 0, codec: chainMessage, value },
    chainMessage,
    () => undefined,
  );
  if (absent !== undefined && !isNothing(absent)) return absent;
  return { hasChain: absent === undefined, handles };
}

/** No such table or chain, or a kernel without nf_tables or without the family. */
function isNothing({ errno }: NetlinkError): boolean {
  const absent: readonly number[] = [
    ERRNO.ENOENT,
    ERRNO.EOPNOTSUPP,
    ERRNO.EPROTONOSUPPORT,
    ERRNO.EAFNOSUPPORT,
    ERRNO.EINVAL,
  ];
  return absent.includes(errno);
}

/** Removes what there is of it now, in one transaction. */
export function removeNftRules(session: Session, { family, chain }: NftRules): NetlinkError | undefined {
  return inTransaction(session, () => {
    const rules = readRules(session, family, chain);
    return 'errno' in rules ? rules : requestsFor(family, chain, rules);
  });
}

function requestsFor(
  family: Family,
  { table, name, caller }: FlanneldChain,
  { hasChain, handles }: Found,
): readonly Request<unknown>[] {
  const header = headerOf(family);
  const rule = (attrs: { table: string; chain: string; handle?: number }) =>
    request(NFT_MSG.DELRULE, 0, { codec: ruleMessage, value: { header, attrs } });
  const requests = handles.map((handle) => rule({ table, chain: caller, handle }));
  if (!hasChain) return requests;
  const value = { header, attrs: { table, name } };
  // Without a handle they are all deleted.
  return [
    ...requests,
    rule({ table, chain: name }),
    request(NFT_MSG.DELCHAIN, 0, { codec: chainMessage, value }),
  ];
}
