/**
 * Writes `test/kube/samples` anew, from a server that it starts.
 *
 *     bun test/kube/capture-samples.ts
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster } from './cluster.ts';
import { captureSamples, SAMPLES } from './samples.ts';

await using cluster = await Cluster.start();
mkdirSync(SAMPLES, { recursive: true });
for (const [name, bytes] of await captureSamples(cluster)) writeFileSync(join(SAMPLES, name), bytes);
