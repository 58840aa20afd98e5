import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { TIMEOUT_MS } from './agent-support.ts';
import { createLab, EXECUTABLE, type Lab } from './lab.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await createLab({ nodes: 1 });
});

afterAll(() => lab[Symbol.asyncDispose]());

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What is in the lab's directory, to the byte. */
function readFiles(): Record<string, string> {
  const paths = readdirSync(lab.directory, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    paths.map((each) => {
      const path = join(each.parentPath, each.name);
      return [path, each.isFile() ? readFileSync(path, 'utf8') : 'a directory'];
    }),
  );
}

/** Runs the executable in the node's namespace; one that does not end by itself is killed. */
function runExecutable(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Outcome {
  const { PATH = '' } = process.env;
  const before = readFiles();
  const options = {
    env: { PATH, NODE_NAME: 'node-1', ...environment },
    stderr: 'pipe',
    timeout: 10_000,
  } as const;
  const { exitCode, stdout, stderr } = inNetns(lab.node(1).space.netns, () =>
    Bun.spawnSync([EXECUTABLE, ...args], { stdin: 'ignore', ...options }),
  );
  expect(readFiles()).toEqual(before);
  return { status: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** The flags of an agent that would run. */
function goodFlags(netConf = join(lab.directory, 'net-conf.json')): string[] {
  const at = (name: string) => join(lab.directory, name);
  const flags = { 'net-config-path': netConf, 'lease-db': at('leases.db'), 'subnet-file': at('subnet.env') };
  const rest = { 'state-dir': at('state'), socket: at('agent.sock'), iface: 'eth0' };
  const places = Object.entries({ ...flags, ...rest }).flatMap(([name, value]) => [`--${name}`, value]);
  return ['--install-cni=false', ...places];
}

function expectRefused({ status, stdout, stderr }: Outcome, ...parts: readonly string[]): void {
  expect({ status, stdout, lines: stderr.split('\n').length - 1 }).toEqual({
    status: 1,
    stdout: '',
    lines: 1,
  });
  for (const part of parts) expect(stderr).toContain(part);
  const node = lab.node(1);
  expect(node.ip('link').map(({ ifname }) => ifname)).toEqual(['lo', 'eth0']);
  expect(
    [...node.ip('route'), ...node.ip('-6', 'route')].filter(({ protocol }) => protocol !== 'kernel'),
  ).toEqual([]);
}

test.each([
  { args: ['--ifcae', 'eth0'], parts: ['ifcae', 'unknown flag', "'iface'"] },
  { args: ['--healthz-port', 'http'], parts: ['healthz-port', "'http'", 'integer'] },
  { args: ['-healthz-port=70000'], parts: ['healthz-port', "'70000'", '65535'] },
  { args: ['--subnet-lease-renew-margin=1440'], parts: ['subnet-lease-renew-margin', "'1440'", '1439'] },
  { args: ['--ip-masq', 'true'], parts: ["'true'", '--ip-masq=true'] },
  { args: ['--iptables=nft'], parts: ['iptables', "'nft'", 'true'] },
  { args: ['--fix-forward=on'], parts: ['fix-forward', "'on'", 'true'] },
  { args: ['--ip-masq=yes'], parts: ['ip-masq', "'yes'", 'true'] },
  { args: ['--ip-masq-fully-random-disable=2'], parts: ['ip-masq-fully-random-disable', "'2'", 'true'] },
  { args: ['--iptables-forward-rules=maybe'], parts: ['iptables-forward-rules', "'maybe'", 'true'] },
  { args: ['--ip-blackhole-route=no'], parts: ['ip-blackhole-route', "'no'", 'true'] },
  { args: ['--public-ip=node'], parts: ['public-ip', "'node'", 'IPv4'] },
  { args: ['--iface-regex=('], parts: ['iface-regex', "'('"] },
  { args: ['--kube-subnet-mgr'], parts: ['kube-subnet-mgr', 'lease-db'] },
  { args: ['--etcd-endpoints=http://10.0.0.1:2379'], parts: ['etcd-endpoints', 'lease-db'] },
  { args: ['--log-format=xml'], parts: ['log-format', "'xml'", 'json'] },
  {
    args: ['--net-config-path=/nonexistent.json'],
    parts: ['net-config-path', '/nonexistent.json', 'ENOENT'],
  },
  { args: ['--net-config-path=/dev/zero'], parts: ['net-config-path', '/dev/zero', 'not a regular file'] },
  { args: ['--net-config-path=/proc/self/mem'], parts: ['net-config-path', '/proc/self/mem'] },
  { args: ['--install-cni=maybe'], parts: ['install-cni', "'maybe'", 'true'] },
  { args: ['--cni-bin-dir'], parts: ['cni-bin-dir', 'no value', 'DIR'] },
  { args: ['--cni-conf-dir'], parts: ['cni-conf-dir', 'no value', 'DIR'] },
  { args: ['--install-cni', '--cni-conf-file=/none'], parts: ['cni-conf-file', '/none', 'ENOENT'] },
  { args: ['--install-cni', '--cni-conf-file=/etc/hostname'], parts: ['cni-conf-file', 'plugins'] },
  { args: ['--healthz-ip=localhost'], parts: ['healthz-ip', "'localhost'", 'address'] },
  { args: ['--socket=/tmp/'], parts: ['socket', "'/tmp/'", 'file'] },
  { args: [`--socket=/${'x'.repeat(107)}`], parts: ['socket', '107 bytes'] },
  { args: ['--state-dir='], parts: ['state-dir', "''", 'path'] },
  { args: ['--v=high'], parts: ['v', "'high'", 'integer'] },
  { args: ['--iface=eth0:1'], parts: ['iface', "'eth0:1'", 'interface name'] },
  { args: ['--iface=flannel.1'], parts: ['iface', "'flannel.1'", "agent's own"] },
  { args: ['--iface=10.42.3.1'], parts: ['iface', "'10.42.3.1'", 'outside the pod network'] },
  { args: ['--iface-can-reach=fd42::9'], parts: ['iface-can-reach', "'fd42::9'", 'fd42::/48'] },
  { args: ['--iface-can-reach=gateway'], parts: ['iface-can-reach', "'gateway'", 'address'] },
  { args: ['--public-ip=10.42.3.1'], parts: ['public-ip', "'10.42.3.1'", '10.42.0.0/16'] },
  { args: ['--public-ipv6=fd42::9'], parts: ['public-ipv6', "'fd42::9'", 'fd42::/48'] },
  { args: ['--socket=/tmp/x', '--subnet-file=/tmp/x'], parts: ['socket', "'/tmp/x'", 'subnet-file'] },
  { args: ['--subnet-file=/tmp/y', '--state-dir=/tmp/y'], parts: ['subnet-file', "'/tmp/y'", 'directory'] },
])(
  'flannelette run $args is refused in one line, and nothing is made',
  ({ args, parts }) => {
    expectRefused(runExecutable(['run', ...goodFlags(), ...args]), ...parts);
  },
  TIMEOUT_MS,
);

test.each([
  { text: '', parts: ['net-conf.json', 'line 1'] },
  { text: '{"Network": "10.42.0.0/16",}', parts: ['line 1 column 28', 'expected'] },
  { text: '[]', parts: ['JSON object'] },
  { text: '{"Network": "10.42.0.0/33"}', parts: ['Network', "'10.42.0.0/33'", 'IPv4 network'] },
  { text: '{"Network": "fd42::/48"}', parts: ['Network', "'fd42::/48'", 'IPv4 network'] },
  { text: '{"Network": "10.42.0.0/16", "SubnetLen": "24"}', parts: ['SubnetLen', '24', 'integer'] },
  { text: '{"Network": "10.42.0.0/16", "SubnetLen": 17}', parts: ['SubnetLen', '17'] },
  { text: '{"Network": "10.42.0.0/16", "SubnetMin": "10.43.0.0"}', parts: ['SubnetMin', '10.43.0.0'] },
  { text: '{"Network": null}', parts: ['Network', 'null'] },
  { text: '{"Network": "0.0.0.0/0"}', parts: ['Network'] },
  { text: '{"EnableIPv4": false}', parts: ['EnableIPv4', "'false'", 'EnableIPv6'] },
  { text: '{"Network": "10.42.0.0/16", "EnableIPv6": true}', parts: ['IPv6Network'] },
  { text: '{"Network": "10.42.0.0/16", "Backend": {}}', parts: ['Backend.Type', 'vxlan'] },
  {
    text: '{"Network": "10.42.0.0/16", "Backend": {"Type": "wireguard"}}',
    parts: ['Backend.Type', 'wireguard'],
  },
  { text: '{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlna"}}', parts: ['Backend.Type', "'vxlna'"] },
  {
    text: '{"Network": "10.42.0.0/16", "SubnetMin": "10.42.9.0", "SubnetMax": "10.42.8.0"}',
    parts: ['SubnetMax', "'10.42.8.0'", '10.42.9.0'],
  },
  { text: '{"Network": "10.42.0.0/29"}', parts: ['Network', "'10.42.0.0/29'", '28'] },
  { text: '{"Network": "127.0.0.0/16"}', parts: ['Network', "'127.0.0.0/16'", 'no pod'] },
  {
    text: '{"Network": "10.42.0.0/16", "EnableIPv6": true, "IPv6Network": "10.43.0.0/16"}',
    parts: ['IPv6Network', "'10.43.0.0/16'", 'IPv6 network'],
  },
  {
    text: '{"Network": "10.42.0.0/16", "EnableIPv6": true, "IPv6Network": "fd42::/48", "IPv6SubnetLen": 48}',
    parts: ['IPv6SubnetLen', "'48'", 'fd42::/48'],
  },
  {
    text: '{"Network": "10.42.0.0/16", "EnableIPv6": true, "IPv6Network": "fd42::/48", "IPv6SubnetMin": "fd43::"}',
    parts: ['IPv6SubnetMin', "'fd43::'", 'fd42::/48'],
  },
  {
    text: '{"Network": "10.42.0.0/16", "EnableIPv6": true, "IPv6Network": "fd42::/48", "IPv6SubnetMax": "fd42::1"}',
    parts: ['IPv6SubnetMax', "'fd42::1'", '/64'],
  },
  { text: '{"Network": "10.42.0.0/16", "EnableIPv6": "yes"}', parts: ['EnableIPv6', 'yes', 'true or false'] },
  { text: '{"Network": "10.42.0.0/16", "Backend": "vxlan"}', parts: ['Backend', "'vxlan'", 'JSON object'] },
  {
    text: '{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan", "MTU": 500}}',
    parts: ['Backend.MTU', "'500'", '576'],
  },
  {
    text: '{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan", "GBP": 1}}',
    parts: ['Backend.GBP', "'1'", 'true or false'],
  },
  {
    text: '{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan", "Learning": "on"}}',
    parts: ['Backend.Learning', 'on', 'true or false'],
  },
  {
    text: '{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan", "DirectRouting": []}}',
    parts: ['Backend.DirectRouting', '[...]', 'true or false'],
  },
  {
    text: '{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan", "TxChecksumOffload": 0}}',
    parts: ['Backend.TxChecksumOffload', "'0'", 'true or false'],
  },
  { text: '{"Network": "10.42.0.0/16", "EnableNFTables": 1}', parts: ['EnableNFTables', "'1'", 'true'] },
  {
    text: '{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan", "VNI": 10000000}}',
    parts: ['Backend.VNI', "'10000000'", 'too long for a device'],
  },
  {
    text: '{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan", "VNI": 16777216}}',
    parts: ['Backend.VNI', "'16777216'", '16777215'],
  },
  {
    text: '{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan", "Port": 65536}}',
    parts: ['Backend.Port', "'65536'", '65535'],
  },
])(
  'net-conf.json $text is refused in one line, and nothing is made',
  ({ text, parts }) => {
    const path = join(lab.directory, 'bad-net-conf.json');
    writeFileSync(path, text);
    expectRefused(runExecutable(['run', ...goodFlags(path)]), path, ...parts);
  },
  TIMEOUT_MS,
);

test('a bad environment variable is refused by its own name', () => {
  const outcome = runExecutable(['run', ...goodFlags()], { FLANNELD_HEALTHZ_PORT: 'http' });
  expectRefused(outcome, 'FLANNELD_HEALTHZ_PORT', "'http'");
});

test('net-conf.json that is a directory or not to be read is refused', () => {
  const directory = join(lab.directory, 'net-conf.d');
  mkdirSync(directory, { recursive: true });
  expectRefused(runExecutable(['run', ...goodFlags(directory)]), 'net-config-path', 'not a regular file');
});

test('flags alone mean to run, and an unknown command is refused', () => {
  expectRefused(runExecutable(['--no-such-flag']), 'no-such-flag');
  expectRefused(runExecutable(['runn']), "'runn'", 'run');
});

test.each([{ args: ['--help'] }, { args: ['run', '--help'] }, { args: ['help'] }, { args: ['-h'] }])(
  'flannelette $args shows the flags by group',
  ({ args }) => {
    const { status, stdout, stderr } = runExecutable(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const word of ['Network', 'Leases: ', '--net-config-path', '--iface', '--healthz-port']) {
      expect(stdout).toContain(word);
    }
    expect(stdout.split('\n').filter((line) => line.length > 120)).toEqual([]);
  },
);

test.each([{ args: ['version'] }, { args: ['--version'] }, { args: ['run', '--version'] }])(
  'flannelette $args says what it is',
  ({ args }) => {
    const { status, stdout, stderr } = runExecutable(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^flannelette \S+ \(Bun \S+, linux\/\w+\)\n$/);
  },
);

test('flannelette version --json says it to programs', () => {
  const { status, stdout } = runExecutable(['version', '--json']);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    version: expect.any(String),
    bun: expect.any(String),
    os: 'linux',
    arch: process.arch,
  });
});
