/**
 * The tables of hostPorts in the kernel: written whole, in one transaction, and read to see whether they are as they should
 * be.
 *
 * @module
 */
import {
  PORT_TABLE,
  PORT_TABLE_COMMENT,
  type PortMap,
  type PortTable,
  PROTOCOL_NUMBERS,
} from '../model/host-ports.ts';
import { addressBits, FAMILIES, type Family, formatIp } from '../model/ip.ts';
import type { Codec, Infer } from '../netlink/codec.ts';
import { ERRNO, type NetlinkError, netlinkError } from '../netlink/error.ts';
import { chainMessage, NFT_MSG, ruleMessage, tableMessage } from '../netlink/nftables.ts';
import { NFT_VERDICT } from '../netlink/nftables-expressions.ts';
import { elementsMessage, setMessage } from '../netlink/nftables-sets.ts';
import { NLM_F, type Request, type Session } from '../netlink/session.ts';
import { batch, commentOf, headerOf, request, userDataOf } from './nft-requests.ts';
import { chainsOf, elementOf, mapAttributes } from './port-expressions.ts';

/** As many as fit into a datagram with all the rest, whatever their comments. */
const ELEMENTS_PER_TRANSACTION = 240;

/** A table as lines, so that two compare: what is made, in its order, then the ports in theirs. */
type Description = readonly string[];

/**
 * Makes the kernel's tables those that are given, of both families, and removes what is not given, in one transaction; only
 * ports that are too many for one come after it. `EEXIST` if there is another program's table of this name.
 */
export function writePortTables(session: Session, tables: readonly PortTable[]): NetlinkError | undefined {
  const requests: Request<unknown>[] = [];
  for (const family of FAMILIES) {
    const wanted = tables.find((table) => table.family === family);
    const found = readTable(session, family);
    if (found !== undefined && 'errno' in found) {
      if (wanted === undefined && isAbsent(found)) continue;
      return found;
    }
    if (found === undefined && wanted === undefined) continue;
    // To make it first is no failure where it is there, and to delete it none where it was not.
    requests.push(newTable(family), request(NFT_MSG.DELTABLE, 0, tableOf(family)));
    if (wanted !== undefined) requests.push(newTable(family), ...skeleton(wanted));
  }
  const [first = [], ...rest] = elementRequests(tables);
  for (const each of [[...requests, ...first], ...rest]) {
    const error = each.length === 0 ? undefined : transact(session, each);
    if (error !== undefined) return error;
  }
  return undefined;
}

/** How the kernel's tables differ from those that are wanted, in words; `undefined` if they do not. */
export function portTableDifference(
  session: Session,
  tables: readonly PortTable[],
): string | NetlinkError | undefined {
  for (const family of FAMILIES) {
    const found = describeFound(session, family);
    if ('errno' in found) return isAbsent(found) && tables.length === 0 ? undefined : found;
    const wanted = tables.find((table) => table.family === family);
    const lines = wanted === undefined ? [] : describeWanted(wanted);
    const at = lines.findIndex((line, i) => line !== found[i]);
    if (at >= 0)
      return found.includes(lines[at] ?? '') ? 'its order was another' : `${lines[at]} was missing`;
    if (found.length > lines.length) return `${found[lines.length]} was added`;
  }
  return undefined;
}

/** What the kernel lacks of tables, which may have more than that. */
export function missingPorts(
  session: Session,
  tables: readonly PortTable[],
): readonly string[] | NetlinkError {
  const missing: string[] = [];
  for (const table of tables) {
    const found = describeFound(session, table.family);
    if ('errno' in found) return found;
    missing.push(...describeWanted(table).filter((line) => !found.includes(line)));
  }
  return missing;
}

/** Of a kernel without nf_tables. */
function isAbsent({ errno }: NetlinkError): boolean {
  return errno === ERRNO.EOPNOTSUPP || errno === ERRNO.EPROTONOSUPPORT || errno === ERRNO.EINVAL;
}

function transact(session: Session, requests: readonly Request<unknown>[]): NetlinkError | undefined {
  const failures = [...session.transact([batch('BEGIN'), ...requests, batch('END')]).values()];
  return failures.find(({ errno }) => errno !== ERRNO.EAGAIN) ?? failures[0];
}

