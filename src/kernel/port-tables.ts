/**
 * The tables of hostPorts in the kernel: written whole, in one transaction.
 *
 * @module
 */
import { PORT_TABLE, PORT_TABLE_COMMENT, type PortTable } from '../model/host-ports.ts';
import { FAMILIES, type Family } from '../model/ip.ts';
import { ERRNO, type NetlinkError } from '../netlink/error.ts';
import { chainMessage, NFT_MSG, ruleMessage, tableMessage } from '../netlink/nftables.ts';
import { elementsMessage, setMessage } from '../netlink/nftables-sets.ts';
import { NLM_F, type Request, type Session } from '../netlink/session.ts';
import { batch, headerOf, request, userDataOf } from './nft-requests.ts';
import { portTableDifference, readTable, tableOf } from './port-description.ts';
import { chainAttributes, chainsOf, elementOf, mapAttributes } from './port-expressions.ts';
import { isAbsent } from './transaction.ts';

/** As many as fit into a datagram with all the rest, whatever their comments. */
const ELEMENTS_PER_TRANSACTION = 240;

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
    // One that is gone by now is made first, so that to delete it is no failure. Where there was none nothing is deleted:
    // whoever closes the socket would have to wait until nobody can use it any more.
    if (found !== undefined) requests.push(newTable(family), request(NFT_MSG.DELTABLE, 0, tableOf(family)));
    if (wanted !== undefined) requests.push(newTable(family), ...skeleton(wanted));
  }
  const [first = [], ...rest] = elementRequests(tables);
  for (const each of [[...requests, ...first], ...rest]) {
    const error = each.length === 0 ? undefined : transact(session, each);
    if (error !== undefined) return error;
  }
  return undefined;
}

/**
 * Makes the tables `after` of `before`. Where the kernel has those and only ports come to them, nothing is made anew: then
 * nothing has to be taken down, which whoever closes the socket would have to wait for.
 */
export function addPorts(
  session: Session,
  { before, after }: { readonly before: readonly PortTable[]; readonly after: readonly PortTable[] },
): NetlinkError | undefined {
  const added = addedPorts(before, after);
  const isRight = added !== undefined && portTableDifference(session, before) === undefined;
  const isDone = isRight && elementRequests(added).every((each) => transact(session, each) === undefined);
  return isDone ? undefined : writePortTables(session, after);
}

/** The ports that have come, in tables that are otherwise the same; `undefined` if they are not. */
function addedPorts(before: readonly PortTable[], after: readonly PortTable[]): PortTable[] | undefined {
  const frame = (tables: readonly PortTable[]) =>
    JSON.stringify(tables, (key, value: unknown) => (key === 'forwards' ? undefined : value));
  if (frame(before) !== frame(after)) return undefined;
  return after.map((table, i) => {
    const maps = table.maps.map((map, j) => {
      const known = new Set(before[i]?.maps[j]?.forwards.map((forward) => JSON.stringify(forward)));
      return { ...map, forwards: map.forwards.filter((forward) => !known.has(JSON.stringify(forward))) };
    });
    return { ...table, maps };
  });
}

function transact(session: Session, requests: readonly Request<unknown>[]): NetlinkError | undefined {
  const failures = [...session.transact([batch('BEGIN'), ...requests, batch('END')]).values()];
  return failures.find(({ errno }) => errno !== ERRNO.EAGAIN) ?? failures[0];
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
  for (const chain of chains) {
    const value = { header, attrs: chainAttributes(chain) };
    requests.push(request(NFT_MSG.NEWCHAIN, CREATE, { codec: chainMessage, value }));
  }
  for (const { name: chain, rules } of chains)
    for (const expressions of rules) {
      const value = { header, attrs: { table: PORT_TABLE, chain, expressions } };
      requests.push(request(NFT_MSG.NEWRULE, CREATE | APPEND, { codec: ruleMessage, value }));
    }
  return requests;
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
