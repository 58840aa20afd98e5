/** `flannelette cleanup` on nodes whose leases are in a real etcd. @module */
import { expect, test } from 'bun:test';
import { readOverlay } from './agent-overlay.ts';
import { eventually, TIMEOUT_MS } from './agent-support.ts';
import { cleanUp } from './cleanup-support.ts';
import { CONFIG_KEY, createEtcdLab, SUBNETS } from './etcd-lab.ts';

test.each(['vxlan', 'host-gw'])(
  '%s: the lease is given back, and the others hear of it; a second time there is nothing',
  async (type) => {
    await using world = await createEtcdLab({ nodes: 3, families: [4] });
    const { lab, etcd } = world;
    await etcd.put(CONFIG_KEY, JSON.stringify({ Network: '10.42.0.0/16', Backend: { Type: type } }));
    await lab.startAll();
    const node = lab.node(1);
    await node.stop();
    const before = await etcd.keys(SUBNETS);
    const dry = cleanUp(lab, node, { flags: ['--dry-run'] });
    expect([dry.status, await etcd.keys(SUBNETS)]).toEqual([0, before]);
    expect(dry.stdout).toMatch(
      /^# the lease 10\.42\.\d+\.0\/24 of node node-1 in 'etcd http:\/\/192\.168\.77\.254:\d+'$/m,
    );
    const { status, stderr, lines } = cleanUp(lab, node);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(lines.at(-1)).toMatch(/^Removed \d+ from node node-1; nothing of flannelette is left$/);
    const after = await etcd.keys(SUBNETS);
    expect(
      before.filter(({ key }) => !after.some((each) => each.key === key)).map(({ value }) => value),
    ).toEqual([expect.stringContaining('"PublicIP":"192.168.77.1"')]);
    await eventually(async () => expect((await lab.node(2).agent.status())?.peers.length).toBe(1));
    expect(cleanUp(lab, node).lines.at(-1)).toBe('Nothing to remove');
    expect(await etcd.keys(SUBNETS)).toEqual(after);
  },
  TIMEOUT_MS,
);

test(
  'a reservation stays; without etcd the rest goes, and the lease is named',
  async () => {
    await using world = await createEtcdLab({ nodes: 2, families: [4] });
    const { lab, etcd } = world;
    await etcd.put(CONFIG_KEY, '{"Network":"10.42.0.0/16","Backend":{"Type":"vxlan"}}');
    await etcd.put(`${SUBNETS}10.42.77.0-24`, '{"PublicIP":"192.168.77.1"}');
    await lab.startAll();
    for (const node of lab.nodes) await node.stop();
    const reserved = cleanUp(lab, lab.node(1));
    expect([reserved.status, (await etcd.keys(SUBNETS)).length]).toEqual([0, 2]);
    expect(reserved.stdout).toContain('it does not expire: an operator has reserved it');
    await etcd.stop();
    const { status, stdout } = cleanUp(lab, lab.node(2));
    expect(status).toBe(3);
    expect(stdout).toContain('the lease of node node-2, if it has one');
    expect(stdout).toContain('the connection was refused (ECONNREFUSED)');
    expect(readOverlay(lab.node(2))).toEqual(readOverlay(lab.node(1)));
    await etcd.start();
    expect(cleanUp(lab, lab.node(2)).status).toBe(0);
    expect((await etcd.keys(SUBNETS)).map(({ key }) => key)).toEqual([`${SUBNETS}10.42.77.0-24`]);
  },
  TIMEOUT_MS,
);
