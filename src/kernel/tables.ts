/**
 * Tables of traffic rules in the kernel: read whole, replaced whole, by nf_tables' own netlink.
 *
 * @module
 */
import { isPortTable, PORT_TABLE } from '../model/host-ports.ts';
import { FAMILIES, type Family } from '../model/ip.ts';
import { type RuleChain, type TableObject, tableDifference, tableName } from '../model/traffic-rules.ts';
import type { Infer } from '../netlink/codec.ts';
import { ERRNO, type NetlinkError, netlinkError } from '../netlink/error.ts';
import {
  chainMessage,
  NF_INET,
  NFT_MSG,
  NFT_TABLE_F,
  ruleMessage,
  tableMessage,
} from '../netlink/nftables.ts';
import { NFT_VERDICT } from '../netlink/nftables-expressions.ts';
import { NLM_F, type Request, type Session } from '../netlink/session.ts';
import type { Owner } from '../reconcile/target.ts';
import { batch, commentOf, headerOf, request, userDataOf } from './nft-requests.ts';
import { expressionsOf, ruleOf } from './rule-expressions.ts';
import { ATTEMPTS, CHANGED, inTransaction, isAbsent, readGeneration } from './transaction.ts';

/** By number: NF_INET_*. */
const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting'];

/** Rules that are not such as ours and that a chain of ours has are put right: the table is ours. */
const SHAPE: Readonly<Record<string, Pick<RuleChain, 'type' | 'hook'>>> = {
  forward: { type: 'filter', hook: 'forward' },
  postrtg: { type: 'nat', hook: 'postrouting' },
};

/** A table of flannel's name is ours or flannel's if it says so, or has no chains but such as theirs. */
export function tableOwner({ family, name, comment, chains }: TableObject): Owner {
  if (name !== tableName(family)) return 'alien';
  if (comment === `rules for ${name}`) return 'ours';
  if (comment !== undefined) return 'alien';
  const isShaped = ({ name: chain, type, hook }: RuleChain) =>
    SHAPE[chain]?.type === type && SHAPE[chain].hook === hook;
  return chains.every(isShaped) ? 'ours' : 'alien';
}

/**
 * The tables that have our names, whosever they are; those of hostPorts, which are the plugin's, without what is in them. A
 * kernel without nf_tables has none.
 */
export function readTables(session: Session): readonly TableObject[] | NetlinkError {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = readGeneration(session);
    if (typeof before !== 'number') return isAbsent(before) ? [] : before;
    const tables: TableObject[] = [];
    for (const family of FAMILIES) {
      const table = readTable(session, family);
      if (table !== undefined && 'errno' in table) return table;
      if (table !== undefined) tables.push(table);
      const ports = readHead(session, family, PORT_TABLE);
      if (ports !== undefined && 'errno' in ports) return ports;
      if (ports !== undefined) tables.push({ ...ports.head, chains: [] });
    }
    if (readGeneration(session) === before) return tables;
  }
  return CHANGED;
}

/**
 * Makes the table as it is wanted, in one transaction, which replaces one that is there. `EEXIST` if that is somebody
 * else's.
 */
export function writeTable(session: Session, table: TableObject): NetlinkError | undefined {
  return change(session, table, (found) => {
    if (found !== undefined && tableDifference(table, found) === undefined) return [];
    return [...(found === undefined ? [] : [deleteTable(table)]), ...createTable(table)];
  });
}

/** Removes the table, unless it is somebody else's. */
export function removeTable(session: Session, table: TableObject): NetlinkError | undefined {
  if (isPortTable(table)) {
    const failures = session.transact([batch('BEGIN'), deleteTable(table), batch('END')]);
    const [error] = failures.values();
    return error?.errno === ERRNO.ENOENT ? undefined : error;
  }
  return change(session, table, (found) => (found === undefined ? [] : [deleteTable(found)]));
}

/** Makes a change that is right for what was found. */
function change(
  session: Session,
  { family }: TableObject,
  requestsFor: (found: TableObject | undefined) => readonly Request<unknown>[],
): NetlinkError | undefined {
  return inTransaction(session, () => {
    const found = readTable(session, family);
    if (found !== undefined && 'errno' in found) return found;
    if (found !== undefined && tableOwner(found) === 'alien')
      return netlinkError(ERRNO.EEXIST, { text: 'a table of this name is of another program' });
    return requestsFor(found);
  });
}

function readTable(session: Session, family: Family): TableObject | NetlinkError | undefined {
  const found = readHead(session, family, tableName(family));
  if (found === undefined || 'errno' in found) return found;
  const chains = readChains(session, family, found.members);
  return 'errno' in chains ? chains : { ...found.head, chains };
}

