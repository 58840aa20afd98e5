/**
 * A listening Unix socket with a well-known path, taken over from a process that died.
 *
 * The server binds a private name and links it to the path when it can be opened: link(2) never replaces
 * what is there, so of two agents that start at once one wins, and the path appears with its final mode.
 * It also keeps Bun, which unlinks the name it has bound when it stops, away from a path that by then may
 * belong to another process.
 *
 * @module
 */
import { chmodSync, linkSync, lstatSync, mkdirSync, rmSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Problem, problem } from '../model/problem.ts';
import { fail, ok, type Result } from '../model/result.ts';
import type { OpenListener } from './listener.ts';

/** A running server, as far as its socket is concerned. */
export interface SocketServer {
  stop(closeActiveConnections: boolean): Promise<void>;
}

/** Only root, or whoever runs the agent, may ask. */
const UMASK = 0o177;
const DIRECTORY_MODE = 0o755;

/**
 * Makes `serve` listen on `path`. A socket that nobody answers on is replaced; one that is answered, and
 * anything that is no socket, is left and reported as `health-unavailable`.
 */
export async function listenUnix(
  path: string,
  serve: (unix: string) => SocketServer,
): Promise<Result<OpenListener, Problem>> {
  try {
    makeDirectory(dirname(path));
    const stale = identityOf(path);
    if (stale !== undefined) {
      const occupant = await occupantOf(path);
      if (occupant !== undefined)
        return fail(problem('health-unavailable', occupant.message, occupant.remedy));
    }
    // From here to the end nothing waits, so that no time passes between look and deed.
    if (stale !== undefined && identityOf(path) === stale) unlinkSync(path);
    return ok(bind(path, serve));
  } catch (error) {
    return fail(describeFailure(path, error));
  }
}

function makeDirectory(directory: string): void {
  const made = mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  if (made !== undefined) chmodSync(directory, DIRECTORY_MODE);
}

function bind(path: string, serve: (unix: string) => SocketServer): OpenListener {
  const privateName = join(dirname(path), `.${crypto.randomUUID().slice(0, 8)}`);
  const umask = process.umask(UMASK);
  let server: SocketServer;
  try {
    server = serve(privateName);
  } finally {
    process.umask(umask);
  }
  try {
    linkSync(privateName, path);
  } catch (error) {
    void server.stop(true);
    throw error;
  } finally {
    rmSync(privateName, { force: true });
  }
  const own = identityOf(path);
  const isOwn = () => own !== undefined && identityOf(path) === own;
  return {
    intact: () => attempt(isOwn),
    close: async () => {
      attempt(() => {
        if (isOwn()) unlinkSync(path);
        return true;
      });
      await server.stop(true);
    },
  };
}

/** A file that cannot be looked at (EACCES, EIO) is as good as none. */
function attempt(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}

/** What tells one file from the next of the same name; the time of birth since inode numbers are used again. */
function identityOf(path: string): string | undefined {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}:${stat.birthtimeNs}`;
}

/** Who or what has a good reason to be at `path`, or `undefined` if it may be removed. */
async function occupantOf(path: string): Promise<{ message: string; remedy: string } | undefined> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === false) {
    return {
      message: `'${path}' is in the way of the status socket and no socket`,
      remedy: 'Move the file away or choose another path with --socket',
    };
  }
  if (!(await isAnswered(path))) return undefined;
  return {
    message: `Another process answers on the status socket '${path}'`,
    remedy: 'Stop the other agent or choose another path with --socket; the agent takes over when it is free',
  };
}

/**
 * connect(2) on a Unix socket succeeds or fails at once. Bun also says ECONNREFUSED of a process so wedged
 * that 512 clients wait for it: that one loses its path too, and reports so when it comes back to life.
 */
function isAnswered(path: string): Promise<boolean> {
  return Bun.connect({ unix: path, socket: { data() {}, open: (socket) => socket.terminate() } }).then(
    () => true,
    (error: unknown) => !['ECONNREFUSED', 'ENOENT'].includes(errorCode(error)),
  );
}

/** Asks whether the process behind a socket is alive, without waiting for what it says; it is told if it cares. */
export async function askUnix(path: string): Promise<void> {
  const request = 'GET /livez HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n';
  await Bun.connect({
    unix: path,
    socket: {
      open: (socket) => void socket.write(request),
      data: (socket) => void socket.terminate(),
    },
  }).catch(() => undefined);
}

function describeFailure(path: string, error: unknown): Problem {
  const code = errorCode(error);
  const cause = code === '' ? String(error) : code;
  const message = `Cannot make the status socket '${path}': ${cause}`;
  if (code === 'EMFILE' || code === 'ENFILE') return problem('health-unavailable', message);
  const remedy =
    code === 'EEXIST'
      ? 'Nothing to do if another agent has just started; else choose another path with --socket'
      : 'Make the directory writable, check for a full or read-only disk, or choose another with --socket';
  return problem('health-unavailable', message, remedy);
}

/** The `code` of a system error such as `EACCES`; empty for anything else. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
