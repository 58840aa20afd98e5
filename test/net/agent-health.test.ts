import { expect, test } from 'bun:test';
import { lstatSync } from 'node:fs';
import { inNetns } from '../../ffi/netns.ts';
import { deviceName } from './agent-expected.ts';
import { leaseOf, partOf, readLeases } from './agent-store.ts';
import { eventually, JSON_LOG, parseReasons, readLog, reasonsOf, TIMEOUT_MS } from './agent-support.ts';
import { createLab, EXECUTABLE, type LabNode } from './lab.ts';

const PORT = 8081;
const WITH_PORT = { arguments: [...JSON_LOG.arguments, `--healthz-port=${PORT}`] };

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Asks over TCP from inside the node, with nothing but a shell. */
function askTcp(node: LabNode, path: string, { host = '127.0.0.1', verb = 'GET' } = {}): Answer {
  const request = `${verb} ${path} HTTP/1.1\\r\\nHost: node\\r\\nConnection: close\\r\\n\\r\\n`;
  const script = `exec 3<>/dev/tcp/${host}/${PORT} && printf '${request}' >&3 && cat <&3`;
  const [head = '', ...body] = node.run('bash', '-c', script).split('\r\n\r\n');
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), body: body.join('\r\n\r\n') };
}

/** Runs `flannelette status` in the node. */
function runStatus(node: LabNode, ...args: string[]) {
  const command = [EXECUTABLE, 'status', '--socket', node.agent.socketPath, ...args];
  const { exitCode, stdout, stderr } = inNetns(node.space.netns, () =>
    Bun.spawnSync(command, { stdin: 'ignore', stderr: 'pipe', timeout: 10_000 }),
  );
  return { status: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** Takes the interface away, and gives it back. */
function hide(node: LabNode): void {
  node.run('ip', 'link', 'set', 'eth0', 'name', 'eth9');
}
function show(node: LabNode): void {
  node.run('ip', 'link', 'set', 'eth9', 'name', 'eth0');
}

test(
  'health is answered on the socket, for the owner alone, and on TCP where a port is given',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    await node.start(WITH_PORT).ready();
    expect(node.run('stat', '-c', '%F %a %U', node.agent.socketPath)).toBe('socket 600 root\n');
    for (const [path, body] of [
      ['/healthz', 'flanneld is running'],
      ['/livez', 'alive'],
      ['/readyz', 'ready'],
      ['/readyz?format=json', '{"ready":true,"problems":[]}'],
    ] as const) {
      expect(await node.agent.get(path)).toEqual({ status: 200, text: body });
      expect(askTcp(node, path)).toEqual({ status: 200, body });
    }
    expect(JSON.parse(askTcp(node, '/status').body).node).toBe('node-1');
    expect(askTcp(node, '/healthz', { host: '192.168.77.1' }).status).toBe(200);
    expect(askTcp(node, '/healthz', { verb: 'HEAD' })).toEqual({ status: 200, body: '' });
    expect(askTcp(node, '/healthz', { verb: 'POST' }).status).toBe(405);
    expect(askTcp(node, '/metrics').body).toContain('\nflannelette_ready 1\n');
    expect(askTcp(node, '/nothing').status).toBe(404);
  },
  TIMEOUT_MS,
);

test(
  '--healthz-ip keeps others out, and without a port nobody listens',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    await node.start({ arguments: [`--healthz-port=${PORT}`, '--healthz-ip=127.0.0.1'] }).ready();
    expect(askTcp(node, '/healthz').status).toBe(200);
    expect(() => askTcp(node, '/healthz', { host: '192.168.77.1' })).toThrow('refused');
    await node.stop();
    await node.start().ready();
    expect(() => askTcp(node, '/healthz')).toThrow('refused');
  },
  TIMEOUT_MS,
);

test(
  'while the interface is away both say so, and what is alive stays alive',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    await node.start(WITH_PORT).ready();
    hide(node);
    await eventually(async () => expect((await reasonsOf(node)).codes).toContain('interface-missing'));
    const { status, body } = askTcp(node, '/readyz');
    expect(status).toBe(503);
    expect(body).toStartWith('not ready\n');
    expect(body).toContain('No interface matches --iface=eth0. Plug the cable in');
    expect(parseReasons(503, askTcp(node, '/readyz?format=json').body).codes).toContain('interface-missing');
    expect(askTcp(node, '/livez').status).toBe(200);
    expect(askTcp(node, '/healthz').status).toBe(200);
    show(node);
    await node.agent.ready();
  },
  TIMEOUT_MS,
);

