/** The file of remembered leases: what is saved is loaded, and what is not ours is set aside. @module */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lease } from '../../../../src/model/lease.ts';
import { LeaseTable } from '../../../../src/model/lease-table.ts';
import { judgeLease } from '../../../../src/store/accept.ts';
import { LeaseFile, type Memory, type Remembered } from '../../../../src/store/remembered/lease-file.ts';
import { ip, network, rawLease, sure } from '../samples.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flannelette-leases-'));
  path = join(directory, 'leases.tsv');
});
afterEach(() => {
  chmodSync(directory, 0o700);
  rmSync(directory, { recursive: true, force: true });
});

const AT = { atMs: Date.UTC(2026, 0, 2), isTimeNews: false };
const ADDRESSES = { ipv4: ip('203.0.113.1'), ipv6: undefined };

function fileOf(different: { directory?: string; node?: string; store?: string } = {}): LeaseFile {
  return new LeaseFile({ directory, node: 'node-1', store: 'kube', ...different });
}

function lease(n: number, different: Partial<Lease> = {}): Lease {
  return { ...sure(judgeLease(rawLease(n), network()).lease, `${n}`), ...different };
}

function memoryOf(own: Lease | undefined, ...peers: readonly Lease[]): Memory {
  return { own, peers: new Map(peers.map((peer) => [peer.node, peer])), addresses: ADDRESSES };
}

/** What is loaded by another run of the program, judged as whoever loads it does. */
function loaded(): { own: Lease | undefined; peers: (Lease | undefined)[]; rest: Partial<Remembered> } {
  const { remembered, warning } = fileOf().load();
  expect(warning).toBeUndefined();
  const { own, peers, ...rest } = sure(remembered, 'leases.tsv');
  const judged = peers.map((peer) => judgeLease(peer, network()).lease);
  return { own: own && judgeLease(own, network()).lease, peers: judged, rest };
}

describe('what is saved is loaded as it was', () => {
  const own = lease(1);
  const peers = [lease(2), lease(3, { ipv6: undefined }), lease(4, { ipv4: undefined })];

  test.each(['a map', 'a table'])('both families, one and the other, out of %s', (kind) => {
    const table = new LeaseTable();
    for (const peer of peers) table.set(peer);
    const memory = memoryOf(own, ...peers);
    expect(fileOf().save(kind === 'a map' ? memory : { ...memory, peers: table }, AT)).toBeUndefined();
    expect(loaded()).toEqual({ own, peers, rest: { addresses: ADDRESSES, savedAtMs: AT.atMs } });
  });

  test('nobody at all', () => {
    fileOf().save(memoryOf(undefined), AT);
    expect(loaded()).toMatchObject({ own: undefined, peers: [] });
    fileOf().save(memoryOf(own), AT);
    expect(loaded()).toMatchObject({ own, peers: [] });
    fileOf().save(memoryOf(undefined, ...peers), AT);
    expect(loaded()).toMatchObject({ own: undefined, peers });
  });

  test('other backends have no VTEP', () => {
    const half = sure(own.ipv4, 'IPv4');
    const peer = lease(2, {
      backendType: 'host-gw',
      ipv4: { ...half, vtep: undefined },
      ipv6: undefined,
    });
    fileOf().save(memoryOf(undefined, peer), AT);
    const raw = sure(fileOf().load().remembered?.peers[0], 'peer');
    expect(judgeLease(raw, network({ backend: { type: 'host-gw' } })).lease).toEqual(peer);
  });

  test('the directory is made, and only its owner reads what is in it', () => {
    const below = join(directory, 'a/state');
    expect(fileOf({ directory: below }).save(memoryOf(own), AT)).toBeUndefined();
    expect(statSync(below).mode & 0o777).toBe(0o700);
    expect(statSync(join(below, 'leases.tsv')).mode & 0o777).toBe(0o600);
    expect(readdirSync(below)).toEqual(['leases.tsv']);
  });

  test('it is one line a lease, after a line of JSON', () => {
    fileOf().save(memoryOf(own, lease(2)), AT);
    expect(readFileSync(path, 'utf8')).toBe(
      [
        '{"version":1,"store":"kube","node":"node-1","savedAt":"2026-01-02T00:00:00.000Z","publicIp":"203.0.113.1"}',
        'node-1\tvxlan\t10.3.1.0/24\t192.168.0.1\t1\t0a:58:00:00:00:01\tfc00:0:0:1::/64\t2001:db8::1\t1\t0a:58:00:00:80:01',
        'node-2\tvxlan\t10.3.2.0/24\t192.168.0.2\t1\t0a:58:00:00:00:02\tfc00:0:0:2::/64\t2001:db8::2\t1\t0a:58:00:00:80:02',
        '',
      ].join('\n'),
    );
  });
});

