import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/clock.ts';
import { HealthServer, type HealthServerOptions } from '../../../src/http/server.ts';
import type { Clock } from '../../../src/model/clock.ts';
import { agentStatus } from '../cli/agent-status.ts';
import { askTcp, freePort, until } from './ask.ts';

let directory: string;
let path: string;
const servers: HealthServer[] = [];
const children: Bun.Subprocess[] = [];
const delaysMs: number[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'health-'));
  path = join(directory, 'run', 'agent.sock');
  delaysMs.length = 0;
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    await child.exited;
  }
  rmSync(directory, { recursive: true });
});

/** Real time, but nobody waits for longer than 10 ms. */
const impatientClock: Clock = {
  ...systemClock,
  schedule: (delayMs, fn) => {
    delaysMs.push(delayMs);
    return systemClock.schedule(10, fn);
  },
};

function makeServer(options: Partial<HealthServerOptions> = {}): HealthServer {
  const server = new HealthServer({
    sources: {
      readiness: () => ({ ready: true, problems: [] }),
      status: () => agentStatus(),
      metrics: async () => '',
    },
    socketPath: path,
    healthzIp: '127.0.0.1',
    healthzPort: 0,
    clock: impatientClock,
    ...options,
  });
  servers.push(server);
  return server;
}

/** Another process that listens on the path, until it is killed. */
async function startOccupant(): Promise<Bun.Subprocess> {
  mkdirSync(join(directory, 'run'), { recursive: true });
  const code = `Bun.serve({ unix: ${JSON.stringify(path)}, fetch: () => new Response('occupant') }); console.log('up')`;
  const child = Bun.spawn([process.execPath, '-e', code], { stdout: 'pipe' });
  children.push(child);
  await child.stdout.getReader().read();
  return child;
}

async function askSocket(route: string): Promise<string> {
  return (await fetch(`http://agent${route}`, { unix: path })).text();
}

test('HealthServer makes the directory and a socket of mode 0600, and leaves nothing behind', async () => {
  const umask = process.umask(0o077);
  const server = makeServer();
  await server.start();
  expect(process.umask(umask)).toBe(0o077);
  expect(server.problems()).toEqual([]);
  expect((lstatSync(join(directory, 'run')).mode & 0o777).toString(8)).toBe('755');
  expect((lstatSync(path).mode & 0o777).toString(8)).toBe('600');
  expect(readdirSync(join(directory, 'run'))).toEqual(['agent.sock']);
  expect(await askSocket('/healthz')).toBe('flanneld is running');
  expect(JSON.parse(await askSocket('/status')).node).toBe('edge-1');
  await server.close();
  expect(readdirSync(join(directory, 'run'))).toEqual([]);
});

test('HealthServer takes over the socket of a process that was killed', async () => {
  const occupant = await startOccupant();
  occupant.kill('SIGKILL');
  await occupant.exited;
  expect(existsSync(path)).toBe(true);
  const server = makeServer();
  await server.start();
  expect(server.problems()).toEqual([]);
  expect(await askSocket('/livez')).toBe('alive');
});

test('HealthServer leaves the socket of a live process, says so once, and takes over when it ends', async () => {
  const occupant = await startOccupant();
  const told: (string | undefined)[] = [];
  const server = makeServer({ onProblem: (listener, trouble) => told.push(listener, trouble?.code) });
  await server.start();
  expect(server.problems()).toEqual([
    {
      code: 'health-unavailable',
      message: `Another process answers on the status socket '${path}'`,
      remedy:
        'Stop the other agent or choose another path with --socket; the agent takes over when it is free',
    },
  ]);
  await until(() => delaysMs.length > 9);
  for (const [i, fullMs] of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000].entries()) {
    expect(delaysMs[i]).toBeWithin(fullMs / 2, fullMs);
  }
  expect(told).toEqual(['socket', 'health-unavailable']);
  expect(await askSocket('/')).toBe('occupant');
  occupant.kill('SIGKILL');
  await until(() => server.problems().length === 0);
  expect(told).toEqual(['socket', 'health-unavailable', 'socket', undefined]);
  expect(await askSocket('/livez')).toBe('alive');
});

test('HealthServer lets one of two that start at once have a dead socket', async () => {
  const occupant = await startOccupant();
  occupant.kill('SIGKILL');
  await occupant.exited;
  const both = [makeServer(), makeServer()];
  await Promise.all(both.map((server) => server.start()));
  expect(both.map((server) => server.problems().length).toSorted()).toEqual([0, 1]);
  expect(await askSocket('/livez')).toBe('alive');
});

test('HealthServer never removes what is no socket', async () => {
  mkdirSync(join(directory, 'run'));
  writeFileSync(join(directory, 'precious'), 'keep');
  symlinkSync(join(directory, 'precious'), path);
  const server = makeServer();
  await server.start();
  expect(server.problems().map((each) => each.message)).toEqual([
    `'${path}' is in the way of the status socket and no socket`,
  ]);
  await server.close();
  expect(readFileSync(path, 'utf8')).toBe('keep');
});

