import { Database } from 'bun:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StateFile } from '../../src/store/state-file.ts';
import { network } from '../unit/store/samples.ts';
import { acquired, Laboratory, until } from './sources.ts';

const FIXTURES = join(import.meta.dir, 'fixtures');
/** What the release before this one selects and writes: all of these columns have to stay as they were. */
const COLUMNS =
  'created, node, subnet, subnet6, attributes, expires_ms, revision, removed_ms, pid, boot_id'.split(', ');

let lab: Laboratory;
beforeEach(() => {
  lab = new Laboratory();
  const db = new Database(lab.path);
  db.run('PRAGMA journal_mode = WAL');
  db.run(readFileSync(join(FIXTURES, 'leases.sql'), 'utf8'));
  // A lease lasts for a day.
  db.run('UPDATE lease SET expires_ms = ?', [Date.now() + 86_000_000]);
  db.close();
});
afterEach(() => lab.close());

/** The columns of the lease, the version, and the names of the triggers. */
function formOf() {
  const db = new Database(lab.path, { readonly: true });
  const form = {
    columns: db.query("SELECT name FROM pragma_table_info('lease')").values().flat(),
    version: db.query('PRAGMA user_version').values()[0]?.[0],
    triggers: db.query("SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name").values().flat(),
  };
  db.close();
  return form;
}

/** A statement as another program may run it, and the nodes in their order afterwards. */
function orderAfter(...statements: readonly string[]): unknown[] {
  const db = new Database(lab.path);
  for (const sql of statements) db.run(sql);
  const names = db.query('SELECT node FROM lease ORDER BY created').values().flat();
  db.close();
  return names;
}

function ofFixture() {
  const range = network();
  const ipv4 = { ...range.ipv4, network: '10.42.0.0/16', subnetMin: '10.42.1.0', subnetMax: '10.42.255.0' };
  const ipv6 = {
    ...range.ipv6,
    network: 'fd42::/48',
    subnetMin: 'fd42:0:0:1::',
    subnetMax: 'fd42:0:0:ffff::',
  };
  return { ...range, ipv4, ipv6 } as typeof range;
}

test('the database of the release before is read, and stays one that it reads', async () => {
  const source = lab.open('c', { network: ofFixture() });
  const ear = lab.listen(source);
  await until('the peers', () => ear.names.length === 2);
  expect(ear.peer('node-1')).toEqual({
    node: 'node-1',
    backendType: 'vxlan',
    ipv4: { subnet: '10.42.79.0/24', publicIp: '192.168.77.1', vtep: { vni: 1, mac: '42:5f:74:7f:71:59' } },
    ipv6: { subnet: 'fd42:0:0:5f::/64', publicIp: 'fd77::1', vtep: { vni: 1, mac: '6e:f6:3b:89:cb:10' } },
  } as never);
  expect(ear.changes[0]?.set.refused).toEqual([]);
  await acquired(source, 'c', 3);
  expect(formOf()).toEqual({
    columns: COLUMNS,
    version: 1,
    triggers: ['lease_made', 'lease_moved', 'lease_told'],
  });
});

test('the state of the release before is read', () => {
  const directory = join(lab.directory, 'state');
  mkdirSync(directory);
  copyFileSync(join(FIXTURES, 'node.json'), join(directory, 'node.json'));
  const { state, warning } = new StateFile(directory).load();
  expect(warning).toBeUndefined();
  expect(state).toMatchObject({
    macIpv4: '42:5f:74:7f:71:59',
    macIpv6: '6e:f6:3b:89:cb:10',
    links: ['flannel-v6.1', 'flannel.1'],
  });
});

describe('the order of leases, whoever writes them', () => {
  const INSERT = `INSERT INTO lease (created, node, subnet, attributes, expires_ms, revision, pid, boot_id) VALUES`;

  beforeEach(() => {
    lab.inspect((database) => database.state());
    expect(orderAfter()).toEqual(['node-2', 'node-1']);
  });

  test.each([
    ['a place in front', [`${INSERT} (0, 'x', NULL, '', 0, 3, 0, '')`]],
    ['a place below all', [`${INSERT} (-5, 'x', NULL, '', 0, 3, 0, '')`]],
    ['a place beyond all', [`${INSERT} (9223372036854775807, 'x', NULL, '', 0, 3, 0, '')`]],
    ['no place', [`${INSERT} (NULL, 'x', NULL, '', 0, 3, 0, '')`]],
  ])('a row with %s is the last', (_, statements) => {
    expect(orderAfter(...statements)).toEqual(['node-2', 'node-1', 'x']);
    expect(lab.inspect((database) => database.nextCreated())).toBe(4);
  });

  test.each([
    ['another subnet', "UPDATE lease SET subnet = '10.42.79.0/25' WHERE node = 'node-2'"],
    ['another IPv6 subnet', "UPDATE lease SET subnet6 = 'fd42:0:0:5f::/65' WHERE node = 'node-2'"],
    [
      'another MAC',
      "UPDATE lease SET attributes = replace(attributes, '5e:8d', '52:00') WHERE node = 'node-2'",
    ],
    [
      'another place in one go',
      "UPDATE lease SET created = 1, subnet = '10.42.79.0/25' WHERE node = 'node-2'",
    ],
  ])('a row that gets %s is the last', (_, sql) => {
    expect(orderAfter(sql)).toEqual(['node-1', 'node-2']);
  });

  test.each([
    ['is renewed', "UPDATE lease SET expires_ms = 7, pid = 8, revision = 9 WHERE node = 'node-2'"],
    [
      'gets another address',
      "UPDATE lease SET attributes = replace(attributes, '77.2', '77.9') WHERE node = 'node-2'",
    ],
    ['gives a family up', "UPDATE lease SET subnet6 = NULL WHERE node = 'node-2'"],
    ['gets attributes that are no JSON', "UPDATE lease SET attributes = '{{' WHERE node = 'node-2'"],
  ])('a row that %s keeps its place', (_, sql) => {
    expect(orderAfter(sql)).toEqual(['node-2', 'node-1']);
  });
});
