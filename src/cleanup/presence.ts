/**
 * Whether somebody answers where the agent of this node does.
 *
 * @module
 */
import { lstatSync } from 'node:fs';
import { parseStatus } from '../cli/status-document.ts';
import type { SocketFindings } from '../removal/findings.ts';
import { errnoName } from '../store/sqlite/failure.ts';

/** An agent in the middle of a pass may take a moment. */
const TIMEOUT_MS = 5_000;

/** What is at the path of the socket, and the process that answers there if it tells. */
export interface Presence {
  readonly socket: SocketFindings;
  readonly pid: number | undefined;
}

/** Asks the socket. */
export async function askSocket(path: string): Promise<Presence> {
  const found = (kind: SocketFindings['kind'], pid?: number): Presence => ({ socket: { path, kind }, pid });
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return found('none');
    if (!stat.isSocket()) return found('foreign');
    const response = await fetch('http://agent/status', {
      unix: path,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { connection: 'close' },
    });
    const status = parseStatus(await response.text());
    return found('answered', status.ok ? status.value.pid : undefined);
  } catch (error) {
    const code = errnoName(error);
    if (code === 'ECONNREFUSED') return found('stale');
    // Whoever cannot look there has not made it, and what takes the call without an answer is somebody alive.
    return found(code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR' ? 'none' : 'answered');
  }
}