interface FoundHead {
  readonly head: Omit<TableObject, 'chains'>;
  /** How many chains and sets there are. */
  readonly members: number | undefined;
}

/** A table without what is in it. */
function readHead(session: Session, family: Family, name: string): FoundHead | NetlinkError | undefined {
  const value = { header: headerOf(family), attrs: { name } };
  let table: Infer<typeof tableMessage> | undefined;
  const request = { type: NFT_MSG.GETTABLE, flags: 0, codec: tableMessage, value };
  const error = session.ask(request, tableMessage, (message) => {
    table = message;
  });
  if (error !== undefined) return error.errno === ERRNO.ENOENT ? undefined : error;
  const { flags = 0, use, userData } = table?.attrs ?? {};
  const dormant = (flags & NFT_TABLE_F.DORMANT) !== 0;
  return { head: { kind: 'table', family, name, comment: commentOf(userData), dormant }, members: use };
}

type ChainReading = RuleChain & { rules: RuleChain['rules'][number][] };

/** Those that the table should have, and others only if it has `members` of more. */
function readChains(
  session: Session,
  family: Family,
  members: number | undefined,
): readonly RuleChain[] | NetlinkError {
  const table = tableName(family);
  const header = headerOf(family);
  const chains = new Map<string, ChainReading>();
  const visit = ({ attrs }: Infer<typeof chainMessage>) => {
    if (attrs.table === table && attrs.name !== undefined) chains.set(attrs.name, chainOf(attrs));
  };
  const asking = (attrs: Infer<typeof chainMessage>['attrs']) =>
    ({ type: NFT_MSG.GETCHAIN, flags: 0, codec: chainMessage, value: { header, attrs } }) as const;
  for (const name of Object.keys(SHAPE)) {
    const missing = session.ask(asking({ table, name }), chainMessage, visit);
    if (missing !== undefined && missing.errno !== ERRNO.ENOENT) return missing;
  }
  // A list is of the chains of all tables, of which kube-proxy has thousands.
  const error =
    chains.size === members
      ? undefined
      : session.dump(asking({ table }), chainMessage, { visit, restart: () => chains.clear() });
  const clear = () => {
    for (const { rules } of chains.values()) rules.length = 0;
  };
  const failure =
    error ??
    session.dump(
      { type: NFT_MSG.GETRULE, flags: 0, codec: ruleMessage, value: { header, attrs: { table } } },
      ruleMessage,
      {
        visit: ({ attrs }) => {
          if (attrs.table !== table) return;
          chains.get(attrs.chain ?? '')?.rules.push(ruleOf(attrs.expressions ?? [], family));
        },
        restart: clear,
      },
    );
  return failure ?? [...chains.values()];
}

function chainOf({ name = '', hook, type = '', policy, userData }: Infer<typeof chainMessage>['attrs']) {
  return {
    name,
    type,
    hook: hook === undefined ? '' : (HOOKS[hook.number ?? 0] ?? `hook ${hook.number}`),
    priority: (hook?.priority ?? 0) | 0,
    policy: policy === NFT_VERDICT.DROP ? ('drop' as const) : ('accept' as const),
    comment: commentOf(userData),
    rules: [],
  };
}

function createTable({ family, name, comment, chains }: TableObject): Request<unknown>[] {
  const header = headerOf(family);
  const requests: Request<unknown>[] = [
    request(NFT_MSG.NEWTABLE, NLM_F.CREATE, {
      codec: tableMessage,
      value: { header, attrs: { name, flags: 0, userData: userDataOf(comment) } },
    }),
  ];
  for (const chain of chains) {
    const { type, hook, priority, policy } = chain;
    const number = hook === 'postrouting' ? NF_INET.POST_ROUTING : NF_INET.FORWARD;
    const attrs = {
      table: name,
      name: chain.name,
      type,
      policy: policy === 'drop' ? NFT_VERDICT.DROP : NFT_VERDICT.ACCEPT,
      hook: { number, priority },
      userData: userDataOf(chain.comment),
    };
    requests.push(request(NFT_MSG.NEWCHAIN, NLM_F.CREATE, { codec: chainMessage, value: { header, attrs } }));
  }
  for (const { name: chain, rules } of chains)
    for (const rule of rules) {
      if ('foreign' in rule) continue;
      const attrs = { table: name, chain, expressions: expressionsOf(rule, family) };
      requests.push(
        request(NFT_MSG.NEWRULE, NLM_F.CREATE | NLM_F.APPEND, {
          codec: ruleMessage,
          value: { header, attrs },
        }),
      );
    }
  return requests;
}

function deleteTable({ family, name }: TableObject): Request<unknown> {
  const value = { header: headerOf(family), attrs: { name } };
  return request(NFT_MSG.DELTABLE, 0, { codec: tableMessage, value });
}
