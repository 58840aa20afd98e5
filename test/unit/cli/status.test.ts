import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_SOCKET, statusCommand } from '../../../src/cli/status.ts';
import { systemClock } from '../../../src/clock.ts';
import { flagNamed } from '../../../src/config/flags.ts';
import { HealthServer } from '../../../src/http/server.ts';
import type { AgentStatus } from '../../../src/model/status.ts';
import { agentStatus, manyPeers, NOW_MS, troubledStatus } from './agent-status.ts';

let directory: string;
let socketPath: string;
let status: AgentStatus;
let server: HealthServer;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'status-'));
  socketPath = join(directory, 'agent.sock');
  status = agentStatus();
  const sources = {
    readiness: () => ({ ready: true, problems: [] }),
    status: () => status,
    metrics: async () => '',
  };
  server = new HealthServer({ sources, clock: systemClock, socketPath, healthzIp: '', healthzPort: 0 });
  await server.start();
});

afterEach(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

async function run(args: readonly string[], env: Record<string, string> = {}) {
  let out = '';
  let err = '';
  const code = await statusCommand(args, {
    env,
    isTty: false,
    nowMs: NOW_MS,
    stdout: async (text) => {
      out += text;
    },
    stderr: async (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

/** The command as a process of its own, with `prefix` before it. */
function spawnStatus(args: readonly string[], prefix: readonly string[] = []) {
  const module = JSON.stringify(join(import.meta.dir, '../../../src/cli/status.ts'));
  const code = `import { statusCommand } from ${module};
    process.exitCode = await statusCommand(${JSON.stringify(args)});`;
  return Bun.spawn([...prefix, process.execPath, '-e', code], { stdout: 'pipe', stderr: 'pipe' });
}

test('statusCommand() prints a page and tells by its exit status whether the node is ready', async () => {
  const ready = await run(['--socket', socketPath]);
  expect([ready.code, ready.err]).toEqual([0, '']);
  expect(ready.out).toStartWith('✓ edge-1 is ready');
  status = troubledStatus();
  const troubled = await run([`-socket=${socketPath}`]);
  expect([troubled.code, troubled.err]).toEqual([3, '']);
  expect(troubled.out).toStartWith('✗ edge-1 is not ready: 2 problems');
});

test('statusCommand() takes the socket from the environment as the agent does', async () => {
  expect((await run([], { FLANNELD_SOCKET: socketPath })).code).toBe(0);
  expect(DEFAULT_SOCKET).toBe(String(flagNamed('socket')?.spec.fallback));
});

test('statusCommand() prints the answer as JSON, safe for a terminal', async () => {
  status = troubledStatus();
  const { code, out } = await run(['--socket', socketPath, '--json']);
  expect(code).toBe(3);
  expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(status)));
  expect(out).not.toMatch(/[^\n\P{C}]/u);
});

test('statusCommand() lists every peer with --peers', async () => {
  status = manyPeers(200);
  expect((await run(['--socket', socketPath])).out).not.toContain('edge-150 ');
  expect((await run(['--socket', socketPath, '--peers'])).out).toContain('edge-150 ');
});

test('statusCommand() says which socket it tried and what to do if there is none', async () => {
  const { code, out, err } = await run(['--socket', join(directory, 'other.sock')]);
  expect([code, out]).toEqual([2, '']);
  expect(err).toBe(
    [
      `No agent answers: there is no socket '${directory}/other.sock'`,
      "  → See whether it runs: 'systemctl status flannelette' or 'journalctl -u flannelette'",
      '  → If it was started with another --socket, give the same one here',
      '',
    ].join('\n'),
  );
});

test('statusCommand() tells a socket that is left over from one that is not there', async () => {
  const path = join(directory, 'left.sock');
  const code = `Bun.serve({ unix: ${JSON.stringify(path)}, fetch: () => new Response('') }); process.kill(process.pid, 9)`;
  await Bun.spawn([process.execPath, '-e', code]).exited;
  const answer = await run(['--socket', path]);
  expect(answer.code).toBe(2);
  expect(answer.err).toStartWith(`No agent answers: nobody listens on '${path}', it is left over\n`);
});

test('statusCommand() says of an agent that ends meanwhile that it has ended', async () => {
  const path = join(directory, 'ending.sock');
  using _ = Bun.listen({ unix: path, socket: { data: (socket) => void socket.terminate() } });
  const answer = await run(['--socket', path]);
  expect(answer.code).toBe(2);
  expect(answer.err).toStartWith(
    `The agent on '${path}' has closed the connection without an answer: it has ended just now\n`,
  );
});

test('statusCommand() explains a permission denied', async () => {
  // Root may open everything, so here root goes without that capability, on a socket of somebody else.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(socketPath, 65_534, 65_534);
  else chmodSync(socketPath, 0);
  const prefix = isRoot ? ['setpriv', '--inh-caps=-dac_override', '--bounding-set=-dac_override'] : [];
  const child = spawnStatus(['--socket', socketPath], prefix);
  expect(await child.exited).toBe(2);
  expect(await child.stderr.text()).toBe(
    `You may not open the agent's socket '${socketPath}'\n  → Only the user that the agent runs as may: try 'sudo flannelette status'\n`,
  );
});

test('statusCommand() does not trust what answers', async () => {
  const path = join(directory, 'odd.sock');
  for (const [response, reason] of [
    [() => new Response('\u001b[2J'), 'it is no JSON'],
    [() => new Response('no', { status: 404 }), 'it says 404'],
    [() => Response.json({ node: 'x' }), 'ready: Invalid key: Expected "ready" but received undefined'],
  ] as const) {
    const odd = Bun.serve({ unix: path, fetch: response });
    const { code, err } = await run(['--socket', path]);
    expect(code).toBe(2);
    expect(err).toStartWith(
      `What answers on '${path}' is no agent that this version understands: ${reason}\n`,
    );
    await odd.stop(true);
  }
});

test('statusCommand() says what an agent waits for that has only begun to start', async () => {
  const path = join(directory, 'starting.sock');
  const problems = [{ code: 'netlink-failed', message: 'Cannot open \u001b[2J', remedy: 'Raise it' }];
  const starting = Bun.serve({
    unix: path,
    fetch: () => Response.json({ ready: false, problems }, { status: 503 }),
  });
  expect(await run(['--socket', path])).toEqual({
    code: 3,
    out: '',
    err: 'The agent is starting\nCannot open \\u001b[2J\n  → Raise it\n',
  });
  await starting.stop(true);
});

test('statusCommand() prints JSON that is nested too deep to be indented', async () => {
  const path = join(directory, 'deep.sock');
  const body = `{"node":"x","ready":true,"y":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
  const deep = Bun.serve({ unix: path, fetch: () => new Response(body) });
  expect(await run(['--socket', path, '--json'])).toEqual({ code: 0, out: `${body}\n`, err: '' });
  await deep.stop(true);
});

test('statusCommand() refuses unknown arguments and explains itself', async () => {
  const wrong = await run(['--jsno']);
  expect([wrong.code, wrong.out]).toEqual([1, '']);
  expect(wrong.err).toContain("'--jsno'");
  expect(wrong.err).toContain('Usage: flannelette status');
  const help = await run(['-help']);
  expect([help.code, help.err]).toEqual([0, '']);
  expect(help.out).toStartWith('Usage: flannelette status');
});

test('statusCommand() writes no colour to a pipe, and all of a long page', async () => {
  status = manyPeers(5_000);
  const child = spawnStatus(['--socket', socketPath, '--peers']);
  const text = await child.stdout.text();
  expect(await child.exited).toBe(3);
  expect(text).not.toContain('\u001b');
  expect(text).toContain('edge-4999 ');
});

test('statusCommand() does not mind a reader that leaves', async () => {
  status = manyPeers(5_000);
  const child = spawnStatus(['--socket', socketPath, '--peers']);
  await child.stdout.cancel();
  expect(await child.stderr.text()).toBe('');
  expect(await child.exited).toBe(3);
});
