import { expect, test } from 'bun:test';
import { ERRNO } from '../../../src/netlink/error.ts';
import { AgentRig } from '../../sim/agent-rig.ts';
import { leaseOf, macOf } from '../../sim/samples.ts';

test('Agent on a kernel without vxlan waits with peers and subnet.env, and goes on when there is one', async () => {
  const rig = new AgentRig();
  rig.source.peers.set('node-2', leaseOf(2));
  rig.target.fault = ({ object }) => (object.kind === 'link' ? ERRNO.EOPNOTSUPP : 0);
  rig.agent.start();
  await rig.run(30_000, 1_000);
  expect(new Set(rig.codes())).toEqual(new Set(['kernel-unsupported', 'peer-pending']));
  expect(rig.subnetEnv).toBeUndefined();
  expect(rig.show().filter((line) => line.startsWith('route'))).toEqual([]);
  expect(rig.log.filter((line) => line.includes('(the kernel has no module vxlan)')).length).toBe(2);
  expect(rig.told.at(-1)).toContain('STATUS=Not ready: Cannot create link flannel.1');
  rig.target.fault = () => 0;
  await rig.run(60_000, 1_000);
  expect(rig.codes()).toEqual([]);
  expect(rig.subnetEnv).toContain('FLANNEL_SUBNET=10.42.1.1/24');
});

test('Agent tries again at once when a device has gone that may have been in the way', async () => {
  const rig = new AgentRig();
  const device = { type: 'other', name: 'dummy' } as const;
  const other = { kind: 'link', name: 'other0', mtuBytes: 1500, mac: macOf(98, 4), device } as const;
  rig.alien.make(other);
  rig.target.fault = ({ object }) => (object.kind === 'link' ? ERRNO.EEXIST : 0);
  rig.agent.start();
  // By then a minute lies between two tries.
  await rig.run(600_000, 10_000);
  expect(rig.codes()).toContain('link-conflict');
  rig.target.fault = () => 0;
  rig.alien.remove(other);
  await rig.run(100);
  expect(rig.codes()).toEqual([]);
});
