/**
 * etcd as a lease store, opened.
 *
 * @module
 */
import type { LeaseStore, StoreTools } from '../../model/lease-store.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import type { EtcdStoreSettings } from '../../model/settings.ts';
import { EtcdClient } from './client.ts';
import { etcdProblem } from './failure.ts';
import { Gateway } from './gateway.ts';
import { EtcdLeaseSource } from './source.ts';

/** See the module. Nothing is asked of etcd yet. */
export function openEtcdStore(leases: EtcdStoreSettings, tools: StoreTools): LeaseStore {
  const { settings, clock, random, log, onUse } = tools;
  const name = `etcd ${leases.endpoints.join(',')}`;
  const { prefix } = leases;
  const client = new EtcdClient(new Gateway(leases, clock));
  return {
    name,
    readNodeName: undefined,
    async readNetwork() {
      const beganMs = clock.monotonicMs();
      const read = await readNetwork(client, `${prefix}/config`);
      onUse('read', clock.monotonicMs() - beganMs, read.ok || read.error.code === 'network-missing');
      return read;
    },
    source: ({ network }) =>
      new EtcdLeaseSource({
        name,
        client,
        prefix,
        network,
        renewMarginMinutes: settings.renewMarginMinutes,
        clock,
        random,
        log,
        onUse,
      }),
  };
}

async function readNetwork(client: EtcdClient, key: string): Promise<Result<string, Problem>> {
  const read = await client.get(key);
  if (!read.ok) return fail(etcdProblem(read.error));
  if (read.value !== undefined) return ok(read.value.value);
  return fail(
    problem('network-missing', `etcd has no key '${key}', which holds the network's configuration`),
  );
}
