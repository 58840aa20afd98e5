import { expect, test } from 'bun:test';
import { HashIndex, hashText } from '../../../src/model/hash-index.ts';
import { type Lease, sameLease } from '../../../src/model/lease.ts';
import { LeaseTable } from '../../../src/model/lease-table.ts';
import { type Random, seededRandom } from '../../fuzz/random.ts';
import { leaseOf } from '../../sim/samples.ts';

function randomLease(random: Random, n: number): Lease {
  const families = ([[4], [6], [4, 6]] as const)[random(3)] ?? [4];
  const backendType = random(4) === 0 ? 'host-gw' : 'vxlan';
  const lease = leaseOf(n, { families, backendType, subnet: random(256), publicIp: random(1000) });
  return { ...lease, node: `${'longer-'.repeat(random(4))}node-${n}` };
}

test('LeaseTable holds what a Map holds, through thousands of changes', () => {
  const random = seededRandom(7);
  const table = new LeaseTable();
  const model = new Map<string, Lease>();
  const names = new Map<number, string>();
  for (let step = 0; step < 5_000; step++) {
    const n = random(300);
    if (random(3) === 0) {
      const name = names.get(n) ?? 'nobody';
      expect(table.delete(name)).toBe(model.delete(name));
    } else {
      const fresh = randomLease(random, n);
      const lease = { ...fresh, node: names.get(n) ?? fresh.node };
      names.set(n, lease.node);
      const before = table.ordinalOf(lease.node);
      const ordinal = table.set(lease);
      if (before >= 0) expect(ordinal).toBe(before);
      expect(table.equals(ordinal, lease)).toBe(true);
      model.set(lease.node, lease);
    }
    if (step % 500 === 0) expectSame(table, model);
  }
  expectSame(table, model);
  for (const name of [...model.keys()]) table.delete(name);
  expect(table.size).toBe(0);
  expect([...table.keys()]).toEqual([]);
});

function expectSame(table: LeaseTable, model: ReadonlyMap<string, Lease>): void {
  expect(table.size).toBe(model.size);
  expect([...table.keys()].sort()).toEqual([...model.keys()].sort());
  for (const [name, lease] of model) {
    const got = table.get(name);
    expect(got).toEqual(lease);
    expect(got !== undefined && sameLease(got, lease)).toBe(true);
  }
  expect(table.get('nobody')).toBeUndefined();
  expect(table.has('nobody')).toBe(false);
  expect(table.at(-1)).toBeUndefined();
}

test('LeaseTable tells leases apart that differ in one field', () => {
  const table = new LeaseTable();
  const lease = leaseOf(2);
  const ordinal = table.set(lease);
  const { ipv4 } = lease;
  if (ipv4 === undefined) throw new Error('no IPv4');
  const others: Lease[] = [
    leaseOf(2, { subnet: 3 }),
    leaseOf(2, { mac: 3 }),
    leaseOf(2, { publicIp: 3 }),
    leaseOf(2, { families: [4] }),
    leaseOf(2, { families: [6] }),
    { ...lease, backendType: 'host-gw' },
    { ...lease, ipv4: { ...ipv4, vtep: undefined } },
    { ...lease, ipv4: { ...ipv4, vtep: ipv4.vtep && { ...ipv4.vtep, vni: 2 } } },
  ];
  expect(others.map((other) => table.equals(ordinal, other))).toEqual(others.map(() => false));
  expect(others.map((other) => sameLease(lease, other))).toEqual(others.map(() => false));
  expect(table.equals(ordinal, leaseOf(2))).toBe(true);
});

test('LeaseTable gives its leases as lines of ten fields, one for each node that it has', () => {
  const table = new LeaseTable();
  expect([...table.lines()]).toEqual([]);
  table.set(leaseOf(2));
  table.set(leaseOf(3));
  table.set(leaseOf(4, { families: [6], backendType: 'host-gw' }));
  table.delete('node-3');
  expect([...table.lines()]).toEqual([
    'node-2\tvxlan\t10.42.2.0/24\t192.168.0.2\t1\t02:00:00:04:00:02\tfd42:0:0:2::/64\tfd99::2\t1\t02:00:00:06:00:02',
    'node-4\thost-gw\t\t\t\t\tfd42:0:0:4::/64\tfd99::4\t\t',
  ]);
});

test('LeaseTable can be changed while its names are read', () => {
  const table = new LeaseTable();
  for (let n = 0; n < 50; n++) table.set(leaseOf(n));
  let seen = 0;
  for (const name of table.keys()) {
    seen++;
    table.delete(name);
  }
  expect({ seen, size: table.size }).toEqual({ seen: 50, size: 0 });
});

test('HashIndex finds, among equal hashes too, what was entered and not taken out', () => {
  const random = seededRandom(8);
  const index = new HashIndex();
  const model = new Map<number, number>();
  for (let step = 0; step < 20_000; step++) {
    const value = random(400);
    // Few hashes: long runs, which wrap around the end.
    const hash = model.get(value) ?? (random(2) === 0 ? 0xffffffff - random(3) : random(40));
    if (model.has(value)) {
      expect(index.remove(hash, value)).toBe(true);
      model.delete(value);
    } else {
      expect(index.remove(hash, value)).toBe(false);
      index.insert(hash, value);
      model.set(value, hash);
    }
    if (step % 1_000 !== 0) continue;
    expect(index.size).toBe(model.size);
    for (const [each, under] of model)
      expect(index.find(under, (candidate) => candidate === each)).toBe(each);
  }
  index.clear();
  expect(index.size).toBe(0);
  expect(index.find(0xffffffff, () => true)).toBe(-1);
});

test('hashText() spreads names that differ in their last digits', () => {
  const buckets = new Map<number, number>();
  for (let n = 0; n < 4_096; n++) {
    const bucket = hashText(`route 10.${n >> 8}.${n & 255}.0/24`) & 4095;
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
  }
  expect(Math.max(...buckets.values())).toBeLessThan(12);
  expect(buckets.size).toBeGreaterThan(2_000);
});
