import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { vxlanOverlay } from './agent-expected.ts';
import { readOverlay } from './agent-overlay.ts';
import { eventually, expectPodsTalk, TIMEOUT_MS } from './agent-support.ts';
import { createLab, EXECUTABLE, LabNode } from './lab.ts';
import { Manager } from './manager.ts';

/** What the manager of these tests bears. */
const WATCHDOG_MS = 1_500;

function serviceOf(socket: string, watchdogMs?: number) {
  const watchdog = watchdogMs === undefined ? {} : { WATCHDOG_USEC: String(watchdogMs * 1_000) };
  return { environment: { NOTIFY_SOCKET: socket, ...watchdog } };
}

function rename(node: LabNode, from: string, to: string): void {
  node.run('ip', 'link', 'set', from, 'name', to);
}

test(
  'a manager on a path hears that the agent is ready, what is wrong, that it is over, and that it stops',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const path = join(lab.directory, 'notify');
    using manager = new Manager(path);
    const node = lab.node(1);
    lab.node(2).start();
    await lab.node(2).agent.ready();
    node.start(serviceOf(path));
    const ready = await manager.next('READY=1', 0);
    expect(ready).toMatch(/^READY=1\nSTATUS=Ready: 1 peer, vxlan, 10\.42\.\d+\.0\/24, fd42:[0-9a-f:]+\/64$/);
    rename(node, 'eth0', 'eth9');
    // Whether a pass misses the interface before it is looked for again, and adds its own problems, is a matter of luck.
    expect(await manager.next('STATUS=Not ready: No interface')).toStartWith(
      'STATUS=Not ready: No interface matches --iface=eth0. Plug the cable in or name another interface with ' +
        '--iface; the agent follows by itself',
    );
    rename(node, 'eth9', 'eth0');
    await manager.next('STATUS=Ready: 1 peer');
    await eventually(async () => expect((await node.agent.get('/readyz'))?.status).toBe(200));
    await node.stop();
    expect(manager.listen().at(-1)).toBe('STOPPING=1');
    expect([manager.count('READY=1'), manager.count('WATCHDOG=1')]).toEqual([1, 0]);
    // The same sentence is not told twice in a row.
    const repeated = manager.heard.filter((text, i) => text === manager.heard[i - 1]);
    expect(repeated).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  'an idle agent feeds the watchdog of a manager on an abstract socket, and one that is held does not',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const node = lab.node(1);
    const name = `@flannelette-${process.pid}`;
    using manager = inNetns(node.space.netns, () => new Manager(name));
    node.start(serviceOf(name, WATCHDOG_MS));
    lab.node(2).start();
    await manager.next('READY=1', 0);
    await Promise.all(lab.nodes.map(({ agent }) => agent.ready()));
    await lab.settled();
    const pods = await lab.addPods();
    for (let i = 0; i < 4; i++) await manager.next('WATCHDOG=1');
    process.kill(node.agent.pid, 'SIGSTOP');
    await Bun.sleep(200);
    const before = manager.count('WATCHDOG=1');
    await Bun.sleep(WATCHDOG_MS);
    expect(manager.count('WATCHDOG=1')).toBe(before);
    // What systemd does then.
    await node.kill();
    node.start(serviceOf(name, WATCHDOG_MS));
    await manager.next('READY=1');
    await manager.next('WATCHDOG=1');
    await expectPodsTalk(pods);
  },
  TIMEOUT_MS,
);

test(
  'an agent that waits for its interface lives, and asks for time to get ready in',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const path = join(lab.directory, 'notify');
    using manager = new Manager(path);
    const node = lab.node(1);
    rename(node, 'eth0', 'eth9');
    node.start(serviceOf(path, WATCHDOG_MS));
    for (let i = 0; i < 3; i++)
      expect(await manager.next('WATCHDOG=1')).toBe(`WATCHDOG=1\nEXTEND_TIMEOUT_USEC=${WATCHDOG_MS * 1_000}`);
    expect(manager.count('READY=1')).toBe(0);
    rename(node, 'eth9', 'eth0');
    await manager.next('READY=1');
    expect(await manager.next('WATCHDOG=1')).toBe('WATCHDOG=1');
  },
  TIMEOUT_MS,
);

test(
  'a socket that another holds is no reason for the watchdog to bite',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const path = join(lab.directory, 'notify');
    using manager = new Manager(path);
    const node = lab.node(1);
    await node.start().ready();
    const { socketPath } = node.agent;
    await node.stop();
    const unix = Bun.listen({ unix: socketPath, socket: { data() {} } });
    node.start(serviceOf(path, WATCHDOG_MS));
    const ready = await manager.next('READY=1', 0);
    for (let i = 0; i < 3; i++) await manager.next('WATCHDOG=1');
    expect(`${ready}\n${manager.heard.join('\n')}`).toContain('Another process answers on the status socket');
    unix.stop(true);
  },
  TIMEOUT_MS,
);

test(
  'a watchdog that is meant for another process is not fed',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const path = join(lab.directory, 'notify');
    using manager = new Manager(path);
    const node = lab.node(1);
    const { environment } = serviceOf(path, 300);
    node.start({ environment: { ...environment, WATCHDOG_PID: '1' } });
    await manager.next('READY=1', 0);
    await Bun.sleep(600);
    expect(manager.count('WATCHDOG=1')).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  'CAP_NET_ADMIN is all that the agent needs',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const only = ['--bounding-set', '-all,+net_admin', '--inh-caps', '-all,+net_admin', '--no-new-privs'];
    const command = ['setpriv', '--pdeathsig', 'KILL', ...only, '--', EXECUTABLE];
    await using node = new LabNode(lab.node(1).space, { ...lab.site, command });
    await lab.node(2).start().ready();
    await node.start().ready();
    await node.agent.programmed(1);
    const held = readFileSync(`/proc/${node.agent.pid}/status`, 'utf8');
    // linux/capability.h: CAP_NET_ADMIN is bit 12.
    expect(held).toContain('CapEff:\t0000000000001000');
    await lab.node(2).agent.programmed(1);
    await expectPodsTalk([await node.addPod(), await lab.node(2).addPod()]);
    node.run('ip', 'link', 'delete', 'flannel.1');
    await eventually(() => expect(readOverlay(node)).toEqual(vxlanOverlay(lab, node)));
  },
  TIMEOUT_MS,
);
