/**
 * Nodes, asked for one by one or page by page.
 *
 * @module
 */
import { fail, ok, type Result } from '../../model/result.ts';
import type { KubeApi } from './api.ts';
import type { NodeSink } from './event-reader.ts';
import { failureOfForm, type KubeFailure } from './failure.ts';
import { PROTOBUF, readPage, readSingle } from './message.ts';
import type { NodeFilter } from './node.ts';

/** What is asked, about whom, and who hears of it. */
export interface NodeQuery {
  readonly api: KubeApi;
  readonly filter: NodeFilter;
  readonly sink: NodeSink & { settled(): void };
}

/** A page of Nodes as kubelets leave them has half a megabyte. */
const PAGE_NODES = 50;

const READ = 'read its node';

/** What a list is called, after "cannot". */
export const LIST = 'list nodes';

/** Reads the own Node, before all others: the agent waits for it, and a long list takes a while. */
export async function readOwnNode(
  { api, filter, sink }: NodeQuery,
  patienceMs: number,
): Promise<Result<void, KubeFailure>> {
  const path = `/api/v1/nodes/${encodeURIComponent(filter.own)}`;
  const asked = { method: 'GET', path, accept: PROTOBUF, what: READ, operation: 'own', patienceMs } as const;
  const answer = await api.ask(asked);
  if (answer.ok) {
    const node = readSingle(answer.value, filter);
    if (node === undefined) return fail(unreadable(api, READ, 'a Node'));
    sink.put(node);
  } else {
    if (answer.error.kind !== 'not-found') return answer;
    sink.gone(filter.own);
  }
  sink.settled();
  return ok(undefined);
}

/** What goes on while a list is read. */
export interface ListProgress {
  readonly onPage: () => void;
  /** Whether nobody wants the rest any more. */
  readonly isOver: () => boolean;
}

/** A complete list. */
export interface NodeList {
  readonly names: ReadonlySet<string>;
  /** Up to which everything is in it. */
  readonly version: string;
}

/** Lists all Nodes in pages, of which one at a time is in memory. */
export async function listNodes(
  { api, filter, sink }: NodeQuery,
  { onPage, isOver }: ListProgress,
): Promise<Result<NodeList, KubeFailure>> {
  const names = new Set<string>();
  let next = '';
  let version: string | undefined;
  do {
    const from = next === '' ? {} : { continue: next };
    const query = new URLSearchParams({ limit: String(PAGE_NODES), ...from });
    const path = `/api/v1/nodes?${query}`;
    const answer = await api.ask({ method: 'GET', path, accept: PROTOBUF, what: LIST, operation: 'read' });
    if (!answer.ok) return answer;
    const page = readPage(answer.value, filter);
    if (page === undefined || isOver()) return fail(unreadable(api, LIST, 'a list'));
    onPage();
    version ??= page.resourceVersion;
    next = page.next;
    for (const node of page.nodes) {
      names.add(node.name);
      sink.put(node);
    }
  } while (next !== '');
  return ok({ names, version });
}

function unreadable({ server = '' }: KubeApi, what: string, form: string): KubeFailure {
  return failureOfForm(`${form} that cannot be read`, { what, server, files: [] });
}
