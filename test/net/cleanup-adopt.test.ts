import { expect, test } from 'bun:test';
import { copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { readLeases } from './agent-store.ts';
import { TIMEOUT_MS } from './agent-support.ts';
import { cleanUp, directoryOf, plantForeign, wholeNode } from './cleanup-support.ts';
import { DEAD_PEER, leaveHostGw, leaveVxlan } from './flanneld.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';

/** A lab with three leases, whose first node has only what was planted and its lease. */
async function leasedLab(type: string): Promise<Lab> {
  const lab = await createLab({ nodes: 3, backend: { Type: type } });
  await lab.startAll();
  await lab.node(1).stop();
  return lab;
}

/** Takes away what the agent has made, but for the lease: flannelette has never run here. */
function forget(lab: Lab, node: LabNode): void {
  node.run(
    'sh',
    '-c',
    'ip link del flannel.1; ip link del flannel-v6.1; ip route flush proto 102; ip -6 route flush proto 102; true',
  );
  rmSync(directoryOf(lab, node), { recursive: true });
  plantForeign(lab, node);
}

function linesWith(lines: readonly string[], text: string): string[] {
  return lines.filter((line) => line.includes(text));
}

test(
  "flanneld's devices are left and reported, and taken with --adopt, which takes nothing else",
  async () => {
    await using lab = await leasedLab('vxlan');
    const node = lab.node(1);
    forget(lab, node);
    const bare = wholeNode(lab, node);
    leaveVxlan(lab, node, ({ mac }) => mac);
    const before = wholeNode(lab, node);
    const kept = cleanUp(lab, node);
    expect(kept.status).toBe(0);
    expect(wholeNode(lab, node)).toEqual(before);
    expect(linesWith(kept.lines, 'device flannel.1').length).toBe(1);
    expect(linesWith(kept.lines, 'device flannel-v6.1').length).toBe(1);
    expect(linesWith(kept.lines, '--adopt takes it').length).toBe(2);
    const taken = cleanUp(lab, node, { flags: ['--adopt'] });
    expect({ status: taken.status, failures: linesWith(taken.lines, '✗') }).toEqual({
      status: 0,
      failures: [],
    });
    expect(wholeNode(lab, node)).toEqual(bare);
  },
  TIMEOUT_MS,
);

test(
  "flanneld's host-gw routes are taken with --adopt where a lease has their subnet and gateway",
  async () => {
    await using lab = await leasedLab('host-gw');
    const node = lab.node(1);
    forget(lab, node);
    leaveHostGw(lab, node);
    const before = wholeNode(lab, node);
    const kept = cleanUp(lab, node);
    expect(wholeNode(lab, node)).toEqual(before);
    const left = linesWith(kept.lines, '; --adopt takes it');
    expect(left.map((line) => line.trim().split(' ')[0])).toEqual(['route', 'table']);
    const planned = cleanUp(lab, node, { flags: ['--adopt', '--dry-run'] });
    const peers = readLeases(lab).filter(({ node: name }) => name !== node.name);
    expect(planned.lines.filter((line) => line.startsWith('ip route del ')).sort()).toEqual(
      peers
        .flatMap(({ parts }) => [...parts.values()])
        .map(({ subnet, publicIp }) => `ip route del ${subnet} via ${publicIp} dev eth0 proto boot`)
        .sort(),
    );
    const taken = cleanUp(lab, node, { flags: ['--adopt'] });
    expect({ status: taken.status, failures: linesWith(taken.lines, '✗') }).toEqual({
      status: 0,
      failures: [],
    });
    // Those to a node without a lease may be anybody's.
    for (const { subnet } of Object.values(DEAD_PEER)) {
      expect(linesWith(taken.lines, `route ${subnet}`).length).toBe(1);
    }
    const rest = [...node.ip('-4', 'route'), ...node.ip('-6', 'route')].filter(
      ({ protocol }) => protocol === 'boot',
    );
    expect(rest.map(({ dst }) => dst).sort()).toEqual(
      ['10.42.0.128/25', '172.16.11.0/24', DEAD_PEER[4].subnet, DEAD_PEER[6].subnet].sort(),
    );
  },
  TIMEOUT_MS,
);

test(
  'a node that flanneld has taken over keeps its network without --adopt',
  async () => {
    await using lab = await leasedLab('vxlan');
    const node = lab.node(1);
    // On the devices of ours, with routes of its own in the place of ours.
    for (const route of [...node.ip('-4', 'route'), ...node.ip('-6', 'route')]) {
      const { protocol, dst, gateway, dev } = route;
      if (protocol !== '102') continue;
      node.run(...`ip route del ${dst} proto 102`.split(' '));
      node.run(...`ip route add ${dst} via ${gateway} dev ${dev} onlink proto boot`.split(' '));
    }
    const before = node.run('ip', '-details', '-json', 'route');
    const { status, lines } = cleanUp(lab, node);
    expect(status).toBe(0);
    expect(node.run('ip', '-details', '-json', 'route')).toBe(before);
    expect(linesWith(lines, 'device flannel').length).toBe(2);
    expect(linesWith(lines, 'flanneld has taken the node over').length).toBe(1);
    expect(existsSync(join(directoryOf(lab, node), 'subnet.env'))).toBe(true);
    expect(linesWith(lines, 'state/node.json')[0]).toStartWith('✓');
  },
  TIMEOUT_MS,
);

test(
  'with a flanneld that runs, nothing that it may use is taken',
  async () => {
    await using lab = await leasedLab('vxlan');
    const node = lab.node(1);
    const flanneld = join(lab.directory, 'flanneld');
    copyFileSync('/bin/sleep', flanneld);
    const process = inNetns(node.space.netns, () => Bun.spawn([flanneld, '60']));
    try {
      const refused = cleanUp(lab, node, { flags: ['--adopt'] });
      expect({ status: refused.status, stdout: refused.stdout }).toEqual({ status: 1, stdout: '' });
      expect(refused.stderr).toMatch(new RegExp(`^flanneld runs here \\(process ${process.pid}\\).*\n$`));
      const kept = cleanUp(lab, node);
      expect(kept.status).toBe(0);
      expect(linesWith(kept.lines, 'runs and uses it').length).toBe(1);
      expect(linesWith(kept.lines, 'device flannel.1, device flannel-v6.1').length).toBe(1);
      expect(existsSync(join(directoryOf(lab, node), 'subnet.env'))).toBe(true);
      expect(readLeases(lab).map(({ node: name }) => name)).toEqual(['node-2', 'node-3']);
    } finally {
      process.kill();
      await process.exited;
    }
  },
  TIMEOUT_MS,
);

test(
  'a subnet.env of somebody else is left',
  async () => {
    await using lab = await leasedLab('vxlan');
    const node = lab.node(1);
    const path = join(directoryOf(lab, node), 'subnet.env');
    const text =
      'FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.0.65/26\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n';
    writeFileSync(path, text);
    const { status, lines } = cleanUp(lab, node, { flags: ['--adopt'] });
    expect({ status, text: await Bun.file(path).text() }).toEqual({ status: 0, text });
    expect(linesWith(lines, path)[0]).toContain('its subnet 10.42.0.64/26 is not what flannelette wrote');
  },
  TIMEOUT_MS,
);
