/** A watch whose connection is half open: nothing comes, and nobody says so. The clock is turned on for it. @module */
import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import type { Clock } from '../../src/model/clock.ts';
import { KubeApi } from '../../src/store/kube/api.ts';
import { CredentialSource } from '../../src/store/kube/credentials.ts';
import { NodeWatch } from '../../src/store/kube/node-watch.ts';
import { eventually } from '../net/agent-support.ts';
import { Cluster } from './cluster.ts';
import { FaultProxy, WATCH } from './proxy.ts';

const FASTER = 200;

/** A minute and a half takes half a second. */
const hasty: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() * FASTER,
  schedule: (delayMs, fn) => systemClock.schedule(delayMs / FASTER, fn),
};

test('a watch that says nothing for a minute and a half is given up, and what it missed is heard of', async () => {
  await using cluster = await Cluster.start();
  await using proxy = await FaultProxy.start(cluster);
  await cluster.createNode('a');
  const kubeconfig = await cluster.kubeconfig({
    user: 'root',
    groups: ['system:masters'],
    kind: 'certificate',
    server: proxy.url,
  });
  const command = [process.execPath, join(import.meta.dir, '../../src/main.ts')];
  const credentials = new CredentialSource({ kubeconfig, clock: systemClock, command });
  const api = new KubeApi({ credentials, apiUrl: undefined, clock: systemClock, onUse: () => {} });
  const heard: string[] = [];
  const watch = new NodeWatch({
    api,
    filter: { prefix: Buffer.from('x/'), own: 'a' },
    clock: hasty,
    random: () => 0.5,
    sink: {
      put: ({ name }) => heard.push(name),
      gone: (name) => heard.push(`-${name}`),
      listed: (names) => heard.push(`all ${[...names].join()}`),
      restarted: () => {},
      settled: () => {},
      recovered: () => {},
      failed: ({ problem }) => heard.push(problem.message),
    },
  });
  watch.start();
  await eventually(() => expect(heard).toContain('all a'));
  proxy.mute(1);
  proxy.drop();
  const before = proxy.requests.filter(WATCH).length;
  await eventually(() => expect(proxy.requests.filter(WATCH).length).toBe(before + 1));
  await cluster.createNode('b');
  await eventually(() => expect(heard).toContain('b'));
  expect(proxy.requests.filter(WATCH).length).toBeGreaterThan(before + 1);
  watch.close();
});
