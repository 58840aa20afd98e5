/** The plugin `loopback` beside the reference's, in namespaces of a real kernel. @module */
import { afterAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { createNetns } from '../../ffi/netns.ts';
import { callPlugin, installPlugins, pathOf, REFERENCE } from './cni-plugin.ts';
import { run, witnessRecords } from './witness.ts';

const folder = installPlugins(['loopback', 'bridge']);
const OURS = join(folder.path, 'loopback');
const THEIRS = join(REFERENCE, 'loopback');
const CONFIG = { cniVersion: '1.0.0', name: 'n', type: 'loopback' };

afterAll(() => folder[Symbol.dispose]());

/** What each call printed and ended with, and what `ip` shows after it. */
function story(program: string, config: object, verbs: readonly string[]) {
  using pod = createNetns();
  return verbs.map((verb) => {
    const { status, told } = callPlugin({ program, verb, netns: pathOf(pod), config });
    return { verb, status, told, links: witnessRecords(run(pod, ['ip', '-j', 'address'])) };
  });
}

/** Where the namespace is differs from one to the next. */
function withoutPlace(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(/"\/proc\/\d+\/fd\/\d+"/g, '"NETNS"'));
}

test.each(['0.4.0', '1.0.0'])('ADD, CHECK, DEL leave what the reference leaves, version %s', (cniVersion) => {
  const verbs = ['ADD', 'CHECK', 'ADD', 'DEL', 'DEL'];
  const [ours, theirs] = [OURS, THEIRS].map((program) =>
    withoutPlace(story(program, { ...CONFIG, cniVersion }, verbs)),
  );
  // Of a version before 1.0.0 the reference leaves out `version`, which the specification asks for.
  const adapted = JSON.stringify(ours).replaceAll(/"version":"[46]",/g, '');
  expect(JSON.parse(adapted)).toEqual(theirs);
  expect(JSON.stringify(ours).includes('"version":"6"')).toBe(cniVersion === '0.4.0');
});

test('ADD brings lo up, and the result of an earlier plugin is passed on', () => {
  const prevResult = { cniVersion: '1.0.0', interfaces: [{ name: 'x' }], ips: [], extra: { kept: true } };
  const [added] = story(OURS, { ...CONFIG, prevResult }, ['ADD']);
  expect(added?.told).toEqual(prevResult);
  expect(added?.links).toMatchObject([{ ifname: 'lo', flags: ['LOOPBACK', 'UP', 'LOWER_UP'] }]);
});

test('CHECK of one that is down says so', () => {
  const [checked] = story(OURS, CONFIG, ['CHECK']);
  expect(checked).toMatchObject({ status: 1, told: { code: 100, msg: 'loopback interface is down' } });
});

test('GC and STATUS of 1.1.0 have nothing to say', () => {
  const config = { ...CONFIG, cniVersion: '1.1.0' };
  const answers = story(OURS, config, ['GC', 'STATUS']).map(({ status, told }) => [status, told]);
  expect(answers).toEqual([
    [0, undefined],
    [0, undefined],
  ]);
});

test('a namespace that is gone is an error for ADD and CHECK, and nothing to do for DEL', () => {
  const call = { program: OURS, config: CONFIG, netns: '/run/netns/flannelette-never' };
  for (const verb of ['ADD', 'CHECK']) {
    expect(callPlugin({ ...call, verb })).toMatchObject({ status: 1, told: { code: 4 } });
  }
  expect(callPlugin({ ...call, verb: 'DEL' })).toEqual({ status: 0, told: undefined });
  expect(callPlugin({ ...call, verb: 'DEL', netns: '' })).toEqual({ status: 0, told: undefined });
});

test.each(['/etc/hostname', '/etc', '/dev/null', '/etc/hostname/x'])('%s is no namespace', (netns) => {
  const call = { program: OURS, config: CONFIG, netns };
  const told = {
    code: 4,
    msg: expect.stringContaining(`CNI_NETNS: there is no network namespace at '${netns}'`),
  };
  expect(callPlugin({ ...call, verb: 'ADD' })).toMatchObject({ status: 1, told });
  // As after a reboot, where only the file is left that the namespace was bound to.
  expect(callPlugin({ ...call, verb: 'DEL' })).toEqual({ status: 0, told: undefined });
});

test('a namespace of another kind is refused', () => {
  const call = { program: OURS, config: CONFIG, netns: '/proc/self/ns/mnt' };
  for (const verb of ['ADD', 'DEL', 'CHECK']) {
    expect(callPlugin({ ...call, verb })).toMatchObject({ status: 1, told: { code: 4 } });
  }
});

test('the own namespace is never taken for that of a container', () => {
  const call = { program: OURS, config: CONFIG, netns: '/proc/self/ns/net' };
  for (const verb of ['ADD', 'DEL', 'CHECK']) {
    expect(callPlugin({ ...call, verb })).toMatchObject({ status: 1, told: { code: 4 } });
  }
  expect(callPlugin({ ...call, verb: 'ADD', variables: { CNI_NETNS_OVERRIDE: 'true' } }).status).toBe(0);
});

test('an unknown command, no name of ours, and no configuration are errors of the protocol', () => {
  const call = { program: OURS, verb: 'UPDATE', config: CONFIG, netns: '/run/netns/x' };
  expect(callPlugin(call)).toMatchObject({ status: 1, told: { code: 4 } });
  const bridge = join(folder.path, 'bridge');
  expect(callPlugin({ ...call, program: bridge, verb: 'VERSION' })).toMatchObject({ told: { code: 4 } });
  expect(callPlugin({ ...call, verb: 'ADD', config: [] })).toMatchObject({ told: { code: 6 } });
});
