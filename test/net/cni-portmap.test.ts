/** hostPorts on a real kernel: by packets, beside the reference's `portmap`, and in trouble. @module */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { eventually } from './agent-support.ts';
import {
  callPlugin,
  installPlugins,
  type PluginFolder,
  type PluginOutcome,
  pathOf,
  REFERENCE,
} from './cni-plugin.ts';
import { run } from './witness.ts';

const SUBNET_ENV = `FLANNEL_NETWORK=10.42.0.0/16
FLANNEL_SUBNET=10.42.1.1/24
FLANNEL_IPV6_NETWORK=fd00:42::/48
FLANNEL_IPV6_SUBNET=fd00:42:1::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`;
const DELEGATE = { hairpinMode: true, forceAddress: true, isDefaultGateway: true };
const TABLE = 'flannelette-hostports';
const WEB = { hostPort: 8080, containerPort: 80, protocol: 'tcp' };
const DNS = { hostPort: 5353, containerPort: 53, protocol: 'udp' };
/** As containerd writes it. */
const ONE_ADDRESS = { HostPort: 9090, ContainerPort: 80, Protocol: 'TCP', HostIP: '192.0.2.9' };
const ONLY_LOCAL = { hostPort: 9091, containerPort: 80, protocol: 'tcp', hostIP: '127.0.0.1' };
const MAPPINGS = [WEB, DNS, ONE_ADDRESS, ONLY_LOCAL];

let folder: PluginFolder;
let outside: Netns;
let spaces: Netns[];
let servers: Bun.Subprocess[];

beforeEach(() => {
  folder = installPlugins(['flannel', 'portmap']);
  writeFileSync(join(folder.path, 'subnet.env'), SUBNET_ENV);
  spaces = [];
  servers = [];
});

afterEach(() => {
  for (const server of servers) server.kill('SIGKILL');
  for (const space of spaces) space.close();
  folder[Symbol.dispose]();
});

function newSpace(): Netns {
  const space = createNetns();
  spaces.push(space);
  run(space, ['ip', 'link', 'set', 'lo', 'up']);
  return space;
}

