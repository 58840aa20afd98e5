/**
 * What a campaign does to its nodes: one damage at a time, chosen by the seed.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Family } from '../../../src/model/ip.ts';
import { pick, type Random } from '../../fuzz/random.ts';
import { sceneOf, DAMAGES as TUNNEL_DAMAGES } from '../agent-damage.ts';
import { buryLease, leaseOf, partOf } from '../agent-store.ts';
import { JSON_LOG } from '../agent-support.ts';
import type { Lab, LabNode } from '../lab.ts';

/** Whom it may hit. */
export interface Field {
  readonly lab: Lab;
  readonly random: Random;
  readonly isVxlan: boolean;
  /** Nodes that have left the cluster for now. */
  readonly away: Set<LabNode>;
  /** Gives a node a pod of its subnet in place of the one that it had. */
  readonly repod: (node: LabNode) => Promise<void>;
}

/** One sort of damage. `act` gives back what it did, in words that can be pasted where there are any. */
export interface Sort {
  readonly name: string;
  /** How often it is chosen beside others. */
  readonly weight: number;
  readonly act: (field: Field) => Promise<string> | string;
}

/** All sorts. */
export const SORTS: readonly Sort[] = [
  { name: 'kernel objects', weight: 12, act: damageObjects },
  { name: 'underlay down and up', weight: 1, act: flipUnderlay },
  { name: 'underlay readdressed', weight: 1, act: readdress },
  { name: 'agent killed', weight: 2, act: kill },
  { name: 'agent told to stop', weight: 1, act: stop },
  { name: 'agent held', weight: 1, act: hold },
  { name: 'file spoilt', weight: 2, act: spoilFile },
  { name: 'node leaves', weight: 1, act: leave },
  { name: 'node returns', weight: 2, act: comeBack },
  { name: 'foreign routes', weight: 1, act: storm },
];

/** Chooses a sort by its weight. */
export function chooseSort(random: Random): Sort {
  return chosen(
    random,
    SORTS.flatMap((sort) => Array.from({ length: sort.weight }, () => sort)),
  );
}

function fail(): never {
  throw new Error('There is no damage to choose from');
}

/** What damages a host-gw node's routes. */
const ROUTE_DAMAGES: readonly ((scene: { subnet: string; publicIp: string; family: Family }) => string)[] = [
  ({ subnet }) => `ip route delete ${subnet}`,
  ({ subnet, publicIp }) => `ip route replace ${subnet} via ${publicIp} dev eth0 proto static`,
  ({ subnet, family }) =>
    `ip route replace ${subnet} via ${family === 4 ? '192.168.77.99' : 'fd77::99'} dev eth0 proto 102`,
  ({ family }) => `ip -${family} route flush proto 102`,
  ({ subnet }) => `ip route replace blackhole ${subnet}`,
  ({ family }) =>
    `ip route add ${family === 4 ? '10.42.250.0/24' : 'fd42:0:0:fa::/64'} via ${family === 4 ? '192.168.77.99' : 'fd77::99'} dev eth0 proto 102`,
];

function damageObjects(field: Field): string {
  const { lab, random, isVxlan } = field;
  const node = presentNode(field);
  const peers = lab.nodes.filter((each) => each !== node && !field.away.has(each));
  const peer = peers[random(peers.length)] ?? node;
  const family: Family = random(2) === 0 ? 4 : 6;
  const [own, other] = [partOf(leaseOf(lab, node), family), partOf(leaseOf(lab, peer), family)];
  const commands = isVxlan
    ? chosen(random, TUNNEL_DAMAGES).commands(sceneOf(family, own, other))
    : chosen(random, ROUTE_DAMAGES)({ ...other, family });
  return commands
    .split('\n')
    .map((command) => tryCommand(node, command))
    .join('; ');
}

/** A damage may find its object gone already, or about to come back. */
function tryCommand(node: LabNode, command: string): string {
  try {
    node.run(...command.split(' '));
    return `${node.name}# ${command}`;
  } catch {
    return `${node.name}# ${command} (refused)`;
  }
}

async function flipUnderlay(field: Field): Promise<string> {
  const node = presentNode(field);
  node.run('ip', 'link', 'set', 'eth0', 'down');
  await Bun.sleep(field.random(200));
  node.run('ip', 'link', 'set', 'eth0', 'up');
  return `${node.name}# ip link set eth0 down; ip link set eth0 up`;
}

