/**
 * Lease databases of a given size, made without the store's own allocation.
 *
 * @module
 */
import { Database } from 'bun:sqlite';
import { type Family, ipFromBigint, ipToBigint, parseIp, parseMac } from '../../src/model/ip.ts';
import { formatAttributes } from '../../src/store/attributes.ts';
import { prepareConnection } from '../../src/store/sqlite/schema.ts';

/** What the leases of a bench look like. */
export interface SeedOptions {
  readonly count: number;
  readonly families: readonly Family[];
  readonly backend: 'vxlan' | 'host-gw';
}

const DAY_MS = 86_400_000;

function offset(base: string, by: bigint): string {
  const ip = parseIp(base);
  if (ip === undefined) throw new Error(`Not an address: ${base}`);
  return ipFromBigint(base.includes(':') ? 6 : 4, ipToBigint(ip) + by);
}

/** Node `i`'s subnets: 10.64.0.0/10 and fd42::/40 hold 16,384 of them. */
export function subnetOf(i: number, family: Family): string {
  return family === 4
    ? `${offset('10.64.1.0', BigInt(i) << 8n)}/24`
    : `${offset('fd42:0:0:1::', BigInt(i) << 64n)}/64`;
}

/** Node `i`'s address on the underlay. */
export function publicIpOf(i: number, family: Family): string {
  return offset(family === 4 ? '172.16.1.0' : 'fd77::1:0', BigInt(i));
}

/** Node `i`'s VTEP address. */
export function macOf(i: number, family: Family): string {
  const octets = (i + 1)
    .toString(16)
    .padStart(8, '0')
    .replace(/(..)(?!$)/g, '$1:');
  return `${family === 4 ? '0a' : '0e'}:58:${octets}`;
}

/** One lease's attributes as a flannel agent would publish them. */
export function attributesOf(i: number, { families, backend }: Omit<SeedOptions, 'count'>): string {
  const half = (family: Family) => {
    const publicIp = parseIp(publicIpOf(i, family));
    const mac = parseMac(macOf(i, family));
    if (!families.includes(family) || publicIp === undefined || mac === undefined) return undefined;
    return { publicIp, vtep: backend === 'vxlan' ? { vni: 1, mac } : undefined };
  };
  return formatAttributes({ backendType: backend, ipv4: half(4), ipv6: half(6) });
}

/** Makes the database with `count` leases of other nodes. */
export function seedLeases(path: string, options: SeedOptions): void {
  const db = new Database(path, { create: true });
  prepareConnection(db);
  const insert = db.prepare(
    'INSERT INTO lease (node, subnet, subnet6, attributes, expires_ms, revision, created, pid, boot_id) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)',
  );
  const expires = Date.now() + DAY_MS;
  db.transaction(() => {
    for (let i = 0; i < options.count; i++) {
      const [subnet, subnet6] = ([4, 6] as const).map((family) =>
        options.families.includes(family) ? subnetOf(i, family) : null,
      );
      insert.run(
        `peer-${i}`,
        subnet ?? null,
        subnet6 ?? null,
        attributesOf(i, options),
        expires,
        i + 1,
        i + 1,
        'bench',
      );
    }
    db.run('UPDATE state SET revision = ?', [options.count]);
  })();
  db.close();
}