/** A node with two addresses, and a host beyond it. */
function newNode(): Netns {
  const node = newSpace();
  outside = newSpace();
  run(node, ['ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pathOf(outside)]);
  const give = (space: Netns, addresses: readonly string[]) => {
    for (const address of addresses)
      run(space, [
        'ip',
        'address',
        'add',
        address,
        'dev',
        'eth0',
        ...(address.includes(':') ? ['nodad'] : []),
      ]);
    run(space, ['ip', 'link', 'set', 'eth0', 'up']);
  };
  give(node, ['192.0.2.1/24', '192.0.2.9/24', '2001:db8::1/64']);
  give(outside, ['192.0.2.2/24', '2001:db8::2/64']);
  return node;
}

function config(type: string, rest: object = {}): object {
  return {
    cniVersion: '1.0.0',
    name: 'cbr0',
    type,
    subnetFile: join(folder.path, 'subnet.env'),
    dataDir: join(folder.path, 'state'),
    hostPortDir: join(folder.path, 'hostports'),
    ipam: { dataDir: join(folder.path, 'books') },
    delegate: DELEGATE,
    ...rest,
  };
}

/** What the reference's bridge is given in flannel's place. */
function bridgeConfig(): object {
  const ranges = [[{ subnet: '10.42.1.0/24' }], [{ subnet: 'fd00:42:1::/64' }]];
  const routes = [{ dst: '10.42.0.0/16' }, { dst: 'fd00:42::/48' }];
  const ipam = { type: 'host-local', dataDir: join(folder.path, 'reference'), ranges, routes };
  return { ...config('bridge'), ...DELEGATE, mtu: 1450, isGateway: true, ipam };
}

interface Chain {
  readonly node: Netns;
  readonly pod: Netns;
  /** The path of the pod's namespace, if it is not to be this process's. */
  readonly netns?: string;
  readonly id: string;
  readonly mappings?: readonly object[];
  /** More members of portmap's configuration. */
  readonly more?: object;
  readonly reference?: boolean;
}

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

function call(verb: string, { node, pod, netns = pathOf(pod), id }: Chain, { program, conf }: { program: string; conf: object }) {
  const variables = { CNI_CONTAINERID: id, PATH };
  return inNetns(node, () => callPlugin({ program, verb, netns, config: conf, variables }));
}

function portmapConfig({ mappings = [], more = {} }: Chain, prevResult?: unknown): object {
  return config('portmap', {
    capabilities: { portMappings: true },
    runtimeConfig: { portMappings: mappings },
    ...(prevResult === undefined ? {} : { prevResult }),
    ...more,
  });
}

/** The first plugin of a list, then `portmap`. */
function add(chain: Chain): PluginOutcome {
  const { reference = false } = chain;
  const first = reference
    ? { program: join(REFERENCE, 'bridge'), conf: bridgeConfig() }
    : { program: join(folder.path, 'flannel'), conf: config('flannel') };
  const made = call('ADD', chain, first);
  expect(made.status).toBe(0);
  const program = join(reference ? REFERENCE : folder.path, 'portmap');
  const mapped = call('ADD', chain, { program, conf: portmapConfig(chain, made.told) });
  if (mapped.status === 0) expect(mapped.told).toEqual(made.told);
  return mapped;
}

function portmap(verb: string, chain: Chain, prevResult?: unknown): PluginOutcome {
  return call(verb, chain, { program: join(folder.path, 'portmap'), conf: portmapConfig(chain, prevResult) });
}

const END = join(import.meta.dir, 'port-end.ts');

async function serve(space: Netns, ports: readonly number[]): Promise<void> {
  const command = [process.execPath, END, 'serve', ...ports.map(String)];
  const server = inNetns(space, () =>
    Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' }),
  );
  servers.push(server);
  const { value } = await server.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe('ready\n');
}

/** What servers answer to a client in a namespace: the address that they see. */
async function ask(space: Netns, questions: readonly string[]): Promise<Record<string, string | null>> {
  const command = [process.execPath, END, 'ask', '1000', ...questions];
  const client = inNetns(space, () =>
    Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' }),
  );
  const answers: (string | null)[] = JSON.parse(await new Response(client.stdout).text());
  return Object.fromEntries(questions.map((question, i) => [question, answers[i] ?? null]));
}

function records(): string[] {
  const path = join(folder.path, 'hostports');
  return existsSync(path) ? readdirSync(path).filter((name) => name !== 'lock') : [];
}

function ruleset(node: Netns): string {
  return run(node, ['nft', 'list', 'ruleset']);
}

/** What is asked from where, of a pod that has {@link MAPPINGS}. */
async function matrix(
  reference: boolean,
): Promise<Record<'outside' | 'node' | 'other' | 'itself', Record<string, string | null>>> {
  const node = newNode();
  const [pod, other] = [newSpace(), newSpace()];
  expect(add({ node, pod, id: 'pod-1', mappings: MAPPINGS, reference }).status).toBe(0);
  expect(add({ node, pod: other, id: 'pod-2', reference }).status).toBe(0);
  await serve(pod, [80, 53]);
  // A node that has no link-local address yet asks for no neighbour in the name of others.
  await eventually(() => expect(run(node, ['ip', '-6', 'address', 'show', 'tentative'])).toBe(''));
  const addresses = ['192.0.2.1', '192.0.2.9', '2001:db8::1', '10.42.1.1', 'fd00:42:1::1'];
  const questions = (all: readonly string[]) =>
    all.flatMap((address) => [
      `tcp ${address} 8080`,
      `udp ${address} 5353`,
      `tcp ${address} 9090`,
      `tcp ${address} 9091`,
      `udp ${address} 8080`,
    ]);
  run(outside, ['ip', 'route', 'add', '10.42.1.0/24', 'via', '192.0.2.1']);
  run(outside, ['ip', 'route', 'add', 'fd00:42:1::/64', 'via', '2001:db8::1']);
  const direct = ['tcp 10.42.1.2 80', 'tcp fd00:42:1::2 80'];
  return {
    outside: await ask(outside, [...questions(addresses), ...direct]),
    node: await ask(node, [...questions([...addresses, '127.0.0.1', '::1']), ...direct]),
    other: await ask(other, [...questions(addresses), ...direct]),
    itself: await ask(pod, [...questions(addresses), ...direct]),
  };
}

describe('packets', () => {
  test('reach the pod from outside, from the node, from another pod and from itself as with the reference', async () => {
    const ours = await matrix(false);
    expect(ours.outside).toMatchObject({
      'tcp 192.0.2.1 8080': '192.0.2.2',
      'udp 192.0.2.1 5353': '192.0.2.2',
      'tcp 2001:db8::1 8080': '2001:db8::2',
      'udp 2001:db8::1 5353': '2001:db8::2',
      'tcp 192.0.2.9 9090': '192.0.2.2',
      'tcp 192.0.2.1 9090': null,
      'tcp 192.0.2.1 9091': null,
      'udp 192.0.2.1 8080': null,
    });
    expect(ours.node).toMatchObject({
      'tcp 192.0.2.1 8080': '192.0.2.1',
      'tcp 127.0.0.1 8080': '10.42.1.1',
      'udp 127.0.0.1 5353': '10.42.1.1',
      'tcp 127.0.0.1 9091': '10.42.1.1',
      'tcp 127.0.0.1 9090': null,
      'tcp ::1 8080': null,
    });
    for (const from of ['other', 'itself'] as const)
      expect(ours[from]).toMatchObject({
        'tcp 192.0.2.1 8080': '10.42.1.1',
        'udp 10.42.1.1 5353': '10.42.1.1',
        'tcp 2001:db8::1 8080': 'fd00:42:1::1',
      });
    expect(ours.other).toMatchObject({ 'tcp 10.42.1.2 80': '10.42.1.3' });
    expect(ours).toEqual(await matrix(true));
  });
});

describe('the kernel', () => {
  test('has one lookup for all, as nft shows it, and nothing after the last DEL', async () => {
    const node = newNode();
    const before = ruleset(node);
    const one = { node, pod: newSpace(), id: 'pod-1', mappings: MAPPINGS };
    const sctp = { hostPort: 3868, containerPort: 3868, protocol: 'sctp', hostIP: '::' };
    const two = { node, pod: newSpace(), id: 'pod-2', mappings: [sctp], more: { snat: false } };
    expect([add(one).status, add(two).status]).toEqual([0, 0]);
    expect(ruleset(node)).toBe(readFileSync(join(import.meta.dir, 'cni-portmap.nft'), 'utf8'));
    expect(records().sort()).toEqual(['cni0.localnet', 'pod-1:eth0', 'pod-2:eth0']);
    for (const chain of [one, two, one]) expect(portmap('DEL', chain).status).toBe(0);
    expect([ruleset(node), records()]).toEqual([before, []]);
  });

  test('is put right by the next ADD, and CHECK tells what is missing', () => {
    const node = newNode();
    const one = { node, pod: newSpace(), id: 'pod-1', mappings: [WEB] };
    const { told } = add(one);
    const whole = ruleset(node);
    expect(portmap('CHECK', one, told)).toEqual({ status: 0, told: undefined });
    run(node, ['nft', 'delete', 'element', 'ip', TABLE, 'ports-2000', '{ tcp . 8080 }']);
    expect(portmap('CHECK', one, told)).toMatchObject({
      status: 1,
      told: { code: 100, msg: expect.stringContaining('tcp 8080 to 10.42.1.2 80') },
    });
    run(node, ['nft', 'flush', 'ruleset']);
    expect(portmap('CHECK', one, told).status).toBe(1);
    const two = { node, pod: newSpace(), id: 'pod-2', mappings: [DNS] };
    expect(add(two).status).toBe(0);
    expect(portmap('CHECK', one, told).status).toBe(0);
    expect(portmap('DEL', two).status).toBe(0);
    expect(ruleset(node)).toBe(whole);
  });

  test("keeps another program's table of the same name", () => {
    const node = newNode();
    run(node, ['nft', `add table ip ${TABLE} { chain other { counter; }; }`]);
    const before = ruleset(node);
    expect(add({ node, pod: newSpace(), id: 'pod-1', mappings: [WEB] })).toMatchObject({
      told: { details: expect.stringContaining('another program') },
    });
    expect([ruleset(node), records()]).toEqual([before, []]);
  });
});

describe('a port', () => {
  test('that another container has is refused, unless that one is gone without a word', async () => {
    const node = newNode();
    const gone = newSpace();
    const holder = inNetns(gone, () => Bun.spawn(['sleep', '60']));
    servers.push(holder);
    const netns = `/proc/${holder.pid}/ns/net`;
    const one = { node, pod: gone, netns, id: 'pod-1', mappings: [ONE_ADDRESS] };
    const two = { node, pod: newSpace(), id: 'pod-2', mappings: [{ ...WEB, hostPort: 9090 }] };
    expect(add(one).status).toBe(0);
    const before = ruleset(node);
    expect(add(two)).toMatchObject({
      status: 1,
      told: { code: 100, msg: 'hostPort 9090/tcp is in use by container pod-1 (eth0)' },
    });
    expect([ruleset(node), records()]).toEqual([before, ['pod-1:eth0']]);
    const other = { hostPort: 9090, containerPort: 80, protocol: 'tcp', hostIP: '192.0.2.1' };
    expect(portmap('DEL', two).status).toBe(0);
    expect(call('DEL', two, { program: join(folder.path, 'flannel'), conf: config('flannel') }).status).toBe(
      0,
    );
    expect(add({ ...two, mappings: [other] }).status).toBe(0);
    holder.kill('SIGKILL');
    await holder.exited;
    expect(add({ node, pod: newSpace(), id: 'pod-3', mappings: [ONE_ADDRESS] }).status).toBe(0);
    expect(records()).not.toContain('pod-1:eth0');
  });

  test('is mapped once where the first plugin of the list declares the capability, too', async () => {
    const node = newNode();
    const pod = newSpace();
    const flannel = { program: join(folder.path, 'flannel'), conf: config('flannel') };
    const capable = { ...flannel, conf: config('flannel', { runtimeConfig: { portMappings: [WEB] } }) };
    const one = { node, pod, id: 'pod-1', mappings: [WEB] };
    const made = call('ADD', one, capable);
    expect(made.status).toBe(0);
    const alone = ruleset(node);
    expect(alone).toContain('tcp . 8080 comment "pod-1 eth0" : 10.42.1.2 . 80');
    expect(portmap('ADD', one, made.told)).toEqual(made);
    expect(ruleset(node)).toBe(alone);
    await serve(pod, [80]);
    expect(await ask(outside, ['tcp 192.0.2.1 8080'])).toEqual({ 'tcp 192.0.2.1 8080': '192.0.2.2' });
    const prevResult = { prevResult: made.told, runtimeConfig: { portMappings: [WEB] } };
    const check = { ...flannel, conf: config('flannel', prevResult) };
    expect(call('CHECK', one, check).status).toBe(0);
    // The configuration of a DEL need not be that of the ADD.
    expect(call('DEL', one, flannel).status).toBe(0);
    expect(ruleset(node)).not.toContain(TABLE);
    expect(call('ADD', { ...one, id: 'pod-2', pod: newSpace() }, capable).status).toBe(0);
    // A port that cannot be had: then there is no pod either.
    expect(call('ADD', one, capable)).toMatchObject({ told: { msg: expect.stringContaining('pod-2') } });
    expect(run(node, ['ip', '-br', 'link', 'show', 'type', 'veth']).match(/^veth/gm)).toHaveLength(1);
    expect(readdirSync(join(folder.path, 'state'))).toEqual(['pod-2']);
  });

  test('is given back by GC', () => {
    const node = newNode();
    for (const i of [1, 2])
      expect(
        add({ node, pod: newSpace(), id: `pod-${i}`, mappings: [{ ...WEB, hostPort: 8000 + i }] }).status,
      ).toBe(0);
    const valid = {
      cniVersion: '1.1.0',
      'cni.dev/valid-attachments': [{ containerID: 'pod-2', ifname: 'eth0' }],
    };
    const chain = { node, pod: newSpace(), id: 'pod-1', more: valid };
    expect(portmap('GC', { ...chain, more: { ...valid, name: 'other' } }).status).toBe(0);
    expect(records()).toContain('pod-1:eth0');
    expect(portmap('GC', chain).status).toBe(0);
    expect(records().filter((name) => name.includes(':'))).toEqual(['pod-2:eth0']);
    expect(ruleset(node)).not.toContain('8001');
  });
});

describe('127.0.0.1', () => {
  test('is open for a link to pods only as long as a port needs it, and to nobody beyond', async () => {
    const node = newNode();
    const [pod, other] = [newSpace(), newSpace()];
    const setting = () => run(node, ['cat', '/proc/sys/net/ipv4/conf/cni0/route_localnet']).trim();
    expect(add({ node, pod: other, id: 'pod-2', mappings: [ONE_ADDRESS] }).status).toBe(0);
    expect(setting()).toBe('0');
    expect(add({ node, pod, id: 'pod-1', mappings: [WEB] }).status).toBe(0);
    expect(setting()).toBe('1');
    await serve(node, [7000]);
    for (const command of [
      'ip address del 127.0.0.1/8 dev lo',
      'sysctl -q net.ipv4.conf.eth0.route_localnet=1',
      'ip route add 127.0.0.1 via 10.42.1.1',
    ])
      run(other, ['/usr/bin/env', `PATH=${PATH}`, ...command.split(' ')]);
    const question = 'tcp 127.0.0.1 7000';
    expect(await ask(other, [question])).toEqual({ [question]: null });
    // Without the guard it is what the reference leaves open.
    run(node, ['nft', 'flush', 'chain', 'ip', TABLE, 'guard']);
    expect(await ask(other, [question])).toEqual({ [question]: '10.42.1.2' });
    expect(portmap('DEL', { node, pod, id: 'pod-1' }).status).toBe(0);
    expect(setting()).toBe('0');
  });
});

describe('connections', () => {
  test('over UDP that the kernel remembers do not keep a client from the new pod', async () => {
    const node = newNode();
    const [pod, next] = [newSpace(), newSpace()];
    const track = (daddr: string, answeredBy: string) =>
      run(node, [
        ...`conntrack -I -p udp -s 192.0.2.2 -d ${daddr} --sport 4000 --dport 5353 -t 100`.split(' '),
        ...`-r ${answeredBy} -q 192.0.2.2 --reply-port-src 53 --reply-port-dst 4000`.split(' '),
      ]);
    const tracked = () => run(node, ['sh', '-c', 'conntrack -L -p udp 2>/dev/null']);
    run(node, [
      'nft',
      'add table ip track { chain c { type filter hook output priority 0; ct state new; }; }',
    ]);
    // One that the node answered itself, one to a pod of before, and one that only passes through.
    track('192.0.2.1', '192.0.2.1');
    track('192.0.2.9', '10.42.1.77');
    track('198.51.100.53', '198.51.100.53');
    expect(add({ node, pod, id: 'pod-1', mappings: [DNS] }).status).toBe(0);
    expect(tracked().match(/dst=\S+ sport=4000/g)).toEqual(['dst=198.51.100.53 sport=4000']);
    await serve(pod, [53]);
    expect(await ask(outside, ['udp 192.0.2.1 5353'])).toEqual({ 'udp 192.0.2.1 5353': '192.0.2.2' });
    expect(tracked()).toContain('src=10.42.1.2');
    expect(portmap('DEL', { node, pod, id: 'pod-1' }).status).toBe(0);
    expect(tracked()).not.toContain('src=10.42.1.2');
    expect(tracked()).toContain('dst=198.51.100.53');
    expect(add({ node, pod: next, id: 'pod-2', mappings: [DNS] }).status).toBe(0);
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
    const node = newSpace();
    const ips = [{ address: '10.42.1.2/24' }];
    const chain = { node, pod: newSpace(), id: 'pod-1', mappings: [WEB], ...what };
    const outcome = portmap('ADD', chain, { cniVersion: '1.0.0', ips });
    expect(outcome).toMatchObject({ status: 1, told: { code: 7, msg: expect.stringContaining(msg) } });
    expect([ruleset(node), records()]).toEqual(['', []]);
  });

  test('no result of an earlier plugin, or one without an address', () => {
    const chain = { node: newSpace(), pod: newSpace(), id: 'pod-1', mappings: [WEB] };
    expect(portmap('ADD', chain)).toMatchObject({
      told: { code: 7, msg: expect.stringContaining('prevResult') },
    });
    expect(portmap('ADD', chain, { cniVersion: '1.0.0', ips: [] })).toMatchObject({ told: { code: 7 } });
    expect(portmap('DEL', chain)).toEqual({ status: 0, told: undefined });
  });
});
