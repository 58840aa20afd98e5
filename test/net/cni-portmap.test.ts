/** hostPorts in the kernel and on disk: as they should be, in trouble, and gone. @module */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { callPlugin, REFERENCE } from './cni-plugin.ts';
import { DNS, MAPPINGS, ONE_ADDRESS, PortLab, ruleset, TABLE, WEB } from './cni-portmap-lab.ts';
import { run } from './witness.ts';

let lab: PortLab;

beforeEach(() => {
  lab = new PortLab();
});

afterEach(() => lab[Symbol.dispose]());

describe('the kernel', () => {
  test('has one lookup for all, as nft shows it, and nothing after the last DEL', async () => {
    const { node } = lab.newNode();
    const before = ruleset(node);
    const one = { node, pod: lab.newSpace(), id: 'pod-1', mappings: MAPPINGS };
    const sctp = { hostPort: 3868, containerPort: 3868, protocol: 'sctp', hostIP: '::' };
    const two = { node, pod: lab.newSpace(), id: 'pod-2', mappings: [sctp], more: { snat: false } };
    expect([lab.add(one).status, lab.add(two).status]).toEqual([0, 0]);
    expect(ruleset(node)).toBe(readFileSync(join(import.meta.dir, 'cni-portmap.nft'), 'utf8'));
    expect(lab.records().sort()).toEqual(['cni0.localnet', 'pod-1:eth0', 'pod-2:eth0']);
    for (const chain of [one, two, one]) expect(lab.portmap('DEL', chain).status).toBe(0);
    expect([ruleset(node), lab.records()]).toEqual([before, []]);
  });

  test('is put right by the next ADD, and CHECK tells what is missing', () => {
    const { node } = lab.newNode();
    const one = { node, pod: lab.newSpace(), id: 'pod-1', mappings: [WEB] };
    const { told } = lab.add(one);
    const whole = ruleset(node);
    expect(lab.portmap('CHECK', one, told)).toEqual({ status: 0, told: undefined });
    run(node, ['nft', 'delete', 'element', 'ip', TABLE, 'ports-2000', '{ tcp . 8080 }']);
    expect(lab.portmap('CHECK', one, told)).toMatchObject({
      status: 1,
      told: { code: 100, msg: expect.stringContaining('tcp 8080 to 10.42.1.2 80') },
    });
    run(node, ['nft', 'flush', 'ruleset']);
    expect(lab.portmap('CHECK', one, told).status).toBe(1);
    const two = { node, pod: lab.newSpace(), id: 'pod-2', mappings: [DNS] };
    expect(lab.add(two).status).toBe(0);
    expect(lab.portmap('CHECK', one, told).status).toBe(0);
    expect(lab.portmap('DEL', two).status).toBe(0);
    expect(ruleset(node)).toBe(whole);
  });

  test('opens no link that cannot be noted to be closed again', () => {
    const { node } = lab.newNode();
    mkdirSync(join(lab.folder.path, 'hostports/cni0.localnet'), { recursive: true });
    const one = { node, pod: lab.newSpace(), id: 'pod-1', mappings: [WEB] };
    expect(lab.add(one)).toMatchObject({ status: 1, told: { code: 5 } });
    expect(run(node, ['cat', '/proc/sys/net/ipv4/conf/cni0/route_localnet'])).toBe('0\n');
    expect(ruleset(node)).not.toContain(TABLE);
  });

  test("keeps another program's table of the same name", () => {
    const { node } = lab.newNode();
    run(node, ['nft', `add table ip ${TABLE} { chain other { counter; }; }`]);
    const before = ruleset(node);
    expect(lab.add({ node, pod: lab.newSpace(), id: 'pod-1', mappings: [WEB] })).toMatchObject({
      told: { details: expect.stringContaining('another program') },
    });
    expect([ruleset(node), lab.records()]).toEqual([before, []]);
  });
});

describe('100 at once', () => {
  test('are all there, also where plugins are killed; DEL of all leaves nothing', async () => {
    const { node } = lab.newNode();
    const pod = lab.newSpace();
    const start = (verb: string, i: number) => {
      const more = { name: `net-${i % 3}` };
      // For UDP the kernel walks through its connections each time.
      const udp = i % 10 === 0 ? [{ ...DNS, hostPort: 2000 + i }] : [];
      const mappings = [{ ...WEB, hostPort: 3000 + i }, ...udp];
      const chain = { node, pod, id: `pod-${i}`, mappings, more };
      return lab.start(verb, chain, {
        cniVersion: '1.0.0',
        ips: [{ address: `10.42.1.${i + 2}/24` }, { address: `fd00:42:1::${i + 2}/64` }],
      });
    };
    const running = Array.from({ length: 100 }, (_, i) => start('ADD', i));
    for (let i = 0; i < 10; i++) {
      await Bun.sleep(20);
      running[i * 5]?.kill('SIGKILL');
    }
    const statuses = await Promise.all(running.map((process) => process.exited));
    expect(statuses.filter((status) => status === 0).length).toBeGreaterThanOrEqual(90);
    const maps = ruleset(node);
    for (const [i, status] of statuses.entries())
      if (status === 0)
        expect(maps).toContain(`tcp . ${3000 + i} comment "pod-${i} eth0" : fd00:42:1::${i + 2}`);
    const ends = await Promise.all(running.map((_, i) => start('DEL', i).exited));
    expect(new Set(ends)).toEqual(new Set([0]));
    expect([ruleset(node), lab.records()]).toEqual(['', []]);
  });
});