test(
  'the socket of a dead agent is taken over, and removed by one that ends in order',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    await node.start().ready();
    const { socketPath } = node.agent;
    await node.kill();
    expect(lstatSync(socketPath).isSocket()).toBe(true);
    expect(runStatus(node).status).toBe(2);
    await node.start().ready();
    expect(runStatus(node).status).toBe(0);
    await node.stop();
    expect(lstatSync(socketPath, { throwIfNoEntry: false })).toBeUndefined();
    expect(runStatus(node)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('there is no socket'),
    });
  },
  TIMEOUT_MS,
);

test(
  'a socket and a port that others hold are no reason to stop, and are taken when they are free',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    node.start(WITH_PORT);
    await node.agent.ready();
    const { socketPath } = node.agent;
    await node.stop();
    const unix = Bun.listen({ unix: socketPath, socket: { data() {} } });
    const script = `Bun.listen({ hostname: '0.0.0.0', port: ${PORT}, socket: { data() {} } }); console.log('up')`;
    const holder = inNetns(node.space.netns, () => Bun.spawn([process.execPath, '-e', script]));
    for await (const _ of holder.stdout) break;
    node.start(WITH_PORT);
    const isTold = (text: string) => readLog(node.agent).filter(({ msg }) => msg.includes(text)).length;
    await eventually(() => expect(isTold('Another process answers on the status socket')).toBe(1));
    await eventually(() => expect(isTold(`Cannot listen on '0.0.0.0:${PORT}'`)).toBe(1));
    await eventually(() => expect(node.ip('link', 'show', 'flannel.1').length).toBe(1));
    unix.stop(true);
    await node.agent.ready();
    // The pod network is whole: this is told, but nothing waits for it.
    expect(await reasonsOf(node)).toMatchObject({ status: 200, codes: ['health-unavailable'] });
    holder.kill();
    await holder.exited;
    await eventually(() => expect(askTcp(node, '/readyz').status).toBe(200));
    await eventually(async () => expect((await reasonsOf(node)).codes).toEqual([]));
  },
  TIMEOUT_MS,
);

test(
  'flannelette status tells a person what there is, and a script whether it is well',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll();
    const node = lab.node(1);
    const { status, stdout, stderr } = runStatus(node);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const lease of readLeases(lab)) {
      for (const family of [4, 6] as const) expect(stdout).toContain(partOf(lease, family).subnet);
    }
    for (const family of [4, 6] as const) {
      expect(stdout).toContain(`${deviceName(family)} ${partOf(leaseOf(lab, node), family).mac}`);
    }
    for (const text of [
      'node-1',
      'node-2',
      'node-3',
      'vxlan',
      'eth0',
      'MTU 1500',
      '--iface=eth0',
      'leases.db',
    ]) {
      expect(stdout).toContain(text);
    }
    expect(stdout).not.toContain('\u001b');
    expect(JSON.parse(runStatus(node, '--json').stdout)).toMatchObject({
      node: 'node-1',
      pid: node.agent.pid,
      ready: true,
      problems: [],
      interface: { name: 'eth0', mtuBytes: 1500, ipv4: '192.168.77.1', ipv6: 'fd77::1' },
      lease: { subnet: partOf(leaseOf(lab, node), 4).subnet, subnetV6: partOf(leaseOf(lab, node), 6).subnet },
      peers: expect.arrayContaining([expect.objectContaining({ node: 'node-2', state: 'programmed' })]),
      repairs: {},
    });
    hide(node);
    await eventually(() => {
      const page = runStatus(node);
      expect(page.status).toBe(3);
      expect(page.stdout).toContain('No interface matches --iface=eth0');
      expect(page.stdout).toContain('Plug the cable in');
    });
    expect(runStatus(node, '--no-such-flag').status).toBe(1);
  },
  TIMEOUT_MS,
);
