/** Another program that changes an object back, again and again. @module */
import { expect, test } from 'bun:test';
import { inNetns } from '../../ffi/netns.ts';
import { vxlanOverlay } from './agent-expected.ts';
import { leaseOf, partOf } from './agent-store.ts';
import {
  eventually,
  expectOverlay,
  expectPodsTalk,
  JSON_LOG,
  readLog,
  reasonsOf,
  TIMEOUT_MS,
} from './agent-support.ts';
import { createLab, type LabNode } from './lab.ts';

const EVERY_MS = 50;

/** One `ip` that lives on and is told the same command again and again, as a daemon does it. */
function fighter(node: LabNode, command: string): AsyncDisposable {
  const ip = inNetns(node.space.netns, () =>
    Bun.spawn(['ip', '-force', '-batch', '-'], { stdin: 'pipe', stdout: 'ignore', stderr: 'ignore' }),
  );
  const timer = setInterval(() => {
    ip.stdin.write(`${command}\n`);
    void ip.stdin.flush();
  }, EVERY_MS);
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      void ip.stdin.end();
      await ip.exited;
    },
  };
}

test(
  'a program that keeps removing a route is named, slowed down, and delays nothing else',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll(JSON_LOG);
    const pods = await lab.addPods();
    const [node, enemy, friend] = [lab.node(1), lab.node(2), lab.node(3)];
    const { subnet } = partOf(leaseOf(lab, enemy), 4);
    {
      await using _ = fighter(node, `route delete ${subnet} proto 102`);
      await eventually(async () => {
        const { status, codes, messages } = await reasonsOf(node);
        expect(status).toBe(503);
        expect(codes).toEqual(['fight']);
        expect(messages[0]).toMatch(
          /^Something else \(ip, process \d+\) removes route 10\.42\..* again and again/,
        );
      });
      const spared = partOf(leaseOf(lab, friend), 4).subnet;
      node.run('ip', 'route', 'delete', spared);
      await eventually(() => expect(node.ip('route', 'show', spared)).toHaveLength(1), 1_000);
      await expectPodsTalk(pods.filter(({ node: { name } }) => name !== enemy.name));
    }
    // It is put right when its turn comes, five seconds later at most, and the node is ready again.
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    await expectPodsTalk(pods);
    await eventually(async () => expect((await reasonsOf(node)).status).toBe(200));
    const told = readLog(node.agent).filter(({ code }) => code === 'fight');
    expect(told.length).toBeLessThanOrEqual(2);
  },
  TIMEOUT_MS,
);

test(
  "a program that keeps taking a route over is known by its route's protocol",
  async () => {
    await using lab = await createLab({ nodes: 2, families: [4], backend: { Type: 'host-gw' } });
    await lab.startAll(JSON_LOG);
    const [node, peer] = [lab.node(1), lab.node(2)];
    const { subnet } = partOf(leaseOf(lab, peer), 4);
    await using _ = fighter(node, `route replace ${subnet} via 192.168.77.99 dev eth0 proto zebra`);
    await eventually(async () => {
      const { codes, messages } = await reasonsOf(node);
      expect(codes).toEqual(['fight']);
      expect(messages[0]).toContain("route protocol 'zebra'");
    });
  },
  TIMEOUT_MS,
);