describe('a port', () => {
  test('that another container has is refused, unless that one is gone without a word', async () => {
    const { node } = lab.newNode();
    const gone = lab.newSpace();
    const holder = lab.spawn(gone, ['sleep', '60']);
    const netns = `/proc/${holder.pid}/ns/net`;
    const one = { node, pod: gone, netns, id: 'pod-1', mappings: [ONE_ADDRESS] };
    const two = { node, pod: lab.newSpace(), id: 'pod-2', mappings: [{ ...WEB, hostPort: 9090 }] };
    expect(lab.add(one).status).toBe(0);
    const before = ruleset(node);
    expect(lab.add(two)).toMatchObject({
      status: 1,
      told: { code: 100, msg: 'hostPort 9090/tcp is in use by container pod-1 (eth0)' },
    });
    expect([ruleset(node), lab.records()]).toEqual([before, ['pod-1:eth0']]);
    const other = { hostPort: 9090, containerPort: 80, protocol: 'tcp', hostIP: '192.0.2.1' };
    expect(lab.portmap('DEL', two).status).toBe(0);
    expect(lab.flannel('DEL', two).status).toBe(0);
    expect(lab.add({ ...two, mappings: [other] }).status).toBe(0);
    holder.kill('SIGKILL');
    await holder.exited;
    expect(lab.add({ node, pod: lab.newSpace(), id: 'pod-3', mappings: [ONE_ADDRESS] }).status).toBe(0);
    expect(lab.records()).not.toContain('pod-1:eth0');
  });

  test('is mapped once where the first plugin of the list declares the capability, too', async () => {
    const { node, outside } = lab.newNode();
    const pod = lab.newSpace();
    const capable = { runtimeConfig: { portMappings: [WEB] } };
    const one = { node, pod, id: 'pod-1', mappings: [WEB] };
    const made = lab.flannel('ADD', one, capable);
    expect(made.status).toBe(0);
    const alone = ruleset(node);
    expect(alone).toContain('tcp . 8080 comment "pod-1 eth0" : 10.42.1.2 . 80');
    expect(lab.portmap('ADD', one, made.told)).toEqual(made);
    expect(ruleset(node)).toBe(alone);
    await lab.serve(pod, [80]);
    expect(await lab.ask(outside, ['tcp 192.0.2.1 8080'])).toEqual({ 'tcp 192.0.2.1 8080': '192.0.2.2' });
    expect(lab.flannel('CHECK', one, { ...capable, prevResult: made.told }).status).toBe(0);
    // The configuration of a DEL need not be that of the ADD.
    expect(lab.flannel('DEL', one).status).toBe(0);
    expect(ruleset(node)).not.toContain(TABLE);
    expect(lab.flannel('ADD', { ...one, id: 'pod-2', pod: lab.newSpace() }, capable).status).toBe(0);
    // A port that cannot be had: then there is no pod either.
    expect(lab.flannel('ADD', one, capable)).toMatchObject({
      told: { msg: expect.stringContaining('pod-2') },
    });
    expect(run(node, ['ip', '-br', 'link', 'show', 'type', 'veth']).match(/^veth/gm)).toHaveLength(1);
    expect(readdirSync(join(lab.folder.path, 'state'))).toEqual(['pod-2:eth0']);
  });

  test.each(['portmap', 'flannel'])(
    'that the plugin before us has made is taken away by it: DEL of %s',
    (plugin) => {
      const { node } = lab.newNode();
      const one = { node, pod: lab.newSpace(), id: 'pod-1', mappings: [WEB] };
      expect(lab.add({ ...one, reference: true }).status).toBe(0);
      expect(ruleset(node)).toContain('CNI-DN-');
      symlinkSync(join(REFERENCE, 'portmap'), join(lab.folder.path, 'portmap.before-flannelette'));
      const runtimeConfig = { portMappings: [WEB] };
      const del = () =>
        plugin === 'portmap'
          ? lab.portmap('DEL', { ...one, searchPath: lab.folder.path })
          : lab.flannel('DEL', { ...one, searchPath: lab.folder.path }, { runtimeConfig });
      for (const _ of [1, 2]) expect(del()).toEqual({ status: 0, told: undefined });
      expect(ruleset(node)).not.toContain('CNI-DN-');
    },
  );

  test('that was made before us is taken away by one who answers to the name, and who finds nobody else', () => {
    const { node } = lab.newNode();
    const { path } = lab.folder;
    const one = { node, pod: lab.newSpace(), id: 'pod-1', mappings: [WEB] };
    const program = join(path, 'portmap');
    symlinkSync('/bin/bash', join(path, 'portmap.before-flannelette'));
    writeFileSync(join(path, 'note'), `echo "$0 $CNI_COMMAND $CNI_PATH" >> '${path}/told'`);
    const variables = { CNI_PATH: path, BASH_ENV: join(path, 'note') };
    const config = lab.portmapConfig(one);
    const call = { program, verb: 'DEL', netns: '', config, variables };
    expect(inNetns(node, () => callPlugin(call)).status).toBe(0);
    expect(readFileSync(join(path, 'told'), 'utf8')).toBe(`${program} DEL /dev/null\n`);
    // A copy of this program, of another version.
    rmSync(join(path, 'portmap.before-flannelette'));
    symlinkSync(realpathSync(program), join(path, 'portmap.before-flannelette'));
    expect(inNetns(node, () => callPlugin(call)).status).toBe(0);
  });

  test('is given back by GC', () => {
    const { node } = lab.newNode();
    for (const i of [1, 2])
      expect(
        lab.add({ node, pod: lab.newSpace(), id: `pod-${i}`, mappings: [{ ...WEB, hostPort: 8000 + i }] })
          .status,
      ).toBe(0);
    const valid = {
      cniVersion: '1.1.0',
      'cni.dev/valid-attachments': [{ containerID: 'pod-2', ifname: 'eth0' }],
    };
    const chain = { node, pod: lab.newSpace(), id: 'pod-1', more: valid };
    expect(lab.portmap('GC', { ...chain, more: { ...valid, name: 'other' } }).status).toBe(0);
    expect(lab.records()).toContain('pod-1:eth0');
    expect(lab.portmap('GC', chain).status).toBe(0);
    expect(lab.records().filter((name) => name.includes(':'))).toEqual(['pod-2:eth0']);
    expect(ruleset(node)).not.toContain('8001');
  });
});

