/**
 * What a runtime, a disk or an operator may do wrong: an error by the specification, with a next step, nothing half-made, and
 * nothing of others touched.
 *
 * @module
 */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PluginOutcome, pathOf } from './cni-plugin.ts';
import { type Call, CniStage, SUBNET_ENV } from './cni-stage.ts';
import { run } from './witness.ts';

let stage: CniStage;

beforeEach(() => {
  stage = new CniStage();
});

afterEach(() => stage[Symbol.dispose]());

/** An error by the specification: version, a number, a sentence, and what to do about it. */
function failure(code: number, msg: RegExp, details: RegExp = /./): PluginOutcome {
  return {
    status: 1,
    told: {
      cniVersion: expect.stringMatching(/^\d\.\d\.\d$/),
      code,
      msg: expect.stringMatching(msg),
      details: expect.stringMatching(details),
    },
  };
}

/** What there is on the node and on its disk. */
function everything(): unknown {
  const links = run(stage.node, ['ip', '-br', 'link']).replaceAll(/@\S+/g, '');
  return { links, given: stage.given(), state: stage.state(), files: readdirSync(stage.path).sort() };
}

const DEEP = '['.repeat(100_000);

test.each<[name: string, stdin: string | Uint8Array, outcome: PluginOutcome]>([
  ['nothing', '', failure(6, /not JSON/)],
  ['half a configuration', '{"cniVersion":"1.0.0","name":"cb', failure(6, /not JSON/)],
  ['a list', '[]', failure(6, /not a JSON object/)],
  ['NULs', new Uint8Array(64), failure(6, /not JSON/)],
  ['deep nesting', DEEP, failure(6, /not JSON/)],
  ['deep nesting that ends', `{"x":${DEEP}${']'.repeat(100_000)}}`, failure(1, /incompatible CNI versions/)],
  [
    'ten megabytes',
    `{"cniVersion":"1.0.0","x":"${'x'.repeat(10 << 20)}"}`,
    failure(5, /standard input: EFBIG/),
  ],
  ['no UTF-8', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), failure(6, /not JSON/)],
  [
    'a version to come',
    '{"cniVersion":"9.0.0","name":"cbr0"}',
    failure(1, /'9\.0\.0'/, /Spoken here: 0\.3\.1/),
  ],
  ['a version that is none', '{"cniVersion":1,"name":"cbr0"}', failure(7, /cniVersion must be a text/)],
  ['no name', '{"cniVersion":"1.0.0"}', failure(7, /missing network name/)],
  ['a name that is a path', '{"cniVersion":"1.0.0","name":"../x"}', failure(7, /invalid characters/)],
])('standard input: %s', (_, stdin, outcome) => {
  const before = everything();
  expect(stage.call('ADD', pathOf(stage.newPod()), { stdin })).toEqual(outcome);
  expect(everything()).toEqual(before);
});

const HUGE = 'x'.repeat(300);

test.each<[name: string, variables: Call['variables'], outcome: PluginOutcome]>([
  ['no container', { CNI_CONTAINERID: undefined }, failure(4, /\[CNI_CONTAINERID\] missing/)],
  ['no namespace', { CNI_NETNS: undefined }, failure(4, /\[CNI_NETNS\] missing/)],
  ['no interface', { CNI_IFNAME: undefined }, failure(4, /\[CNI_IFNAME\] missing/)],
  ['no path', { CNI_PATH: undefined }, failure(4, /\[CNI_PATH\] missing/)],
  [
    'a container that is a path',
    { CNI_CONTAINERID: '../x' },
    failure(4, /invalid characters in CNI_CONTAINERID/),
  ],
  [
    'a container with a slash',
    { CNI_CONTAINERID: 'a/b' },
    failure(4, /invalid characters in CNI_CONTAINERID/),
  ],
  ['a container of no length', { CNI_CONTAINERID: HUGE }, failure(5, /ENAMETOOLONG/)],
  ['an interface too long', { CNI_IFNAME: 'abcdefghijklmnop' }, failure(4, /too long/, /At most 15/)],
  ['an interface with a slash', { CNI_IFNAME: '../eth0' }, failure(4, /no name of an interface/)],
  ['no such namespace', { CNI_NETNS: '/run/netns/flannelette-never' }, failure(4, /no network namespace/)],
  ['a namespace that is a file', { CNI_NETNS: '/etc/hostname' }, failure(4, /no network namespace/)],
  ['a namespace of another kind', { CNI_NETNS: '/proc/self/ns/mnt' }, failure(4, /cannot enter/)],
])('variables: %s', (_, variables, outcome) => {
  const before = everything();
  expect(stage.call('ADD', pathOf(stage.newPod()), { variables })).toEqual(outcome);
  expect(everything()).toEqual({ ...Object(before), files: expect.any(Array), state: [] });
  expect(stage.given()).toEqual([]);
});

