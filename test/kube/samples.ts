/**
 * Watch events of a real server, one a file, in both encodings, for tests that have no server.
 *
 * @module
 */
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import {
  INITIAL_EVENTS_END,
  STREAMING_LIST,
  WATCH_ACCEPT,
  type WatchEncoding,
  watchEvents,
} from './watch-stream.ts';

/** Where they are kept. */
export const SAMPLES = join(import.meta.dir, 'samples');

const ENCODINGS = ['json', 'protobuf'] as const;

/** As Biome does not format it, and nobody takes it for text. */
const ENDINGS: Readonly<Record<WatchEncoding, string>> = { json: 'jsonl', protobuf: 'bin' };

const PREFIX = 'flannel.alpha.coreos.com';

/** What flanneld and the agent write for VXLAN and both families. */
const ANNOTATIONS = {
  [`${PREFIX}/backend-data`]: '{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}',
  [`${PREFIX}/backend-type`]: 'vxlan',
  [`${PREFIX}/backend-v6-data`]: '{"VNI":1,"VtepMAC":"7a:3b:e0:11:5c:02"}',
  [`${PREFIX}/kube-subnet-manager`]: 'true',
  [`${PREFIX}/public-ip`]: '192.168.77.1',
  [`${PREFIX}/public-ipv6`]: 'fd77::1',
};

const NODE = {
  podCIDRs: ['10.42.1.0/24', 'fd42:0:0:1::/64'],
  annotations: ANNOTATIONS,
  addresses: [
    { type: 'InternalIP', address: '192.168.77.1' },
    { type: 'ExternalIP', address: '203.0.113.1' },
  ],
} as const;

/**
 * The events by their file names: `thin-node` and `fat-node` are ADDED, `bookmark` ends a streaming list, `gone` is the
 * ERROR of a version that the server has forgotten. Makes the nodes of the cluster, which must have none.
 */
export async function captureSamples(cluster: Cluster): Promise<ReadonlyMap<string, Buffer>> {
  await cluster.createNode('fat', { ...NODE, fat: true });
  await cluster.createNode('thin', NODE);
  const samples = new Map<string, Buffer>();
  for (const encoding of ENCODINGS) {
    const [fat, thin, bookmark] = await read(cluster, { path: STREAMING_LIST, encoding, count: 3 });
    if (fat === undefined || thin === undefined || !bookmark?.includes(INITIAL_EVENTS_END))
      throw new Error('Two nodes and a bookmark were expected');
    for (const [name, bytes] of Object.entries({ 'fat-node': fat, 'thin-node': thin, bookmark }))
      samples.set(`${name}.${ENDINGS[encoding]}`, bytes);
  }
  // A server forgets only with its process.
  await cluster.compact();
  await cluster.stopServer('SIGKILL');
  await cluster.startServer();
  for (const encoding of ENCODINGS) {
    const path = '/api/v1/nodes?watch=true&resourceVersion=1';
    const [gone] = await read(cluster, { path, encoding, count: 1 });
    if (!gone?.includes('ERROR')) throw new Error('Version 1 is not forgotten');
    samples.set(`gone.${ENDINGS[encoding]}`, gone);
  }
  return samples;
}

async function read(
  cluster: Cluster,
  { path, encoding, count }: { path: string; encoding: WatchEncoding; count: number },
): Promise<Buffer[]> {
  const response = await cluster.ask(cluster.plane.admin, { path, accept: WATCH_ACCEPT[encoding] });
  const events: Buffer[] = [];
  for await (const event of watchEvents(response, encoding)) {
    events.push(Buffer.from(event));
    if (events.length === count) break;
  }
  return events;
}