function tableOf(family: Family) {
  return {
    codec: tableMessage,
    value: { header: headerOf(family), attrs: { name: PORT_TABLE } },
  };
}

function newTable(family: Family): Request<unknown> {
  const attrs = { name: PORT_TABLE, flags: 0, userData: userDataOf(PORT_TABLE_COMMENT) };
  const value = { header: headerOf(family), attrs };
  return request(NFT_MSG.NEWTABLE, NLM_F.CREATE, { codec: tableMessage, value });
}

function skeleton(table: PortTable): Request<unknown>[] {
  const { family, maps } = table;
  const header = headerOf(family);
  const { CREATE, APPEND } = NLM_F;
  const requests = maps.map((map, i) => {
    const value = { header, attrs: mapAttributes(map, { family, id: i + 1 }) };
    return request(NFT_MSG.NEWSET, CREATE, { codec: setMessage, value });
  });
  const chains = chainsOf(table);
  for (const { name, base } of chains) {
    const value = { header, attrs: chainAttributes(name, base) };
    requests.push(request(NFT_MSG.NEWCHAIN, CREATE, { codec: chainMessage, value }));
  }
  for (const { name: chain, rules } of chains)
    for (const expressions of rules) {
      const value = { header, attrs: { table: PORT_TABLE, chain, expressions } };
      requests.push(request(NFT_MSG.NEWRULE, CREATE | APPEND, { codec: ruleMessage, value }));
    }
  return requests;
}

type Base = NonNullable<ReturnType<typeof chainsOf>[number]['base']>;

function chainAttributes(name: string, base: Base | undefined): Infer<typeof chainMessage>['attrs'] {
  const place = { table: PORT_TABLE, name };
  if (base === undefined) return place;
  const { type, number, priority } = base;
  return { ...place, type, policy: NFT_VERDICT.ACCEPT, hook: { number, priority: priority >>> 0 } };
}

/** The ports of all tables, by transaction. */
function elementRequests(tables: readonly PortTable[]): Request<unknown>[][] {
  const transactions: Request<unknown>[][] = [[]];
  let room = ELEMENTS_PER_TRANSACTION;
  for (const { family, maps } of tables)
    for (const { name, forwards } of maps)
      for (let at = 0; at < forwards.length; ) {
        if (room === 0) {
          transactions.push([]);
          room = ELEMENTS_PER_TRANSACTION;
        }
        const elements = forwards.slice(at, at + room).map(elementOf);
        const value = { header: headerOf(family), attrs: { table: PORT_TABLE, set: name, elements } };
        const message = request(NFT_MSG.NEWSETELEM, NLM_F.CREATE, { codec: elementsMessage, value });
        transactions.at(-1)?.push(message);
        at += elements.length;
        room -= elements.length;
      }
  return transactions;
}

function describeWanted(table: PortTable): Description {
  const { family, maps } = table;
  const chains = chainsOf(table);
  const portsOf = ({ name, forwards }: PortMap) =>
    forwards.map((forward) => elementLine(name, family, elementOf(forward)));
  return [
    tableLine({ flags: 0, comment: PORT_TABLE_COMMENT }),
    ...maps.map((map) => mapLine(mapAttributes(map, { family, id: 0 }))),
    ...chains.map(({ name, base }) => chainLine(chainAttributes(name, base))),
    ...chains.flatMap(({ name, rules }) => rules.map((rule) => ruleLine({ chain: name, expressions: rule }))),
    ...maps.flatMap(portsOf).sort(),
  ];
}

function describeFound(session: Session, family: Family): Description | NetlinkError {
  const table = readTable(session, family);
  if (table === undefined || 'errno' in table) return table ?? [];
  const source = { session, family };
  const maps = dump(source, { type: NFT_MSG.GETSET, codec: setMessage, attrs: IN_TABLE });
  const chains = dump(source, { type: NFT_MSG.GETCHAIN, codec: chainMessage, attrs: IN_TABLE });
  const rules = dump(source, { type: NFT_MSG.GETRULE, codec: ruleMessage, attrs: IN_TABLE });
  if ('errno' in maps) return maps;
  if ('errno' in chains) return chains;
  if ('errno' in rules) return rules;
  const ports: string[] = [];
  for (const { name: set = '' } of maps) {
    const attrs = { ...IN_TABLE, set };
    const lists = dump(source, { type: NFT_MSG.GETSETELEM, codec: elementsMessage, attrs });
    if ('errno' in lists) return lists;
    const elements = lists.flatMap((list) => list.elements ?? []);
    ports.push(...elements.map((each) => elementLine(set, family, each)));
  }
  return [
    tableLine(table),
    ...maps.map(mapLine),
    ...chains.map(chainLine),
    ...rules.map(ruleLine),
    ...ports.sort(),
  ];
}

