/**
 * What a node's status says of the node itself, as labelled lines.
 *
 * @module
 */
import { formatDuration } from './duration.ts';
import type { StatusDocument } from './status-document.ts';

/** A label and the lines beside it. */
export interface Fact {
  readonly label: string;
  readonly lines: readonly string[];
}

/** The facts that the status has; `nowMs` is in milliseconds since the epoch. */
export function factsOf(status: StatusDocument, nowMs: number): Fact[] {
  return [
    { label: 'agent', lines: [agentLine(status)] },
    { label: 'backend', lines: [backendLine(status)] },
    { label: 'network', lines: [listOf([status.network, status.networkV6]) || 'not known yet'] },
    { label: 'interface', lines: interfaceLines(status.interface) },
    { label: 'settings', lines: forwardingLines(status.forwarding) },
    { label: 'lease', lines: [leaseLine(status.lease, nowMs)] },
    { label: 'store', lines: storeLines(status, nowMs) },
    { label: 'last pass', lines: [passLine(status.lastPass, nowMs)] },
    { label: 'repairs', lines: [repairsLine(status.repairs)] },
  ];
}

function agentLine({ version, pid }: StatusDocument): string {
  return `flannelette ${version}${pid === undefined ? '' : `, process ${pid}`}`;
}

function backendLine({ backend, vtepMacs }: StatusDocument): string {
  const devices = Object.entries(vtepMacs).map(([device, mac]) => `${device} ${mac}`);
  return listOf([backend || 'not known yet', ...devices]);
}

function interfaceLines(chosen: StatusDocument['interface']): string[] {
  if (chosen === undefined) return ['none chosen yet'];
  const { name, mtuBytes, ipv4, ipv6, publicIpv4, publicIpv6, why } = chosen;
  const lines = [`${name}: ${listOf([ipv4, ipv6, mtuBytes === undefined ? undefined : `MTU ${mtuBytes}`])}`];
  const translated = listOf([publicIpv4 === ipv4 ? '' : publicIpv4, publicIpv6 === ipv6 ? '' : publicIpv6]);
  if (translated !== '') lines.push(`known to peers as ${translated}`);
  if (why !== '') lines.push(`chosen: ${why}`);
  return lines;
}

function forwardingLines(forwarding: StatusDocument['forwarding']): string[] {
  const { settings = {}, notes = [] } = forwarding ?? {};
  const found = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return [listOf(found) || 'not known yet', ...notes.map((note) => `note: ${note}`)];
}

function leaseLine(lease: StatusDocument['lease'], nowMs: number): string {
  if (lease === undefined) return 'none yet';
  const subnets = listOf([lease.subnet, lease.subnetV6]);
  const expiresMs = Date.parse(lease.expiresAt ?? '');
  if (Number.isNaN(expiresMs)) return subnets;
  if (expiresMs < nowMs) return `${subnets}, expired ${formatDuration(nowMs - expiresMs)} ago`;
  return `${subnets}, for ${formatDuration(expiresMs - nowMs)} more unless renewed`;
}

function storeLines({ store, problems }: StatusDocument, nowMs: number): string[] {
  if (store === undefined) return ['not known'];
  const { problem, heardAtMs } = store;
  const heard = heardAtMs === undefined ? '' : `, heard of ${formatDuration(nowMs - heardAtMs)} ago`;
  const name = `${store.name}${heard}`;
  // Usually the problem stands at the top of the page already.
  const isNews = problem !== undefined && !problems.some(({ message }) => message === problem.message);
  return isNews ? [name, problem.message, `→ ${problem.remedy}`] : [name];
}

function passLine(pass: StatusDocument['lastPass'], nowMs: number): string {
  if (pass === undefined) return 'none yet';
  const { created, updated, removed, failed, held } = pass;
  const outcome = Object.entries({ created, updated, removed, failed, held })
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
  const atMs = Date.parse(pass.at);
  const when = Number.isNaN(atMs) ? pass.at : `${formatDuration(nowMs - atMs)} ago`;
  const cause = pass.cause === '' ? '' : ` (${pass.cause})`;
  return `${when}${cause}: ${outcome || 'nothing to do'}, in ${formatDuration(pass.durationMs)}`;
}

function repairsLine(repairs: StatusDocument['repairs']): string {
  const kinds = Object.entries(repairs).filter(([, count]) => count > 0);
  const total = kinds.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return 'none were needed';
  return `${total} (${kinds.map(([kind, count]) => `${count} ${kind}`).join(', ')})`;
}

function listOf(parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(', ');
}
