import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster } from './cluster.ts';
import { captureSamples, SAMPLES } from './samples.ts';

/** What is another each time: ids, times and versions. */
const VOLATILE =
  /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:]+Z|"resourceVersion":"\d+"|resource version: \d+ \(\d+\)/g;

test('the samples are what the server says', async () => {
  await using cluster = await Cluster.start();
  const captured = await captureSamples(cluster);
  expect([...captured.keys()].sort()).toEqual(readdirSync(SAMPLES).sort());
  for (const [name, bytes] of captured) {
    const kept = readFileSync(join(SAMPLES, name));
    if (name.endsWith('.jsonl')) {
      const stable = (text: Buffer) => text.toString().replaceAll(VOLATILE, '');
      expect({ name, text: stable(kept) }).toEqual({ name, text: stable(bytes) });
    } else {
      // Numbers have as many bytes as they need.
      expect(Math.abs(kept.length - bytes.length)).toBeLessThan(16);
    }
  }
});
