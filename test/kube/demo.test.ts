import { expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { EXECUTABLE } from '../net/lab.ts';
import { findBinaries } from './binaries.ts';

const countSchema = v.strictObject({ sent: v.number(), ok: v.number() });
const findingsSchema = v.looseObject({
  ok: v.boolean(),
  nodes: v.array(v.looseObject({ subnet: v.nullable(v.string()), subnetV6: v.nullable(v.string()) })),
  pings: v.strictObject({ v4: countSchema, v6: countSchema }),
  repairs: v.array(v.looseObject({ ms: v.number() })),
});

test.each([
  { args: [], subnet: '10.42.3.0/24', v4: 6 },
  { args: ['--ipv6-only'], subnet: null, v4: 0 },
])('the demo shows a network whose leases are in Kubernetes: $args', async ({ args, subnet, v4 }) => {
  const directory = mkdtempSync(join(tmpdir(), 'demo-test-'));
  try {
    const demo = Bun.spawn([EXECUTABLE, 'demo', '--store', 'kube', '--json', ...args], {
      cwd: '/',
      env: { ...process.env, TMPDIR: directory, KUBEBUILDER_ASSETS: dirname(findBinaries().etcd) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [printed, said] = await Promise.all([demo.stdout.text(), demo.stderr.text()]);
    const { ok, nodes, pings, repairs } = v.parse(
      findingsSchema,
      JSON.parse(printed.trimEnd().split('\n').at(-1) ?? ''),
    );
    expect({ status: await demo.exited, ok, said }).toEqual({
      status: 0,
      ok: true,
      said: expect.any(String),
    });
    expect(nodes.length).toBe(3);
    expect(nodes.at(-1)).toMatchObject({ subnet, subnetV6: 'fd42:0:0:3::/64' });
    expect(pings).toEqual({ v4: { sent: v4, ok: v4 }, v6: { sent: 6, ok: 6 } });
    expect(repairs.length).toBe(4);
    expect(readdirSync(directory)).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
