/**
 * The peers of a node's status: counted, and as a table of those that matter.
 *
 * @module
 */
import type { PeerDocument, StatusDocument } from './status-document.ts';
import type { Style } from './style.ts';
import { formatTable } from './table.ts';

/** How {@link peerLines} writes. */
export interface PeerOptions {
  readonly style: Style;
  /** Whether every peer is listed, however many there are. */
  readonly allPeers: boolean;
}

/** Up to so many peers are listed in any case. */
const MAX_PEERS_UNASKED = 10;

/** Of more peers only those that are not programmed are listed, and no more than so many. */
const MAX_ROWS_UNASKED = 20;

/** A line with the count of peers by state, and the table. */
export function peerLines({ peers, backend }: StatusDocument, { style, allPeers }: PeerOptions): string[] {
  if (peers.length === 0) return ['No peers: no other node has a lease'];
  const whole = allPeers || peers.length <= MAX_PEERS_UNASKED;
  const relevant = whole ? peers : peers.filter((peer) => peer.state !== 'programmed');
  const shown = whole ? relevant : relevant.slice(0, MAX_ROWS_UNASKED);
  const lines = [`${peers.length} ${peers.length === 1 ? 'peer' : 'peers'}: ${countStates(peers)}`];
  if (shown.length > 0) lines.push(peerTable(shown, backend, style));
  if (shown.length < relevant.length) lines.push(`  and ${relevant.length - shown.length} more like these`);
  if (shown.length < peers.length) lines.push(style.dim('  --peers lists all'));
  return lines;
}

/** The leases that are not used; empty if there are none. */
export function refusedLines({ refused }: StatusDocument, { style, allPeers }: PeerOptions): string[] {
  if (refused.length === 0) return [];
  const shown = allPeers ? refused : refused.slice(0, MAX_ROWS_UNASKED);
  const rows = shown.map(({ node, reason }) => [style.bad(node), reason]);
  const lines = [`${refused.length} refused ${refused.length === 1 ? 'lease' : 'leases'}`];
  lines.push(formatTable([style.dim('node'), style.dim('reason')], rows, { indent: 2 }));
  if (shown.length < refused.length)
    lines.push(`  and ${refused.length - shown.length} more; --peers lists all`);
  return lines;
}

function countStates(peers: readonly PeerDocument[]): string {
  const counts = new Map<string, number>();
  for (const { state } of peers) counts.set(state, (counts.get(state) ?? 0) + 1);
  const [only, ...others] = counts.keys();
  if (others.length === 0) return peers.length === 1 ? `${only}` : `all ${only}`;
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');
}

interface Column {
  readonly title: string;
  readonly cell: (peer: PeerDocument) => string;
}

function peerTable(peers: readonly PeerDocument[], backend: string, style: Style): string {
  const all: Column[] = [
    { title: 'node', cell: (peer) => peer.node },
    { title: 'state', cell: (peer) => stateCell(peer.state, style) },
    { title: 'subnet', cell: ({ ipv4 }) => ipv4?.subnet ?? '' },
    { title: 'via', cell: ({ ipv4 }) => ipv4?.publicIp ?? '' },
    { title: 'IPv6 subnet', cell: ({ ipv6 }) => ipv6?.subnet ?? '' },
    { title: 'via', cell: ({ ipv6 }) => ipv6?.publicIp ?? '' },
    { title: 'backend', cell: ({ backendType }) => (backendType === backend ? '' : backendType) },
    { title: 'reason', cell: ({ reason }) => reason ?? '' },
  ];
  const columns = all.filter(({ cell }) => peers.some((peer) => cell(peer) !== ''));
  return formatTable(
    columns.map(({ title }) => style.dim(title)),
    peers.map((peer) => columns.map(({ cell }) => cell(peer) || '–')),
    { align: columns.map(() => 'left'), indent: 2 },
  );
}

function stateCell(state: string, style: Style): string {
  switch (state) {
    case 'programmed':
      return style.good('✓ programmed');
    case 'failed':
      return style.bad('✗ failed');
    case 'pending':
      return style.warn('· pending');
    default:
      return `– ${state}`;
  }
}