/** Between two addresses of each family, so that no two nodes ever have the same. */
async function readdress(field: Field): Promise<string> {
  const node = presentNode(field);
  const { number } = node.space;
  const has = node.run('ip', '-4', 'address', 'show', 'dev', 'eth0');
  const [from, to] = has.includes(`192.168.77.${number}/`) ? [number, number + 100] : [number + 100, number];
  const commands = [
    `ip address add 192.168.77.${to}/24 dev eth0`,
    `ip address delete 192.168.77.${from}/24 dev eth0`,
    // The second address of a network becomes the first only where this is set; not everywhere.
    `ip address replace 192.168.77.${to}/24 dev eth0`,
    `ip -6 address add fd77::${to}/64 dev eth0 nodad`,
    `ip -6 address delete fd77::${from}/64 dev eth0`,
  ];
  return commands.map((command) => tryCommand(node, command)).join('; ');
}

async function kill(field: Field): Promise<string> {
  const node = presentNode(field);
  await node.kill();
  await Bun.sleep(field.random(50));
  node.start(JSON_LOG);
  return `${node.name}: kill -9 and start`;
}

async function stop(field: Field): Promise<string> {
  const node = presentNode(field);
  await node.stop();
  node.start(JSON_LOG);
  return `${node.name}: SIGTERM and start`;
}

/** Events pile up meanwhile. */
async function hold(field: Field): Promise<string> {
  const node = presentNode(field);
  process.kill(node.agent.pid, 'SIGSTOP');
  const done = [damageObjects(field), damageObjects(field), damageObjects(field)];
  await Bun.sleep(field.random(100));
  process.kill(node.agent.pid, 'SIGCONT');
  return `${node.name}: SIGSTOP; ${done.join('; ')}; SIGCONT`;
}

const GARBAGE = ['', '\0\0\0', 'FLANNEL_SUBNET=', '{"version":1,', 'x'.repeat(5_000)] as const;

async function spoilFile(field: Field): Promise<string> {
  const { lab, random } = field;
  const node = presentNode(field);
  const { directory } = node.agent;
  const text = pick(random, GARBAGE);
  if (random(3) === 0) {
    node.run('rm', '-f', join(lab.directory, 'leases.db-changed'));
    return 'rm leases.db-changed';
  }
  if (random(2) === 0) {
    writeFileSync(join(directory, 'subnet.env'), text);
    return `${node.name}: subnet.env := ${JSON.stringify(text.slice(0, 20))}`;
  }
  await node.kill();
  writeFileSync(join(directory, 'state/node.json'), text);
  node.start(JSON_LOG);
  return `${node.name}: node.json := ${JSON.stringify(text.slice(0, 20))}, kill -9 and start`;
}

/** Two nodes stay, so that there is somebody to talk. */
async function leave(field: Field): Promise<string> {
  const { lab, away } = field;
  if (lab.nodes.length - away.size <= 3) return 'nobody leaves';
  const node = presentNode(field);
  await node.kill();
  buryLease(lab, node);
  away.add(node);
  return `${node.name} leaves`;
}

/** It gets its former subnet, unless its subnet.env was spoilt meanwhile. */
async function comeBack({ away, repod }: Field): Promise<string> {
  const [node] = away;
  if (node === undefined) return 'nobody returns';
  await node.start(JSON_LOG).ready();
  away.delete(node);
  await repod(node);
  return `${node.name} returns`;
}

/** Routes of somebody else by the hundred, made and removed. */
function storm(field: Field): string {
  const node = presentNode(field);
  const lines = Array.from({ length: 500 }, (_, i) => `172.20.${i >> 8}.${i & 255}/32 dev alien0 proto bird`);
  const batch = [...lines.map((line) => `route add ${line}`), ...lines.map((line) => `route delete ${line}`)];
  node.run('sh', '-c', `printf '%s\\n' "$1" | ip -force -batch -`, 'sh', batch.join('\n'));
  return `${node.name}: 500 foreign routes come and go`;
}

function presentNode({ lab, random, away }: Field): LabNode {
  const present = lab.nodes.filter((node) => !away.has(node));
  return present[random(present.length)] ?? lab.node(1);
}

function chosen<T>(random: Random, items: readonly T[]): T {
  return items[random(items.length)] ?? fail();
}