const IN_TABLE = { table: PORT_TABLE };

interface Dump<A> {
  readonly type: number;
  readonly codec: Codec<{ readonly header: ReturnType<typeof headerOf>; readonly attrs: A }>;
  readonly attrs: A;
}

/** What a dump shows of our table: an older kernel shows those of all. */
function dump<A extends { readonly table?: string | undefined }>(
  { session, family }: { session: Session; family: Family },
  { type, codec, attrs }: Dump<A>,
): A[] | NetlinkError {
  const found: A[] = [];
  const value = { header: headerOf(family), attrs };
  const error = session.dump({ type, flags: 0, codec, value }, codec, {
    visit: (message) => found.push(message.attrs),
    restart: () => found.splice(0),
  });
  return error ?? found.filter(({ table }) => table === PORT_TABLE);
}

interface FoundTable {
  readonly flags: number;
  readonly comment: string | undefined;
}

function readTable(session: Session, family: Family): FoundTable | NetlinkError | undefined {
  let found: FoundTable | undefined;
  const error = session.ask(
    { type: NFT_MSG.GETTABLE, flags: 0, ...tableOf(family) },
    tableMessage,
    ({ attrs: { flags = 0, userData } }) => {
      found = { flags, comment: commentOf(userData) };
    },
  );
  if (error !== undefined) return error.errno === ERRNO.ENOENT ? undefined : error;
  return found === undefined || found.comment === PORT_TABLE_COMMENT
    ? found
    : netlinkError(ERRNO.EEXIST, { text: `a table ${PORT_TABLE} is of another program` });
}

function tableLine({ flags, comment }: FoundTable): string {
  return `the table (${flags}, ${comment})`;
}

function mapLine({
  name,
  flags,
  keyType,
  keyLength,
  dataType,
  dataLength,
}: Infer<typeof setMessage>['attrs']) {
  return `the map ${name} ${JSON.stringify({ flags, keyType, keyLength, dataType, dataLength })}`;
}

function chainLine({ name, type, policy, hook }: Infer<typeof chainMessage>['attrs']): string {
  return `the chain ${name} ${JSON.stringify({ type, policy, number: hook?.number, priority: hook?.priority })}`;
}

function ruleLine({ chain, expressions }: Infer<typeof ruleMessage>['attrs']): string {
  return `a rule of chain ${chain} ${JSON.stringify(expressions, inOrder)}`;
}

/** The members of every object in the same order, without what says nothing: the operation 0 that newer kernels show. */
function inOrder(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).filter(([key, each]) => key !== 'operation' || each !== 0);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

type Element = NonNullable<Infer<typeof elementsMessage>['attrs']['elements']>[number];

/** `tcp 8080 to 10.42.1.2 80 (pod-1 eth0) in ports`. */
function elementLine(map: string, family: Family, { key, data, userData }: Element): string {
  const bytes = addressBits(family) / 8;
  const from = Uint8Array.fromHex(key?.value ?? '');
  const to = Uint8Array.fromHex(data?.value ?? '');
  const portAt = (all: Uint8Array, at: number) => ((all[at] ?? 0) << 8) | (all[at + 1] ?? 0);
  const addressAt = (all: Uint8Array, at: number) =>
    all.length >= at + bytes ? ` ${formatIp(all, at, bytes)}` : '';
  const protocol =
    Object.entries(PROTOCOL_NUMBERS).find(([, number]) => number === from[0])?.[0] ?? `protocol ${from[0]}`;
  const source = `${protocol}${from.length > 8 ? addressAt(from, 4) : ''} ${portAt(from, from.length - 4)}`;
  return `${source} to${addressAt(to, 0)} ${portAt(to, to.length - 4)} (${commentOf(userData)}) in ${map}`;
}