describe('what is not carried out is refused', () => {
  const wrong = (mapping: object) => ({ mappings: [{ ...WEB, ...mapping }] });
  test.each([
    ['a port of zero', wrong({ hostPort: 0 }), 'Invalid host port number: 0'],
    ['a port too large', wrong({ containerPort: 65536 }), 'Invalid container port number: 65536'],
    ['another protocol', wrong({ protocol: 'dccp' }), "protocol 'dccp' is not known"],
    ['no address', wrong({ hostIP: 'eth0' }), "hostIP 'eth0' is no address"],
    [
      'one port for two',
      { mappings: [WEB, { ...WEB, containerPort: 81 }] },
      'hostPort 8080/tcp is mapped twice',
    ],
    [
      'conditions',
      { more: { conditionsV4: ['!', '-d', '192.0.2.9'] } },
      'conditionsV4 is not carried out here',
    ],
    [
      'a chain',
      { more: { externalSetMarkChain: 'KUBE-MARK-MASQ' } },
      'externalSetMarkChain is not carried out',
    ],
    ['iptables', { more: { backend: 'iptables' } }, "backend 'iptables' is not carried out here"],
    ['a bit too high', { more: { markMasqBit: 32 } }, 'markMasqBit must be between 0 and 31'],
    ['snat of another kind', { more: { snat: 'yes' } }, 'snat must be true or false'],
  ])('%s', (_, what, msg) => {
    const node = lab.newSpace();
    const ips = [{ address: '10.42.1.2/24' }];
    const chain = { node, pod: lab.newSpace(), id: 'pod-1', mappings: [WEB], ...what };
    const outcome = lab.portmap('ADD', chain, { cniVersion: '1.0.0', ips });
    expect(outcome).toMatchObject({ status: 1, told: { code: 7, msg: expect.stringContaining(msg) } });
    expect([ruleset(node), lab.records()]).toEqual(['', []]);
  });

  test('no result of an earlier plugin, or one without an address', () => {
    const chain = { node: lab.newSpace(), pod: lab.newSpace(), id: 'pod-1', mappings: [WEB] };
    expect(lab.portmap('ADD', chain)).toMatchObject({
      told: { code: 7, msg: expect.stringContaining('prevResult') },
    });
    expect(lab.portmap('ADD', chain, { cniVersion: '1.0.0', ips: [] })).toMatchObject({ told: { code: 7 } });
    expect(lab.portmap('DEL', chain)).toEqual({ status: 0, told: undefined });
  });
});