test('HealthServer.ensure() makes a deleted socket again, even with its directory', async () => {
  const server = makeServer();
  await server.start();
  const before = lstatSync(path).ino;
  await server.ensure();
  expect(lstatSync(path).ino).toBe(before);
  unlinkSync(path);
  await server.ensure();
  expect(await askSocket('/livez')).toBe('alive');
  rmSync(join(directory, 'run'), { recursive: true });
  await Promise.all([server.ensure(), server.ensure()]);
  expect(await askSocket('/livez')).toBe('alive');
  expect(server.problems()).toEqual([]);
});

test('HealthServer keeps away from a socket that another process has put in its place', async () => {
  const server = makeServer();
  await server.start();
  unlinkSync(path);
  await startOccupant();
  await server.ensure();
  expect(server.problems().map((each) => each.code)).toEqual(['health-unavailable']);
  await server.close();
  expect(await askSocket('/')).toBe('occupant');
});

test('HealthServer.close() leaves a socket that is no longer its own', async () => {
  const server = makeServer();
  await server.start();
  unlinkSync(path);
  await startOccupant();
  await server.close();
  expect(await askSocket('/')).toBe('occupant');
});

test('HealthServer reports a directory that cannot be made and tries again', async () => {
  writeFileSync(join(directory, 'run'), 'a file');
  const server = makeServer();
  await server.start();
  expect(server.problems()[0]?.message).toMatch(/^Cannot make the status socket '.*': E/);
  await server.ensure();
  unlinkSync(join(directory, 'run'));
  await until(() => server.problems().length === 0);
  expect(await askSocket('/livez')).toBe('alive');
});

test('HealthServer answers the same on TCP', async () => {
  const healthzPort = await freePort();
  const server = makeServer({ healthzPort });
  await server.start();
  expect(server.problems()).toEqual([]);
  expect(await askTcp(healthzPort, '/healthz')).toEqual({ status: 200, body: 'flanneld is running' });
  expect(await askTcp(healthzPort, '/readyz')).toEqual({ status: 200, body: 'ready' });
  expect((await askTcp(healthzPort, '/status')).status).toBe(200);
});

test('HealthServer reports a port in use, keeps the socket, and takes the port when it is free', async () => {
  const other = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('other') });
  const healthzPort = other.port ?? 0;
  const server = makeServer({ healthzPort });
  await server.start();
  expect(server.problems()).toEqual([
    {
      code: 'health-unavailable',
      message: `Cannot listen on '127.0.0.1:${healthzPort}': another program has the port (EADDRINUSE)`,
      remedy:
        'Stop the other program or choose another healthz-port; the agent takes the port when it is free',
    },
  ]);
  expect(await askSocket('/livez')).toBe('alive');
  await other.stop(true);
  await until(() => server.problems().length === 0);
  expect((await askTcp(healthzPort, '/livez')).body).toBe('alive');
});

test('HealthServer reports an address that the machine has not', async () => {
  const server = makeServer({ healthzIp: '2001:db8::1', healthzPort: 18080 });
  await server.start();
  expect(server.problems()[0]?.message).toStartWith(
    "Cannot listen on '[2001:db8::1]:18080': this machine has no such",
  );
});

test('HealthServer refuses long requests and shows no stack', async () => {
  const sources = {
    status: () => agentStatus(),
    metrics: async () => '',
    readiness: () => {
      throw new Error('inner secret');
    },
  };
  await makeServer({ sources }).start();
  const failed = await fetch('http://agent/readyz', { unix: path });
  expect([failed.status, await failed.text()]).toEqual([
    500,
    'The agent failed to answer; its log says why\n',
  ]);
  const body = 'x'.repeat(2_000);
  const long = await fetch('http://agent/healthz', { unix: path, method: 'POST', body });
  expect([long.status, await long.text()]).toEqual([413, '']);
  const junk = await rawAnswer('nonsense\r\n\r\n');
  expect(junk).toStartWith('HTTP/1.1 400');
  expect(junk).not.toContain(' at ');
  const header = await rawAnswer(`GET /healthz HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`);
  expect(header).toStartWith('HTTP/1.1 431');
});

/** What comes back for some bytes until the server closes. */
async function rawAnswer(request: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = '';
  const socket = await Bun.connect({
    unix: path,
    socket: {
      data: (_, bytes) => {
        answer += bytes.toString();
      },
      close: () => resolve(answer),
      error: () => resolve(answer),
    },
  });
  socket.write(request);
  return promise;
}

test('HealthServer keeps no timer and no open handle after close()', async () => {
  await startOccupant();
  const code = `
    import { systemClock as clock } from ${JSON.stringify(join(import.meta.dir, '../../../src/clock.ts'))};
    import { HealthServer } from ${JSON.stringify(join(import.meta.dir, '../../../src/http/server.ts'))};
    const sources = { readiness: () => ({ ready: true, problems: [] }) };
    for (const socketPath of [${JSON.stringify(path)}, ${JSON.stringify(`${path}.other`)}]) {
      const server = new HealthServer({ sources, clock, socketPath, healthzIp: '', healthzPort: 0 });
      await server.start();
      console.log(server.problems().length);
      await server.close();
    }`;
  const child = Bun.spawn([process.execPath, '-e', code], { stdout: 'pipe' });
  children.push(child);
  expect(await child.stdout.text()).toBe('1\n0\n');
  expect(await child.exited).toBe(0);
});
