/**
 * What others have on a node, near enough to ours to be mistaken for it; not a byte of it may change.
 *
 * @module
 */
import type { LabNode } from '../lab.ts';

/** Links of others; what stands on them is theirs. */
const LINKS = ['alien0', 'vxalien'];

/** Commands, one a line: a bridge with addresses and routes inside the pod network, a tunnel of another VNI. */
const PLANT = `
ip link add alien0 type bridge
ip link set alien0 up
ip address add 10.42.222.1/24 dev alien0
ip -6 address add fd42:0:0:dddd::1/64 dev alien0 nodad
ip link add vxalien type vxlan id 99 dstport 8472 local 192.168.77.250 nolearning
ip link set vxalien address 02:00:00:00:99:01 up
ip address add 10.42.223.0/32 dev vxalien
ip route add 10.42.200.0/24 dev alien0 proto static
ip route add 10.42.201.0/24 via 10.42.222.9 dev alien0 proto boot
ip route add 10.42.202.0/24 dev alien0 proto 102 table 55
ip -6 route add fd42:0:0:cccc::/64 dev alien0 proto bird
ip neighbour add 10.42.222.9 lladdr 02:00:00:00:99:09 dev alien0 nud permanent
ip neighbour add 10.42.223.9 lladdr 02:00:00:00:99:08 dev vxalien nud permanent
bridge fdb add 02:00:00:00:99:07 dev vxalien dst 192.168.77.251 self permanent
ip rule add from 10.42.222.0/24 lookup 55 priority 5000
`;

/** A bridge's timers run by themselves. */
const COUNTER = /\w+_timer +[\d.]+ /g;

/** Puts it all on a node. */
export function plantAliens(node: LabNode): void {
  for (const command of PLANT.trim().split('\n')) node.run(...command.split(' '));
}

/** All of it as iproute2 prints it, without what counts up by itself. */
export function readAliens(node: LabNode): string[] {
  const shown = LINKS.flatMap((link) => [
    node.run('ip', '-details', 'link', 'show', link),
    node.run('ip', '-details', 'address', 'show', 'dev', link, 'scope', 'global'),
    node.run('ip', '-details', 'route', 'show', 'table', 'all', 'dev', link),
    node.run('ip', '-6', '-details', 'route', 'show', 'dev', link, 'proto', 'bird'),
    node.run('ip', 'neighbour', 'show', 'dev', link, 'nud', 'permanent'),
    node.run('bridge', 'fdb', 'show', 'dev', link),
  ]);
  const rest = [node.run('ip', 'rule'), node.run('cat', '/proc/sys/net/ipv4/conf/alien0/rp_filter')];
  return [...shown, ...rest].flatMap((text) => text.replaceAll(COUNTER, '').split('\n'));
}

/** Whether a record of a witness is about one of their links. */
export function isAlien({ dev }: Readonly<Record<string, unknown>>): boolean {
  return typeof dev === 'string' && LINKS.includes(dev);
}
