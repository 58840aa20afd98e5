/**
 * Running `flannelette cleanup` on a node of a laboratory, and seeing all of the node at once.
 *
 * @module
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { EXECUTABLE, type Lab, type LabNode } from './lab.ts';

/** What came of a command. */
export interface CleanupOutcome {
  readonly status: number;
  /** Of standard output, the empty last one left out. */
  readonly lines: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
}

/** How a cleanup is run. */
export interface CleanupOptions {
  /** Flags beside those of the node's agent, or in their place if given again. */
  readonly flags?: readonly string[];
  /** What stands before the executable. */
  readonly before?: readonly string[];
}

/** Where the agents of a node have their files. */
export function directoryOf(lab: Lab, node: LabNode): string {
  return join(lab.directory, node.name);
}

/** The flags of the node's agent that `cleanup` takes. */
export function agentFlags(lab: Lab, node: LabNode): string[] {
  const directory = directoryOf(lab, node);
  return [
    ...lab.site.storeArguments,
    ...['--subnet-file', join(directory, 'subnet.env'), '--state-dir', join(directory, 'state')],
    ...['--socket', join(directory, 'agent.sock'), '--iface', 'eth0', '--install-cni=false'],
  ];
}

/** Runs `flannelette cleanup` with the flags of the node's agent. */
export function cleanUp(lab: Lab, node: LabNode, options: CleanupOptions = {}): CleanupOutcome {
  const { command, env } = invocation(lab, node, options);
  const result = inNetns(node.space.netns, () =>
    Bun.spawnSync(command, { cwd: '/', env, stdin: 'ignore', stderr: 'pipe' }),
  );
  return outcome(result.exitCode, result.stdout.toString(), result.stderr.toString());
}

/** The same without holding up this process, which may have to answer. */
export async function cleanUpLater(
  lab: Lab,
  node: LabNode,
  options: CleanupOptions = {},
): Promise<CleanupOutcome> {
  const { command, env } = invocation(lab, node, options);
  const child = inNetns(node.space.netns, () =>
    Bun.spawn(command, { cwd: '/', env, stdin: 'ignore', stderr: 'pipe' }),
  );
  const texts = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return outcome(await child.exited, ...texts);
}

function invocation(lab: Lab, node: LabNode, { flags = [], before = [] }: CleanupOptions) {
  const { PATH = '' } = process.env;
  return {
    command: [...before, EXECUTABLE, 'cleanup', ...agentFlags(lab, node), ...flags],
    env: { PATH, NODE_NAME: node.name },
  };
}

function outcome(status: number, stdout: string, stderr: string): CleanupOutcome {
  return { status, stdout, lines: stdout.trimEnd().split('\n'), stderr };
}

/** All that a node has: what `ip` and `bridge` print, whole, and every file below its directory. */
export function wholeNode(lab: Lab, node: LabNode): Readonly<Record<string, string>> {
  const asIp = (...words: string[]) => node.run('ip', '-details', '-json', ...words);
  return {
    links: withoutTimers(asIp('link')),
    addresses: withoutTimers(asIp('address')),
    routes: asIp('-4', 'route', 'show', 'table', 'all'),
    routesV6: asIp('-6', 'route', 'show', 'table', 'all'),
    rules: asIp('rule'),
    neighbours: asIp('neigh', 'show', 'nud', 'permanent'),
    forwarding: node.run('bridge', '-details', '-json', 'fdb'),
    ...filesBelow(directoryOf(lab, node)),
  };
}

/** Without what runs by itself: a bridge's timers. */
function withoutTimers(json: string): string {
  return json.replaceAll(/"\w+_timer":[\d.]+/g, '');
}

/** Other people's objects and files in every place that ours could be mistaken for. */
export function plantForeign(lab: Lab, node: LabNode): void {
  const commands = [
    // What the agent would set, and nobody takes back.
    'sysctl -q -w net.ipv4.ip_forward=1',
    'sysctl -q -w net.ipv6.conf.all.forwarding=1',
    // A name of ours on another kind of device, or on a device of another VNI.
    'ip link add flannel.9 type bridge',
    'ip link add flannel.8 type vxlan id 99 dstport 4790 local 192.168.77.1 dev eth0',
    'ip link add vx0 type vxlan id 77 dstport 4790 local 192.168.77.1 dev eth0',
    'ip address add 172.16.9.1/24 dev flannel.9',
    'ip link set flannel.9 up',
    'ip link set flannel.8 up',
    'ip link set vx0 up',
    'ip route add 172.16.10.0/24 via 172.16.9.2 dev flannel.9 onlink proto static',
    'ip route add 172.16.11.0/24 dev vx0 proto boot',
    'ip neigh add 172.16.11.1 lladdr 02:00:00:00:11:01 dev vx0 nud permanent',
    'bridge fdb add 02:00:00:00:11:01 dev vx0 dst 192.168.77.201 self permanent',
    // Routes of other protocols, into the pod network too, and of ours in a form or a table that is not ours.
    'ip route add 203.0.113.0/24 via 192.168.77.254 dev eth0 proto static',
    'ip route add 198.51.100.0/24 via 192.168.77.254 dev eth0 proto 103',
    'ip route add 10.42.0.128/25 via 192.168.77.254 dev eth0 proto boot',
    'ip route add fd42::8000:0:0:0/65 via fd77::254 dev eth0 proto static',
    'ip route add blackhole 192.0.2.0/24 proto 102',
    'ip route add 198.18.0.0/15 via 192.168.77.254 dev eth0 table 100 proto 102',
    'ip neigh add 192.168.77.200 lladdr 02:00:00:00:22:00 dev eth0 nud permanent',
  ];
  for (const command of commands) node.run(...command.split(' '));
  const state = join(directoryOf(lab, node), 'state');
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, 'notes.txt'), 'not flannelette’s\n');
}

function filesBelow(directory: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(directory, name);
    if (name === 'agent.log') continue;
    const { mode } = lstatSync(path);
    files[name] = `${mode.toString(8)} ${statSync(path).isFile() ? readFileSync(path, 'utf8') : ''}`;
  }
  return files;
}
