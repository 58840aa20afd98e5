import { expect, test } from 'bun:test';
import { inNetns } from '../../ffi/netns.ts';
import { eventually } from '../net/agent-support.ts';
import { createLab } from '../net/lab.ts';
import { findBinaries } from './binaries.ts';
import { Cluster } from './cluster.ts';
import { LAB_ADDRESS, plugIntoLab } from './lab-cable.ts';
import { FaultProxy } from './proxy.ts';

test('the nodes of a laboratory reach the cluster, and a proxy before it', async () => {
  await using lab = await createLab({ nodes: 1, families: [4] });
  using _cable = plugIntoLab(lab);
  await using cluster = await Cluster.start({ addresses: [LAB_ADDRESS] });
  await using proxy = await FaultProxy.start(cluster);
  await cluster.createNode('a');
  for (const { port } of [cluster, proxy]) {
    const server = `https://${LAB_ADDRESS}:${port}`;
    const path = await cluster.kubeconfig({
      user: 'root',
      groups: ['system:masters'],
      kind: 'certificate',
      server,
    });
    const { kubectl } = findBinaries();
    const command = [kubectl, `--kubeconfig=${path}`, 'get', 'nodes', '-o', 'name'];
    await eventually(async () => {
      // Not by `run`, which waits: the proxy is a part of this process.
      const seen = inNetns(lab.node(1).space.netns, () =>
        Bun.spawn(command, { stdio: ['ignore', 'pipe', 'ignore'] }),
      );
      expect((await seen.stdout.text()).trim()).toBe('node/a');
    });
  }
});
