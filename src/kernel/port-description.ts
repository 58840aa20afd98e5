/**
 * The tables of hostPorts as lines, so that what the kernel has and what is wanted compare.
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
import { elementsMessage, setMessage } from '../netlink/nftables-sets.ts';
import type { Session } from '../netlink/session.ts';
import { commentOf, headerOf } from './nft-requests.ts';
import { chainAttributes, chainsOf, elementOf, mapAttributes } from './port-expressions.ts';
import { isAbsent } from './transaction.ts';

/** A table as lines, so that two compare: what is made, in its order, then the ports in theirs. */
type Description = readonly string[];

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

/** How a family's table is asked for and deleted. */
export function tableOf(family: Family) {
  return {
    codec: tableMessage,
    value: { header: headerOf(family), attrs: { name: PORT_TABLE } },
  };
}

function describeWanted(table: PortTable): Description {
  const { family, maps } = table;
  const chains = chainsOf(table);
  const portsOf = ({ name, forwards }: PortMap) =>
    forwards.map((forward) => elementLine(name, family, elementOf(forward)));
  const head = tableLine({ flags: 0 });
  return [
    head,
    ...maps.map((map) => mapLine(mapAttributes(map, { family, id: 0 }))),
    ...chains.map((chain) => chainLine(chainAttributes(chain))),
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
  const frame = [...maps.map(mapLine), ...chains.map(chainLine), ...rules.map(ruleLine)];
  return [tableLine(table), ...frame, ...ports.sort()];
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

/** A table without what is in it. */
export interface FoundTable {
  readonly flags: number;
  readonly comment: string | undefined;
}

/** The table of a family, if there is one; `EEXIST` if it is another program's. */
export function readTable(session: Session, family: Family): FoundTable | NetlinkError | undefined {
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

/** Its comment is ours, else {@link readTable} has refused it. */
function tableLine({ flags }: Pick<FoundTable, 'flags'>): string {
  return `the table ${PORT_TABLE}${flags === 0 ? '' : ` with flags ${flags}`}`;
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
