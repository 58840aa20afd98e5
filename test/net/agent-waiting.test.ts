/** What the agent waits for is told by the CNI plugin, which asks nobody. @module */
import { expect, test } from 'bun:test';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, TIMEOUT_MS } from './agent-support.ts';
import { cleanUp } from './cleanup-support.ts';
import { callPlugin, installPlugins, type PluginOutcome, pathOf } from './cni-plugin.ts';
import { createLab } from './lab.ts';

test(
  'without a subnet ADD and STATUS say since when the agent waits for what, and the next step',
  async () => {
    await using lab = await createLab({ nodes: 1, families: [4] });
    using plugins = installPlugins(['flannel']);
    const node = lab.node(1);
    const subnetFile = join(lab.directory, node.name, 'subnet.env');
    const note = `${subnetFile}.waiting`;
    const call = (verb: string): PluginOutcome =>
      callPlugin({
        program: join(plugins.path, 'flannel'),
        verb,
        netns: pathOf(node.space.netns),
        config: { cniVersion: '1.1.0', name: 'cbr0', type: 'flannel', subnetFile },
      });
    const absent = (code: number) => ({
      status: 1,
      told: expect.objectContaining({
        code,
        msg: `the agent has not written ${subnetFile} yet: this node has no pod subnet`,
        details: expect.stringContaining('It has not run since the start of this node, or was stopped'),
      }),
    });
    node.run('ip', 'address', 'flush', 'dev', 'eth0');
    expect(call('ADD')).toEqual(absent(11));
    expect(call('STATUS')).toEqual(absent(50));
    node.start();
    await eventually(() => expect(readFileSync(note, 'utf8')).toContain('eth0'));
    const waits = (code: number) => ({
      status: 1,
      told: {
        cniVersion: '1.1.0',
        code,
        msg: expect.stringMatching(/^this node has no pod subnet: the agent has waited \d+ s: .*eth0/),
        details: expect.stringContaining('Give the interface an address'),
      },
    });
    expect(call('ADD')).toEqual(waits(11));
    expect(call('STATUS')).toEqual(waits(50));
    // Nothing is written while nothing changes, and a killed agent has not waited in vain.
    const { ino } = statSync(note);
    node.run('ip', 'link', 'add', 'other', 'type', 'bridge');
    await Bun.sleep(200);
    expect(statSync(note).ino).toBe(ino);
    await node.kill();
    expect(call('ADD')).toEqual(waits(11));
    expect(cleanUp(lab, node, { flags: ['--dry-run'] }).lines).toContain(`rm ${note}`);
    node.start();
    await eventually(() => expect(statSync(note).ino).not.toBe(ino));
    expect(await node.stop()).toBe(0);
    expect(existsSync(note)).toBe(false);
    node.start();
    await eventually(() => expect(existsSync(note)).toBe(true));
    node.run('ip', 'address', 'add', '192.168.77.1/24', 'dev', 'eth0');
    await node.agent.ready();
    await eventually(() => expect(existsSync(note)).toBe(false));
    expect(call('STATUS')).toEqual({ status: 0, told: undefined });
  },
  TIMEOUT_MS,
);

test.each([
  '',
  'null',
  '{"message":1}',
  '{"message":"m","remedy":"r"}',
  '{"message":"m","remedy":"r","since":"1"}',
])('a note %j is none', (text) => {
  using plugins = installPlugins(['flannel']);
  const subnetFile = join(plugins.path, 'subnet.env');
  writeFileSync(`${subnetFile}.waiting`, text);
  const config = { cniVersion: '1.1.0', name: 'cbr0', type: 'flannel', subnetFile };
  const { told } = callPlugin({ program: join(plugins.path, 'flannel'), verb: 'STATUS', netns: '', config });
  expect(told).toMatchObject({ code: 50, msg: expect.stringContaining('has not written') });
});
