import { expect, test } from 'bun:test';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readOverlay } from './agent-overlay.ts';
import { leaseOf, partOf } from './agent-store.ts';
import { eventually, expectPodsTalk, expectTrouble, JSON_LOG, readLog, TIMEOUT_MS } from './agent-support.ts';
import { createLab, type Lab, LabNode } from './lab.ts';

/** A second agent for a node's namespace, with files of its own but for what `shared` names. */
function twinOf(lab: Lab, node: LabNode, shared: readonly ('state' | 'socket')[]) {
  const twin = new LabNode(node.space, { ...lab.site, directory: join(lab.directory, 'twin') });
  const place = (what: string) => join(lab.directory, node.name, what);
  const flags = [
    ...JSON_LOG.arguments,
    ...['--subnet-file', place('subnet.env')],
    ...(shared.includes('state') ? ['--state-dir', place('state')] : []),
    ...(shared.includes('socket') ? ['--socket', place('agent.sock')] : []),
  ];
  return { twin, start: () => twin.start({ arguments: flags }) };
}

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'a second agent of a node touches nothing, says who has the node, and takes over after its %s',
  async (signal) => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll(JSON_LOG);
    const pods = await lab.addPods();
    const node = lab.node(1);
    const { twin, start } = twinOf(lab, node, ['state']);
    await using _ = twin;
    const look = () => ({ kernel: readOverlay(node), lease: leaseOf(lab, node), state: stateOf(lab, node) });
    const before = look();
    start();
    const state = join(lab.directory, node.name, 'state');
    const holder = `process ${node.agent.pid}`;
    const message = `Another agent (${holder}) has the state directory '${state}' of node ${node.name}`;
    expect(await expectTrouble(twin, 'state-locked', message)).toBe(message);
    expect((await twin.agent.get('/livez'))?.status).toBe(200);
    expect(await twin.agent.status()).toMatchObject({
      node: node.name,
      pid: twin.agent.pid,
      ready: false,
      problems: [{ code: 'state-locked', message, remedy: expect.stringContaining('takes over') }],
    });
    node.run('ip', 'link', 'delete', 'flannel.1');
    await eventually(() => expect(look()).toEqual(before));
    await node.agent.stop(signal);
    await eventually(async () => expect((await twin.agent.get('/readyz'))?.status).toBe(200));
    expect(readLog(twin.agent).filter(({ msg }) => msg === 'Problem is over').length).toBe(1);
    await expectPodsTalk(pods);
    expect(look()).toEqual(before);
  },
  TIMEOUT_MS,
);

/** What is in the state directory, to the byte, and when it was changed. */
function stateOf(lab: Lab, node: LabNode): unknown[] {
  const directory = join(lab.directory, node.name, 'state');
  return [
    statSync(directory).mtimeMs,
    ...readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
  ];
}

test(
  'a second agent on the same socket takes that over too, and one that waits can be stopped',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    await lab.startAll(JSON_LOG);
    const node = lab.node(1);
    const { twin, start } = twinOf(lab, node, ['state', 'socket']);
    await using _ = twin;
    start();
    const said = () => readLog(twin.agent).map(({ code }) => code);
    await eventually(() =>
      expect(said()).toEqual(expect.arrayContaining(['state-locked', 'health-unavailable'])),
    );
    expect(await twin.stop()).toBe(0);
    expect(readLog(twin.agent).at(-1)?.msg).toBe('Stopping before the start was over');
    const second = start();
    await eventually(() => expect(said().filter((code) => code === 'state-locked').length).toBe(2));
    await node.kill();
    await eventually(async () => {
      const answer = await node.agent.get('/status');
      expect(JSON.parse(answer?.text ?? '{}')).toMatchObject({ pid: second.pid, ready: true });
    });
  },
  TIMEOUT_MS,
);

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'a second agent of one name on another network yields to the one whose row it is, until its %s',
  async (signal) => {
    await using lab = await createLab({ nodes: 2 });
    const [node, other] = [lab.node(1), lab.node(2)];
    await node.start(JSON_LOG).ready();
    const { subnet, publicIp } = partOf(leaseOf(lab, node), 4);
    other.start({ ...JSON_LOG, environment: { NODE_NAME: node.name } });
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const who = `process ${node.agent.pid} of boot ${bootId}`;
    await expectTrouble(other, 'lease-held', `is held by ${who}, which still runs`);
    expect(readOverlay(other).links).toEqual([]);
    await Bun.sleep(500);
    expect(readLog(node.agent).filter(({ level }) => level === 'warn')).toEqual([]);
    expect(partOf(leaseOf(lab, node), 4)).toMatchObject({ subnet, publicIp });
    await node.agent.stop(signal);
    await other.agent.ready();
    expect(partOf(leaseOf(lab, node), 4)).toMatchObject({ subnet, publicIp: '192.168.77.2' });
  },
  TIMEOUT_MS,
);
