/**
 * A program for one network namespace: starts an etcd there, fills it, says where it is, and ends with its input.
 *
 *     bun test/bench/etcd-stage.ts 1000
 *
 * @module
 */
import { base64, startEtcd } from '../etcd/server.ts';
import { attributesOf, subnetOf } from './leases.ts';

const PREFIX = '/coreos.com/network';

/** etcd takes no more than 128 operations in one transaction. */
const BATCH = 100;

const count = Number(process.argv[2]);
await using etcd = await startEtcd();
const config = { Network: '10.64.0.0/10', SubnetLen: 24, Backend: { Type: 'vxlan' } };
await etcd.put(`${PREFIX}/config`, JSON.stringify(config));
await etcd.ask('/v3/lease/grant', { TTL: '86400', ID: '4711' });
for (let at = 0; at < count; at += BATCH) {
  const some = Array.from({ length: Math.min(BATCH, count - at) }, (_, i) => at + i);
  const puts = some.map((i) => ({
    request_put: {
      key: base64(`${PREFIX}/subnets/${subnetOf(i, 4).replace('/', '-')}`),
      value: base64(attributesOf(i, { families: [4], backend: 'vxlan' })),
      lease: '4711',
    },
  }));
  await etcd.ask('/v3/kv/txn', { success: puts });
}
console.log(etcd.endpoint);
await Bun.stdin.text();
