/** `ipMasq` of the bridge, which follows from FLANNEL_IPMASQ=false, beside the reference's. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Netns } from '../../ffi/netns.ts';
import { REFERENCE } from './cni-plugin.ts';
import { PortLab, ruleset, TABLE, untilSettled, WEB } from './cni-portmap-lab.ts';
import { run } from './witness.ts';

let lab: PortLab;

beforeEach(() => {
  lab = new PortLab(false);
});

afterEach(() => lab[Symbol.dispose]());

/** A node that forwards, and a host beyond it that knows no way to pods. */
function newNode(): { node: Netns; outside: Netns } {
  const made = lab.newNode();
  run(made.node, ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
  return made;
}

/** Who is seen by whom. */
async function seen(reference: boolean): Promise<Record<string, string | null>> {
  const { node, outside } = newNode();
  const [pod, other] = [lab.newSpace(), lab.newSpace()];
  expect(lab.add({ node, pod, id: 'pod-1', reference }).status).toBe(0);
  expect(lab.add({ node, pod: other, id: 'pod-2', mappings: [WEB], reference }).status).toBe(0);
  for (const space of [outside, other, node]) await lab.serve(space, [80]);
  await untilSettled([node, outside]);
  return {
    ...(await lab.ask(pod, [
      'tcp 192.0.2.2 80',
      'tcp 2001:db8::2 80',
      'udp 192.0.2.2 80',
      'tcp 10.42.1.3 80',
      'tcp fd00:42:1::3 80',
      'tcp 10.42.1.1 80',
      'tcp 192.0.2.1 80',
    ])),
    ...(await lab.ask(outside, ['tcp 192.0.2.1 8080'])),
  };
}

test('what a pod sends to the outside comes from the node, and nothing else does: as with the reference', async () => {
  const ours = await seen(false);
  expect(ours).toMatchObject({
    'tcp 192.0.2.2 80': '192.0.2.1',
    'tcp 2001:db8::2 80': '2001:db8::1',
    'udp 192.0.2.2 80': '192.0.2.1',
    'tcp 10.42.1.3 80': '10.42.1.2',
    'tcp fd00:42:1::3 80': 'fd00:42:1::2',
    'tcp 10.42.1.1 80': '10.42.1.2',
    'tcp 192.0.2.1 80': '10.42.1.2',
  });
  expect(await seen(true)).toEqual(ours);
});

test('the rules are those of a subnet, stay while it has a pod, and CHECK misses them', async () => {
  const { node, outside } = newNode();
  const pods = ['pod-1', 'pod-2'].map((id) => ({ node, pod: lab.newSpace(), id }));
  const made = pods.map((pod) => lab.flannel('ADD', pod));
  expect(made.map(({ status }) => status)).toEqual([0, 0]);
  const table = (family: string) =>
    run(node, ['nft', 'list', 'table', family, TABLE]).replaceAll(/\s+/g, ' ');
  expect(table('ip')).toBe(
    `table ip ${TABLE} { comment "hostPorts of pods" chain postrouting { type nat hook postrouting priority srcnat - 10; policy accept; ip saddr 10.42.1.0/24 ip daddr 10.42.1.0/24 return ip saddr 10.42.1.0/24 ip daddr 224.0.0.0/4 return ip saddr 10.42.1.0/24 masquerade } } `,
  );
  expect(table('ip6')).toContain('ip6 saddr fd00:42:1::/64 ip6 daddr ff00::/8 return');
  const [first, second] = pods;
  if (first === undefined || second === undefined) throw new Error('There are two pods');
  const check = () => lab.flannel('CHECK', first, { prevResult: made[0]?.told });
  expect(check()).toEqual({ status: 0, told: undefined });
  run(node, ['nft', 'flush', 'ruleset']);
  expect(check()).toMatchObject({ status: 1, told: { msg: expect.stringContaining('"masq"') } });
  // hostPorts that are chained for the same interface, and go again, leave it.
  expect(lab.portmap('ADD', { ...first, mappings: [WEB] }, made[0]?.told).status).toBe(0);
  expect(check()).toEqual({ status: 0, told: undefined });
  expect(lab.flannel('DEL', first).status).toBe(0);
  await lab.serve(outside, [80]);
  expect(await lab.ask(second.pod, ['tcp 192.0.2.2 80'])).toEqual({ 'tcp 192.0.2.2 80': '192.0.2.1' });
  expect(lab.flannel('DEL', second).status).toBe(0);
  expect(lab.flannel('DEL', second).status).toBe(0);
  expect(ruleset(node)).toBe('');
  expect(lab.records()).toEqual([]);
});

test('GC takes it away with what no attachment has', () => {
  const { node } = newNode();
  const pod = { node, pod: lab.newSpace(), id: 'pod-1' };
  expect(lab.flannel('ADD', pod).status).toBe(0);
  const valid = { cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] };
  expect(lab.flannel('GC', pod, valid)).toEqual({ status: 0, told: undefined });
  expect(ruleset(node)).toBe('');
});

test('a pod that the reference has masqueraded is deleted by it, and leaves no rules of iptables', () => {
  const { node } = newNode();
  const pod = { node, pod: lab.newSpace(), id: 'pod-1' };
  // As flannel's plugin has the reference make a pod, and what it leaves for DEL.
  const conf = {
    cniVersion: '1.0.0',
    name: 'cbr0',
    type: 'bridge',
    isGateway: true,
    ipMasq: true,
    ipam: {
      type: 'host-local',
      dataDir: join(lab.folder.path, 'reference'),
      ranges: [[{ subnet: '10.42.1.0/24' }]],
      routes: [{ dst: '10.42.0.0/16' }],
    },
  };
  expect(lab.call('ADD', pod, { program: join(REFERENCE, 'bridge'), conf }).status).toBe(0);
  const rules = () =>
    run(node, ['iptables-save', '-t', 'nat'])
      .split('\n')
      .filter((line) => line.includes('CNI-'));
  expect(rules().length).toBeGreaterThan(0);
  mkdirSync(join(lab.folder.path, 'state'));
  writeFileSync(join(lab.folder.path, 'state', 'pod-1'), JSON.stringify(conf));
  expect(lab.flannel('DEL', pod).status).toBe(0);
  expect(rules()).toEqual([]);
  expect(run(node, ['ip', '-o', 'link', 'show', 'type', 'veth'])).not.toContain('cni0');
});