describe('nothing is written twice', () => {
  /** A rename gives the file another inode. */
  const inode = () => statSync(path).ino;
  const later = { atMs: AT.atMs + 60_000, isTimeNews: false };

  test('by the run that has written it', () => {
    const file = fileOf();
    file.save(memoryOf(lease(1), lease(2)), AT);
    const before = inode();
    file.save(memoryOf(lease(1), lease(2)), later);
    expect(inode()).toBe(before);
    file.save(memoryOf(lease(1), lease(3)), later);
    expect(loaded()).toMatchObject({ peers: [lease(3)], rest: { savedAtMs: later.atMs } });
  });

  test('nor by the next one', () => {
    fileOf().save(memoryOf(lease(1), lease(2)), AT);
    const before = inode();
    const file = fileOf();
    file.load();
    file.save(memoryOf(lease(1), lease(2)), later);
    expect(inode()).toBe(before);
  });

  test('but if only the time is new and that is wanted', () => {
    const file = fileOf();
    file.save(memoryOf(lease(1)), AT);
    file.save(memoryOf(lease(1)), { ...later, isTimeNews: true });
    expect(loaded().rest.savedAtMs).toBe(later.atMs);
  });
});

describe('what is of no use', () => {
  const HEAD = '{"version":1,"store":"kube","node":"node-1","savedAt":"2026-01-02T00:00:00.000Z"}';

  test('no file is no fault', () => {
    expect(fileOf().load()).toEqual({ remembered: undefined, warning: undefined });
  });

  test.each([
    ['an empty file', ''],
    ['no line end', HEAD],
    ['an end that is cut off', `${HEAD}\n\nnode-2\tvxlan`],
    ['no JSON', 'version 1\n\n'],
    ['JSON that is cut off', `${HEAD.slice(0, 30)}\n\n`],
    ['another version', `${HEAD.replace('1', '2')}\n\n`],
    ['no version', `${HEAD.replace('"version":1,', '')}\n\n`],
    ['no time', `${HEAD.replace(/,"savedAt":"[^"]*"/, '')}\n\n`],
    ['a time that is none', `${HEAD.replace('2026-01-02', 'yesterday')}\n\n`],
    ['a list', '[]\n\n'],
    ['null', 'null\n\n'],
    ['zeros, as a file system leaves them', `${'\0'.repeat(4096)}\n`],
  ])('%s is set aside', (_, text) => {
    writeFileSync(path, text);
    const { remembered, warning } = fileOf().load();
    expect(remembered).toBeUndefined();
    expect(warning).toMatch(/^\S+leases\.tsv is damaged.*; it was set aside as \S+\.corrupt$/);
    expect(readFileSync(`${path}.corrupt`, 'utf8')).toBe(text);
    expect(existsSync(path)).toBe(false);
    // And another is written in its place.
    const file = fileOf();
    file.save(memoryOf(lease(1)), AT);
    expect(loaded().own).toEqual(lease(1));
  });

  test.each([
    [{ node: 'node-2' }, "is that of node 'node-2' with leases from 'kube'"],
    [{ store: 'etcd' }, "is that of node 'node-1' with leases from 'etcd'"],
  ])('that of another is set aside (%j)', (whose, why) => {
    fileOf(whose).save(memoryOf(undefined, lease(3)), AT);
    const { remembered, warning } = fileOf().load();
    expect(remembered).toBeUndefined();
    expect(warning).toBe(`${path} ${why}; it was set aside as ${path}.corrupt`);
  });

  test.each([
    ['an empty line', ''],
    ['a word', 'node-2'],
    ['tabs', '\t'.repeat(40)],
    ['no name', '\tvxlan\t10.3.2.0/24\t192.168.0.2\t1\t0a:58:00:00:00:02'],
    ['no network', 'node-2\tvxlan\tx\t192.168.0.2\t1\t0a:58:00:00:00:02'],
    ['no address', 'node-2\tvxlan\t10.3.2.0/24\tx\t1\t0a:58:00:00:00:02'],
    ['an address of the other family', 'node-2\tvxlan\t10.3.2.0/24\t2001:db8::2\t1\t0a:58:00:00:00:02'],
    ['no number', 'node-2\tvxlan\t10.3.2.0/24\t192.168.0.2\tx\t0a:58:00:00:00:02'],
    ['no MAC', 'node-2\tvxlan\t10.3.2.0/24\t192.168.0.2\t1\tx'],
    ['a MAC of many', 'node-2\tvxlan\t10.3.2.0/24\t192.168.0.2\t1\tff:ff:ff:ff:ff:ff'],
    ['another backend', 'node-2\tudp\t10.3.2.0/24\t192.168.0.2\t1\t0a:58:00:00:00:02'],
    ['a subnet outside', 'node-2\tvxlan\t10.4.2.0/24\t192.168.0.2\t1\t0a:58:00:00:00:02'],
  ])('a line with %s harms only its own node', (_, line) => {
    fileOf().save(memoryOf(lease(1), lease(3)), AT);
    const [head, own, peer] = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, [head, own, line, peer, ''].join('\n'));
    expect(loaded()).toMatchObject({ own: lease(1), peers: [undefined, lease(3)] });
  });

  test.each([
    ['publicIp', '2001:db8::1'],
    ['publicIp', 'x'],
    ['publicIpV6', '192.0.2.1'],
  ])('a public address that is none is passed over (%s %s)', (key, value) => {
    writeFileSync(path, `${HEAD.replace('}', `,"${key}":"${value}"}`)}\n\n`);
    expect(loaded().rest.addresses).toEqual({ ipv4: undefined, ipv6: undefined });
  });
});

describe('what the file system does not let do', () => {
  test('a directory that is a file', () => {
    writeFileSync(join(directory, 'state'), '');
    const below = join(directory, 'state');
    expect(fileOf({ directory: below }).save(memoryOf(lease(1)), AT)).toMatchObject({
      code: 'state-unwritable',
      message: expect.stringMatching(/^Cannot save \S+leases\.tsv: .*(EEXIST|ENOTDIR)/),
    });
    expect(fileOf({ directory: below }).load()).toEqual({
      remembered: undefined,
      warning: expect.stringMatching(/^Cannot read \S+leases\.tsv: .*ENOTDIR/),
    });
  });

  test('a file that is a directory is left, and what failed is tried again', () => {
    mkdirSync(path);
    const file = fileOf();
    expect(file.load().warning).toMatch(/^Cannot read \S+leases\.tsv: .*EISDIR/);
    expect(file.save(memoryOf(lease(1)), AT)).toMatchObject({ code: 'state-unwritable' });
    expect(readdirSync(directory)).toEqual(['leases.tsv']);
    rmSync(path, { recursive: true });
    expect(file.save(memoryOf(lease(1)), AT)).toBeUndefined();
    expect(loaded().own).toEqual(lease(1));
  });
});
