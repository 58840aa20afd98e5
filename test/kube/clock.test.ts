/** A node whose clock is years off: a Pi without a battery begins in the past. @module */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../net/agent-support.ts';
import { KubeLab } from './kube-lab.ts';

/** Of Debian's package `faketime`: what a process takes for the time. */
const LIBRARY = [
  `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketime.so.1`,
]
  .filter(existsSync)
  .join();

let kube: KubeLab;
beforeAll(async () => {
  kube = await KubeLab.start({ nodes: 1, families: [4] });
});
afterAll(() => kube?.[Symbol.asyncDispose]());

test.each(['@1971-01-01 00:00:00', '@2060-01-01 00:00:00'])(
  'a clock that begins at %s is named as the clock, and the agent goes on when it is set',
  async (time) => {
    expect(LIBRARY).not.toBe('');
    const node = kube.lab.node(1);
    node.start({ environment: { LD_PRELOAD: LIBRARY, FAKETIME: time, FAKETIME_DONT_FAKE_MONOTONIC: '1' } });
    await eventually(async () => expect((await node.agent.get('/readyz'))?.text).toContain('clock-wrong'));
    expect((await node.agent.get('/readyz'))?.text).toContain(
      `The clock of this node says ${time.slice(1, 11)}`,
    );
    await node.kill();
    node.start();
    await node.agent.ready();
    await node.stop();
    rmSync(join(node.agent.directory, 'state', 'leases.tsv'), { force: true });
  },
);
