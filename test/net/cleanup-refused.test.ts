import { expect, test } from 'bun:test';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vxlanOverlay } from './agent-expected.ts';
import { expectOverlay, TIMEOUT_MS } from './agent-support.ts';
import { agentFlags, cleanUp, cleanUpLater, wholeNode } from './cleanup-support.ts';
import { createLab } from './lab.ts';

test(
  'a running agent is in the way: refused with its process, also if another socket was named',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    const node = lab.node(1);
    for (const flags of [[], ['--socket', join(lab.directory, 'none.sock')]]) {
      const { status, stdout, stderr } = cleanUp(lab, node, { flags });
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toMatch(
        new RegExp(`^An agent runs here \\(process ${node.agent.pid}\\).*stop it first.*\\n$`),
      );
    }
    const { status, lines } = cleanUp(lab, node, { flags: ['--dry-run'] });
    expect({ status, first: lines[0] }).toEqual({
      status: 0,
      first: expect.stringContaining('# An agent runs'),
    });
    for (const each of lab.nodes) await expectOverlay(each, () => vxlanOverlay(lab, each));
  },
  TIMEOUT_MS,
);

test(
  'an agent of another network namespace that has the state directory, or the lease, is in the way',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    // From the other node, with the places of the first.
    const [node, other] = [lab.node(1), lab.node(2)];
    await other.stop();
    const places = agentFlags(lab, node);
    const named = ['env', `NODE_NAME=${node.name}`];
    const elsewhere = ['--socket', join(lab.directory, 'none.sock')];
    const byState = cleanUp(lab, other, { flags: [...places, ...elsewhere], before: named });
    expect(byState.status).toBe(1);
    expect(byState.stderr).toContain(`(process ${node.agent.pid}) has the state directory`);
    const byLease = cleanUp(lab, other, { flags: elsewhere, before: named });
    expect(byLease.status).toBe(1);
    expect(byLease.stderr).toContain(`(process ${node.agent.pid}) holds the lease of node node-1`);
    await expectOverlay(node, () => vxlanOverlay(lab, node));
  },
  TIMEOUT_MS,
);

test(
  'an agent that hangs is in the way too',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    await lab.startAll();
    const node = lab.node(1);
    process.kill(node.agent.pid, 'SIGSTOP');
    const { status, stderr } = cleanUp(lab, node);
    process.kill(node.agent.pid, 'SIGCONT');
    expect(status).toBe(1);
    expect(stderr).toStartWith(`An agent runs here (process ${node.agent.pid}) `);
  },
  TIMEOUT_MS,
);

test(
  'whatever answers on the socket is in the way; a file at its path is left',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    const path = join(lab.directory, 'other.sock');
    const flags = ['--socket', path];
    const server = Bun.listen({ unix: path, socket: { data: (socket) => void socket.end('what?\n') } });
    const { status, stderr } = await cleanUpLater(lab, node, { flags });
    server.stop(true);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^An agent or another program has the socket '.*other\.sock'.*\n$/),
    });
    rmSync(path, { force: true });
    writeFileSync(path, 'mine');
    const { status: left, lines } = cleanUp(lab, node, { flags });
    expect({ left, text: readFileSync(path, 'utf8') }).toEqual({ left: 0, text: 'mine' });
    expect(lines).toContain(`  ${path}: it is no socket`);
  },
  TIMEOUT_MS,
);

test(
  'without CAP_NET_ADMIN nothing is begun, and a dry run needs none',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    await lab.node(1).kill();
    const node = lab.node(1);
    const before = wholeNode(lab, node);
    const unprivileged = ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin', '--'];
    const { status, stdout, stderr } = cleanUp(lab, node, { before: unprivileged });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^.*CAP_NET_ADMIN.*\n$/);
    const planned = cleanUp(lab, node, { before: unprivileged, flags: ['--dry-run'] });
    const whole = cleanUp(lab, node, { flags: ['--dry-run'] });
    // Traffic rules alone are not for everybody to see.
    const unseen = '#   traffic rules: the kernel shows them only to root, or with CAP_NET_ADMIN';
    expect(planned.lines).toContain(unseen);
    const rest = (lines: readonly string[]) => lines.filter((line) => !/^#|^nft |^$/.test(line));
    expect(rest(planned.lines)).toEqual(rest(whole.lines));
    expect([planned.status, whole.status]).toEqual([3, 0]);
    expect(wholeNode(lab, node)).toEqual(before);
  },
  TIMEOUT_MS,
);
