/**
 * `flannelette status`: asks the agent of this node how it is.
 *
 * @module
 */
import { isatty } from 'node:tty';
import { parseArgs } from 'node:util';
import { printable } from '../model/printable.ts';
import { fail, ok, type Result } from '../model/result.ts';
import { parseStatus, parseWaiting } from './status-document.ts';
import { formatStatusPage } from './status-page.ts';
import { wantsColour } from './style.ts';

/** The default of `--socket`, the same as the agent's. */
export const DEFAULT_SOCKET = '/run/flannelette/agent.sock';

/** Exit statuses, for scripts. */
export const STATUS_EXIT = { ready: 0, usage: 1, noAgent: 2, notReady: 3 } as const;

const USAGE = `Usage: flannelette status [--socket PATH] [--json] [--peers]

Asks the agent of this node, and prints how it is, what it has found and which peers it knows.

  --socket PATH  the agent's socket (default ${DEFAULT_SOCKET}, or $FLANNELD_SOCKET)
  --json         print the agent's answer as JSON
  --peers        list every peer (without it: all up to 10, then only those not programmed)

Exit status: 0 ready, 3 not ready, 2 no agent answers, 1 this command line is wrong.
`;

/** How long an agent in the middle of a pass may take to answer. */
const TIMEOUT_MS = 5_000;

/** What the command needs of its surroundings. */
export interface StatusSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether standard output is a terminal. */
  readonly isTty: boolean;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly stdout: (text: string) => Promise<void>;
  readonly stderr: (text: string) => Promise<void>;
}

/** Runs `flannelette status` with what follows the command's name, and returns the exit status. */
export async function statusCommand(
  args: readonly string[],
  { env, isTty, nowMs, stdout, stderr }: StatusSurroundings = surroundings(),
): Promise<number> {
  const options = readOptions(args, env);
  if (!options.ok) {
    await stderr(`${options.error}\n\n${USAGE}`);
    return STATUS_EXIT.usage;
  }
  const { socket, json, peers, help } = options.value;
  if (help) {
    await stdout(USAGE);
    return 0;
  }
  const answer = await askAgent(socket);
  if (!answer.ok) {
    await stderr(`${answer.error.text}\n`);
    return answer.error.exit;
  }
  const status = parseStatus(answer.value);
  if (!status.ok) {
    await stderr(`${misunderstood(socket, status.error)}\n`);
    return STATUS_EXIT.noAgent;
  }
  const page = { nowMs, colour: wantsColour(env, isTty), allPeers: peers };
  await stdout(json ? reprint(answer.value) : formatStatusPage(status.value, page));
  return status.value.ready ? STATUS_EXIT.ready : STATUS_EXIT.notReady;
}

interface StatusOptions {
  readonly socket: string;
  readonly json: boolean;
  readonly peers: boolean;
  readonly help: boolean;
}

function readOptions(
  args: readonly string[],
  { FLANNELD_SOCKET: fromEnvironment }: Readonly<Record<string, string | undefined>>,
): Result<StatusOptions, string> {
  try {
    const { values } = parseArgs({
      // The agent's flags may have one dash, as Go's; so may these.
      args: args.map((arg) => (/^-[a-z]{2}/.test(arg) ? `-${arg}` : arg)),
      options: {
        socket: { type: 'string', default: fromEnvironment || DEFAULT_SOCKET },
        json: { type: 'boolean', default: false },
        peers: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    });
    return ok(values);
  } catch (error) {
    return fail(error instanceof Error ? printable(error.message) : 'The arguments cannot be read');
  }
}

/** Why there is no document. */
interface NoDocument {
  readonly text: string;
  readonly exit: number;
}

async function askAgent(socket: string): Promise<Result<string, NoDocument>> {
  try {
    const response = await fetch('http://agent/status', {
      unix: socket,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { Accept: 'application/json' },
    });
    const body = await response.text();
    if (response.ok) return ok(body);
    // The agent lives and waits for what it cannot do without: it says for what.
    if (response.status === 503) {
      const text = ['The agent is starting', ...parseWaiting(body)].join('\n');
      return fail({ text, exit: STATUS_EXIT.notReady });
    }
    return fail({ text: misunderstood(socket, `it says ${response.status}`), exit: STATUS_EXIT.noAgent });
  } catch (error) {
    return fail({ text: noAnswer(printable(socket), error), exit: STATUS_EXIT.noAgent });
  }
}

function noAnswer(socket: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const start = "  → See whether it runs: 'systemctl status flannelette' or 'journalctl -u flannelette'";
  const other = '  → If it was started with another --socket, give the same one here';
  switch (code) {
    case 'ENOENT':
      return `No agent answers: there is no socket '${socket}'\n${start}\n${other}`;
    case 'ECONNREFUSED':
      return `No agent answers: nobody listens on '${socket}', it is left over\n${start}\n${other}`;
    case 'ECONNRESET':
      return `The agent on '${socket}' has closed the connection without an answer: it has ended just now\n${start}`;
    case 'EACCES':
    case 'EPERM':
      return `You may not open the agent's socket '${socket}'\n  → Only the user that the agent runs as may: try 'sudo flannelette status'`;
    default:
      break;
  }
  if (error instanceof Error && error.name === 'TimeoutError') {
    return `The agent takes the call on '${socket}' but has not answered for ${TIMEOUT_MS / 1_000} s\n${start}`;
  }
  const reason = error instanceof Error ? printable(error.message) : 'unknown error';
  return `No agent answers on '${socket}': ${reason}\n${start}\n${other}`;
}

function misunderstood(socket: string, reason: string): string {
  return `What answers on '${printable(socket)}' is no agent that this version understands: ${reason}
  → Compare 'flannelette version' with the agent's, and check --socket`;
}

/**
 * Indented for people; printable as it stands, since the escapes are JSON's own. What is nested too deep to be
 * indented, which no agent's answer is, is printed as it came.
 */
function reprint(body: string): string {
  let text: string;
  try {
    text = JSON.stringify(JSON.parse(body), undefined, 2);
  } catch {
    text = body;
  }
  return `${text.split('\n').map(printable).join('\n')}\n`;
}

function surroundings(): StatusSurroundings {
  return {
    env: process.env,
    isTty: isatty(1),
    nowMs: Date.now(),
    stdout: (text) => write(Bun.stdout, text),
    stderr: (text) => write(Bun.stderr, text),
  };
}

/** A reader that has gone (`| head`) is no error of ours. */
async function write(file: typeof Bun.stdout, text: string): Promise<void> {
  await Bun.write(file, text).catch(() => 0);
}
