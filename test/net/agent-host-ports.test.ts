/** hostPorts under an agent: they come back when somebody flushes all rules, and the plugin is not disturbed. */
import { expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, JSON_LOG, readLog, TIMEOUT_MS } from './agent-support.ts';
import { cleanUp } from './cleanup-support.ts';
import { DNS, PortLab, ruleset, WEB } from './cni-portmap-lab.ts';
import { createLab, EXECUTABLE } from './lab.ts';

const RESULT = { cniVersion: '1.0.0', ips: [{ address: '10.42.1.2/24' }, { address: 'fd00:42:1::2/64' }] };

test(
  'what was flushed, deleted or added is put right, and nothing is left of the last',
  async () => {
    using ports = new PortLab();
    const folder = join(ports.folder.path, 'hostports');
    mkdirSync(folder);
    // The agent looks at the usual place: it gets a /run of its own, with the folder of the plugins in it.
    const place = '/run/cni/hostports';
    const script = `mount -t tmpfs run /run && mkdir -p ${place} && mount --bind ${folder} ${place} && exec "$@"`;
    const command = ['unshare', '-m', 'sh', '-c', script, 'sh', EXECUTABLE];
    await using lab = await createLab({ nodes: 1, command });
    const node = lab.node(1);
    const one = { node: node.space.netns, pod: ports.newSpace(), id: 'pod-1', mappings: [WEB, DNS] };
    const two = { ...one, id: 'pod-2', mappings: [{ ...WEB, hostPort: 81 }] };
    expect(ports.portmap('ADD', one, RESULT).status).toBe(0);
    await node.start(JSON_LOG).ready();
    await eventually(() => expect(ruleset(node.space.netns)).toContain('flannel-ipv6'));
    const whole = ruleset(node.space.netns);
    for (const damage of [
      'flush ruleset',
      'delete table ip flannelette-hostports',
      'flush chain ip6 flannelette-hostports hostports',
      'delete element ip flannelette-hostports ports-2000 { tcp . 8080 }',
      'add element ip flannelette-hostports ports-2000 { tcp . 22 : 10.42.1.2 . 22 }',
      'add table ip6 flannelette-hostports { flags dormant; }',
    ]) {
      node.run('nft', damage);
      await eventually(() =>
        expect(ruleset(node.space.netns).split('table').sort()).toEqual(whole.split('table').sort()),
      );
    }
    const repaired = readLog(node.agent).filter(
      ({ msg, object }) => msg === 'Repaired' && `${object}`.startsWith('hostPorts'),
    );
    expect(repaired.length).toBeGreaterThan(0);
    for (const [verb, chain] of [
      ['ADD', two],
      ['DEL', one],
    ] as const)
      expect(ports.portmap(verb, chain, RESULT).status).toBe(0);
    // An agent that was not there when it happened.
    await node.stop();
    node.run('nft', 'flush ruleset');
    writeFileSync(join(folder, 'pod-3:eth0'), 'not JSON');
    await node.start(JSON_LOG).ready();
    await eventually(() =>
      expect(ruleset(node.space.netns)).toContain('tcp . 81 comment "pod-2 eth0" : 10.42.1.2 . 80'),
    );
    await node.stop();
    // What the guard of the table keeps others from: 127.0.0.1 by way of the bridge.
    const localnet = 'net.ipv4.conf.lo.route_localnet';
    node.run('sysctl', '-qw', `${localnet}=1`);
    writeFileSync(join(folder, 'lo.localnet'), '');
    writeFileSync(join(folder, 'gone.localnet'), '');
    const before = command.slice(0, -1);
    const dry = cleanUp(lab, node, { flags: ['--dry-run'], before });
    expect(dry.stdout).toContain('nft delete table ip6 flannelette-hostports');
    expect(cleanUp(lab, node, { before }).status).toBe(0);
    expect(node.run('sysctl', '-n', localnet).trim()).toBe('0');
    expect(ruleset(node.space.netns)).not.toContain('hostports');
    expect(ports.portmap('DEL', two).status).toBe(0);
    expect(ruleset(node.space.netns)).not.toContain('hostports');
  },
  TIMEOUT_MS,
);