test.each<[name: string, text: string | undefined, outcome: PluginOutcome]>([
  ['none', undefined, failure(11, /has not written .*subnet\.env yet/, /systemctl status flannelette/)],
  ['empty', '', failure(11, /is not complete: missing FLANNEL_NETWORK/, /flannelette status/)],
  ['garbage', '\0\u00ff\u00fe=\n=\n\n==', failure(11, /is not complete: missing/)],
  ['half written', SUBNET_ENV.slice(0, 60), failure(11, /is not complete: missing/)],
  ['a subnet that is none', SUBNET_ENV.replace('10.42.1.1/24', 'x'), failure(11, /FLANNEL_SUBNET is 'x'/)],
  [
    'too large',
    `${'#'.repeat(100_000)}\n${SUBNET_ENV}`,
    failure(11, /^cannot read .*subnet\.env: EFBIG$/, /too large/),
  ],
  ['a subnet too small', SUBNET_ENV.replace('10.42.1.1/24', '10.42.1.1/31'), failure(7, /too small/)],
])('subnet.env: %s', (_, text, outcome) => {
  if (text === undefined) run(stage.node, ['rm', join(stage.path, 'subnet.env')]);
  else stage.writeSubnets(text);
  const before = everything();
  expect(stage.call('ADD', pathOf(stage.newPod()))).toEqual(outcome);
  expect(everything()).toEqual(before);
});

/** Runs the plugin where `folder` is a file system of its own; its mounts go with it. */
function mounted(folder: string, options: string): string[] {
  return ['unshare', '-m', 'sh', '-c', `mount -t tmpfs -o ${options} tmpfs '${folder}' && exec "$0"`];
}

test.each(['state', 'books'])('a read-only file system for %s', (folder) => {
  const path = join(stage.path, folder);
  for (const each of ['state', 'books']) mkdirSync(join(stage.path, each));
  const before = everything();
  const wrapper = mounted(path, 'ro');
  expect(stage.call('ADD', pathOf(stage.newPod()), { wrapper })).toEqual(
    failure(5, /: EROFS$/, /read-only: mount it to be written, or set dataDir/),
  );
  expect(everything()).toEqual(before);
  expect(stage.call('DEL', '', { wrapper })).toEqual({ status: 0, told: undefined });
});

test.each(['state', 'books'])('a full file system for %s', (folder) => {
  const path = join(stage.path, folder);
  for (const each of ['state', 'books']) mkdirSync(join(stage.path, each));
  const before = everything();
  // One page for the folder's lock or file, and none for what is in it.
  const wrapper = ['unshare', '-m', 'sh', '-c'];
  const fill = `mount -t tmpfs -o size=4k tmpfs '${path}' && { yes > '${path}/full' 2>&-; :; } && exec "$0"`;
  const pod = stage.newPod();
  expect(stage.call('ADD', pathOf(pod), { wrapper: [...wrapper, fill] })).toEqual(
    failure(5, /^cannot write .*: ENOSPC$/, /The file system is full: free some room/),
  );
  expect(everything()).toEqual(before);
  expect(run(pod, ['ip', '-br', 'link', 'show'])).not.toContain('eth0');
});

test('a folder that is a file', () => {
  writeFileSync(join(stage.path, 'books'), '');
  mkdirSync(join(stage.path, 'state'));
  const before = everything();
  expect(stage.call('ADD', pathOf(stage.newPod()))).toEqual(
    failure(5, /ENOTDIR/, /A file stands where a folder/),
  );
  expect(everything()).toEqual(before);
});

test('a second ADD of one interface is refused, and the first stays as it is', () => {
  const pod = stage.newPod();
  expect(stage.call('ADD', pathOf(pod)).status).toBe(0);
  const before = [run(pod, ['ip', 'address']), stage.given()];
  expect(stage.call('ADD', pathOf(pod))).toEqual(
    failure(100, /has an interface eth0 already/, /DEL takes it away/),
  );
  expect([run(pod, ['ip', 'address']), stage.given()]).toEqual(before);
  expect(stage.call('DEL', pathOf(pod)).status).toBe(0);
  expect([stage.given(), stage.state(), stage.links(stage.node, 'veth')]).toEqual([[], [], []]);
});
