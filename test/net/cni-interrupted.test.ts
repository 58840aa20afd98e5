/** Plugins that are killed, and calls that cross: DEL leaves nothing, whatever was half done. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { seededRandom } from '../fuzz/random.ts';
import { pathOf, REFERENCE } from './cni-plugin.ts';
import { CniStage, DELEGATE } from './cni-stage.ts';
import { run } from './witness.ts';

/** What an ADD takes at most on an idle machine: kills are spread over it. */
const SPREAD_MS = 20;

let stage: CniStage;

beforeEach(() => {
  stage = new CniStage();
});

afterEach(() => stage[Symbol.dispose]());

/** Starts a call without waiting for it. */
function start(verb: string, netns: string, id: string) {
  const env = {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: id,
    CNI_NETNS: netns,
    CNI_IFNAME: 'eth0',
    CNI_PATH: REFERENCE,
  };
  const stdin = Buffer.from(JSON.stringify(stage.config()));
  return inNetns(stage.node, () =>
    Bun.spawn([join(stage.path, 'flannel')], { stdin, stdout: 'ignore', env }),
  );
}

function leftovers(): unknown {
  return [stage.links(stage.node, 'veth').map(({ ifname }) => ifname), stage.given(), stage.state()];
}

test('an ADD killed at any moment leaves nothing that its DEL does not take away', async () => {
  const random = seededRandom(20_261);
  // So that the bridge is not what is being made each time.
  const first = stage.newPod();
  expect(stage.call('ADD', pathOf(first), { id: 'first' }).status).toBe(0);
  const before = leftovers();
  for (let i = 0; i < 40; i++) {
    const pod = stage.newPod();
    const add = start('ADD', pathOf(pod), `pod-${i}`);
    await Bun.sleep(random(SPREAD_MS));
    add.kill('SIGKILL');
    await add.exited;
    // Half of them with a namespace that the runtime has lost.
    const del = { id: `pod-${i}` };
    expect(stage.call('DEL', i % 2 === 0 ? pathOf(pod) : '', del)).toEqual({ status: 0, told: undefined });
    expect(leftovers()).toEqual(before);
    expect(run(pod, ['ip', '-br', 'link'])).not.toContain('eth0');
  }
  expect(stage.call('CHECK', pathOf(first), { id: 'first' }).status).toBe(0);
});

test.each(['', '{"name":"cbr'])('what a killed ADD has half written (%p) goes with DEL', (text) => {
  mkdirSync(join(stage.path, 'state'));
  writeFileSync(join(stage.path, 'state', 'pod-1:eth0'), text);
  writeFileSync(join(stage.path, 'state', 'pod-1'), text);
  expect(stage.call('CHECK', pathOf(stage.newPod()))).toMatchObject({ told: { code: 3 } });
  expect(stage.call('DEL', '')).toEqual({ status: 0, told: undefined });
  // By the container alone it may be of flannel, in whatever network.
  expect(stage.state()).toEqual(['pod-1']);
});

test('a killed ADD is no obstacle to the next of the same container', async () => {
  const pod = stage.newPod();
  for (let i = 0; i < 10; i++) {
    const add = start('ADD', pathOf(pod), 'pod-1');
    await Bun.sleep(i * 2);
    add.kill('SIGKILL');
    await add.exited;
    expect(stage.call('DEL', pathOf(pod)).status).toBe(0);
    expect(stage.call('ADD', pathOf(pod)).status).toBe(0);
    expect(stage.call('CHECK', pathOf(pod)).status).toBe(0);
    expect(stage.call('DEL', pathOf(pod)).status).toBe(0);
  }
  expect(leftovers()).toEqual([[], [], []]);
});

test('ADD and DEL of one container at once end well or with an error, and a last DEL leaves nothing', async () => {
  const pod = stage.newPod();
  for (let i = 0; i < 10; i++) {
    const calls = ['ADD', 'DEL', 'ADD', 'DEL'].map((verb) => start(verb, pathOf(pod), 'pod-1'));
    const statuses = await Promise.all(calls.map((call) => call.exited));
    for (const status of statuses) expect([0, 1]).toContain(status);
    expect(stage.call('DEL', pathOf(pod))).toEqual({ status: 0, told: undefined });
    expect(leftovers()).toEqual([[], [], []]);
    expect(run(pod, ['ip', '-br', 'link'])).not.toContain('eth0');
  }
});

test('a pod whose ADD and DEL have crossed has an address that is its own, or nothing', async () => {
  const random = seededRandom(20_262);
  for (let i = 0; i < 30; i++) {
    const pod = stage.newPod();
    const add = start('ADD', pathOf(pod), `pod-${i}`);
    await Bun.sleep(random(8));
    const del = start('DEL', pathOf(pod), `pod-${i}`);
    expect([await add.exited, await del.exited]).toEqual([0, 0]);
    const count = run(pod, ['ip', '-br', 'link']).includes('eth0') ? 1 : 0;
    const addresses = stage.given().filter((address) => address.includes('.'));
    const found = [stage.links(stage.node, 'veth'), addresses, stage.state()].map(({ length }) => length);
    expect(found).toEqual([count, count, count]);
    expect(stage.call('DEL', pathOf(pod), { id: `pod-${i}` }).status).toBe(0);
  }
});

test('a second ADD of a container that is refused leaves what the first has, and what is known of it', () => {
  const pod = stage.newPod();
  expect(stage.call('ADD', pathOf(pod)).status).toBe(0);
  const before = leftovers();
  const [file = ''] = stage.state();
  const known = readFileSync(join(stage.path, 'state', file), 'utf8');
  const conf = stage.config({ ...DELEGATE, bridge: 'cni1' });
  expect(stage.call('ADD', pathOf(pod), { conf })).toMatchObject({ status: 1, told: { code: 100 } });
  expect(leftovers()).toEqual(before);
  expect(readFileSync(join(stage.path, 'state', file), 'utf8')).toBe(known);
  expect(stage.call('CHECK', pathOf(pod))).toEqual({ status: 0, told: undefined });
});
