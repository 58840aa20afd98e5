import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { EXECUTABLE } from './lab.ts';

const TIMEOUT_MS = 60_000;

const countSchema = v.strictObject({ sent: v.number(), ok: v.number() });
const findingsSchema = v.strictObject({
  ok: v.boolean(),
  nodes: v.array(
    v.strictObject({
      name: v.string(),
      subnet: v.nullable(v.string()),
      subnetV6: v.nullable(v.string()),
      readyMs: v.number(),
      rssKib: v.number(),
      anonKib: v.number(),
    }),
  ),
  pings: v.strictObject({ v4: countSchema, v6: countSchema }),
  outside: v.strictObject({ v4: countSchema, v6: countSchema }),
  repairs: v.array(v.strictObject({ what: v.string(), ms: v.number() })),
});

const { PATH = '' } = process.env;
/** Where the preparation puts an etcd that is not installed. */
const FETCHED = join(import.meta.dir, '../../.cache');

let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'demo-test-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Its temporary files go where the test sees what is left of them. */
function startDemo(...args: string[]) {
  const env = { ...process.env, TMPDIR: directory, PATH: `${PATH}:${FETCHED}` };
  return Bun.spawn([EXECUTABLE, 'demo', ...args], { cwd: '/', env, stdin: 'ignore', stderr: 'pipe' });
}

async function runDemo(...args: string[]) {
  const demo = startDemo(...args);
  const [stdout, stderr] = await Promise.all([
    new Response(demo.stdout).text(),
    new Response(demo.stderr).text(),
  ]);
  const lines = stdout.trimEnd().split('\n');
  return { status: await demo.exited, lines, stderr };
}

/** The processes whose command line names the test's directory, which every part of a demo's does. */
function processesLeft(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((commandLine) => commandLine.includes(directory));
}

test.each([
  { args: [], nodes: 3, repairs: 4, v4: 6, v6: 6 },
  { args: ['--backend', 'host-gw', '--nodes', '2'], nodes: 2, repairs: 3, v4: 2, v6: 2 },
  { args: ['--ipv4-only', '--nodes', '1'], nodes: 1, repairs: 2, v4: 0, v6: 0 },
  { args: ['--ipv6-only'], nodes: 3, repairs: 4, v4: 0, v6: 6 },
  { args: ['--store', 'etcd'], nodes: 3, repairs: 4, v4: 6, v6: 6 },
  { args: ['--store', 'etcd', '--ipv6-only', '--nodes', '2'], nodes: 2, repairs: 4, v4: 0, v6: 2 },
])(
  'flannelette demo $args shows a network that works',
  async ({ args, nodes, repairs, v4, v6 }) => {
    const { status, lines, stderr } = await runDemo('--json', ...args);
    const findings = v.parse(findingsSchema, JSON.parse(lines.at(-1) ?? ''));
    expect({ status, ok: findings.ok, stderr }).toEqual({ status: 0, ok: true, stderr: expect.any(String) });
    expect(findings.nodes.length).toBe(nodes);
    expect(findings.repairs.length).toBe(repairs);
    expect(findings.pings).toEqual({ v4: { sent: v4, ok: v4 }, v6: { sent: v6, ok: v6 } });
    const outside = (other: string) => (args.join(' ').includes(other) ? 0 : nodes);
    expect(findings.outside).toEqual({
      v4: { sent: outside('--ipv6-only'), ok: outside('--ipv6-only') },
      v6: { sent: outside('--ipv4-only'), ok: outside('--ipv4-only') },
    });
    expect(new Set(findings.nodes.map(({ subnet, subnetV6 }) => subnet ?? subnetV6)).size).toBe(nodes);
    expect({ files: readdirSync(directory), processes: processesLeft() }).toEqual({
      files: [],
      processes: [],
    });
  },
  TIMEOUT_MS,
);

test(
  'flannelette demo works where what the plugins of this machine have written down cannot be read',
  async () => {
    const hidden = 'mount -t tmpfs none /var/lib && mkdir /var/lib/cni && touch /var/lib/cni/networks';
    const command = ['unshare', '-m', 'sh', '-c', `${hidden} && exec "$@"`, 'sh', EXECUTABLE, 'demo'];
    const env = { ...process.env, TMPDIR: directory };
    const demo = Bun.spawn([...command, '--nodes', '1'], { cwd: '/', env, stderr: 'pipe' });
    const [stdout, status] = await Promise.all([demo.stdout.text(), demo.exited]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.any(String) });
  },
  TIMEOUT_MS,
);

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'flannelette demo leaves nothing when %s ends it half-way',
  async (signal) => {
    for (const delayMs of [30, 100, 300]) {
      const demo = startDemo('--nodes', '20');
      await Bun.sleep(delayMs);
      demo.kill(signal);
      expect(await demo.exited).toBeGreaterThan(128);
      expect({ files: readdirSync(directory), processes: processesLeft() }).toEqual({
        files: [],
        processes: [],
      });
    }
  },
  TIMEOUT_MS,
);

test(
  'flannelette demo leaves no process when it is killed',
  async () => {
    const demo = startDemo('--keep');
    await untilText(demo.stdout, 'It stays up until Ctrl-C');
    expect(processesLeft().length).toBeGreaterThan(3);
    demo.kill('SIGKILL');
    await demo.exited;
    const deadlineMs = performance.now() + 5_000;
    while (processesLeft().length > 0 && performance.now() < deadlineMs) await Bun.sleep(10);
    expect(processesLeft()).toEqual([]);
    for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
  },
  TIMEOUT_MS,
);

test(
  'flannelette demo --keep ends by a signal with the status of what it showed',
  async () => {
    const demo = startDemo('--keep', '--nodes', '2');
    await untilText(demo.stdout, 'It stays up until Ctrl-C');
    demo.kill('SIGINT');
    expect(await demo.exited).toBe(0);
    expect(readdirSync(directory)).toEqual([]);
  },
  TIMEOUT_MS,
);

test('flannelette demo says in one line what is wrong with its arguments', async () => {
  const { status, lines, stderr } = await runDemo('--nodes', '51');
  expect({ status, lines, stderr }).toEqual({
    status: 1,
    lines: [''],
    stderr: "'--nodes' must be a number from 1 to 50, found '51'\n",
  });
});

async function untilText(stream: ReadableStream<Uint8Array>, wanted: string): Promise<void> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes(wanted)) return;
  }
  throw new Error(`Not said: '${wanted}' in ${text}`);
}
