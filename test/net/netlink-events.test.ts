/**
 * The socket filter on the real kernel: what an event socket hears of, and in whose name it is announced.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import { readdirSync, readlinkSync } from 'node:fs';
import { attachFilter, type NetlinkSocket } from '../../ffi/socket.ts';
import { watchNetlink } from '../../ffi/watch.ts';
import { ERRNO, errnoName } from '../../src/netlink/error.ts';
import { type EventFilterOptions, eventFilter } from '../../src/netlink/event-filter.ts';
import { eachMessage } from '../../src/netlink/frame.ts';
import { AF, NETLINK_ROUTE, RTM, RTMGRP } from '../../src/netlink/route.ts';
import {
  BRIDGE_INDEX,
  NetlinkLab,
  peerForwarding,
  peerNeighbour,
  peerRoute,
  VXLAN_INDEX,
} from './netlink-lab.ts';

const GROUPS = Object.values(RTMGRP).reduce((bits, bit) => bits | bit, 0);
const TYPES = new Map<number, string>(Object.entries(RTM).map(([name, type]) => [type, name]));
const FAMILIES = new Map<number, string>(Object.entries(AF).map(([name, family]) => [family, name]));
const buffer = new Uint8Array(64 * 1024);

/** What arrived since the last call, as `DELNEIGH BRIDGE 3`: type, and of neighbours family and link. */
function heard(socket: NetlinkSocket): string[] {
  const all: string[] = [];
  for (;;) {
    const length = socket.receive(buffer);
    if (length === -ERRNO.EAGAIN) return all;
    if (length < 0) return [...all, errnoName(-length)];
    eachMessage(buffer, length, ({ type }, payload) => {
      const isNeighbour = type === RTM.NEWNEIGH || type === RTM.DELNEIGH;
      const family = FAMILIES.get(payload.view.getUint8(payload.at));
      const index = payload.view.getInt32(payload.at + 4, true);
      all.push(`${TYPES.get(type)}${isNeighbour ? ` ${family} ${index}` : ''}`);
    });
  }
}

function listen(lab: NetlinkLab, options: Partial<EventFilterOptions> = {}): NetlinkSocket {
  const socket = lab.open({ protocol: NETLINK_ROUTE, groups: GROUPS });
  const program = eventFilter({
    ownPortIds: [lab.portId],
    links: [VXLAN_INDEX],
    forwarding: 'all',
    ...options,
  });
  expect(attachFilter(socket.fd, program)).toBe(0);
  return socket;
}

test('neighbours of other links are not heard of', () => {
  using lab = new NetlinkLab();
  const socket = listen(lab);
  const everything = lab.open({ protocol: NETLINK_ROUTE, groups: GROUPS });
  for (let i = 1; i <= 20; i++)
    lab.run(`ip neighbour replace 192.168.9.${i} lladdr 02:00:00:00:09:01 dev br0`);
  lab.run('ip neighbour flush dev br0');
  lab.run('bridge fdb add 02:00:00:00:09:02 dev br0 self permanent');
  expect(heard(everything).length).toBeGreaterThan(20);
  expect(heard(socket)).toEqual([]);
});

test('neighbours and forwarding entries of ours that others change are heard of', () => {
  using lab = new NetlinkLab();
  const socket = listen(lab);
  const entry = '02:00:00:00:00:09 dev flannel.1 dst';
  lab.run(`bridge fdb replace ${entry} 192.168.0.9 self permanent`);
  expect(heard(socket)).toEqual([`NEWNEIGH BRIDGE ${VXLAN_INDEX}`]);
  lab.run(`bridge fdb replace ${entry} 192.168.0.8 self permanent`);
  expect(heard(socket)).toEqual([`NEWNEIGH BRIDGE ${VXLAN_INDEX}`]);
  lab.run('bridge fdb del 02:00:00:00:00:09 dev flannel.1 self');
  expect(heard(socket)).toEqual([`DELNEIGH BRIDGE ${VXLAN_INDEX}`]);
  lab.run('ip neighbour replace 10.0.9.0 lladdr 02:00:00:00:00:09 dev flannel.1 nud permanent');
  expect(heard(socket)).toEqual([`NEWNEIGH INET ${VXLAN_INDEX}`]);
  lab.run('ip neighbour del 10.0.9.0 dev flannel.1');
  expect(heard(socket)).toContain(`DELNEIGH INET ${VXLAN_INDEX}`);
});

test('routes, addresses and links that others change are heard of', () => {
  using lab = new NetlinkLab();
  const socket = listen(lab);
  lab.run('ip route add 10.9.0.0/24 via 192.168.0.9');
  expect(heard(socket)).toEqual(['NEWROUTE']);
  lab.run('ip route del 10.9.0.0/24');
  expect(heard(socket)).toEqual(['DELROUTE']);
  lab.run('ip address add 10.8.0.1/24 dev br0');
  expect(heard(socket)).toContain('NEWADDR');
  lab.run('ip link set flannel.1 down');
  expect(heard(socket)).toContain('NEWLINK');
  lab.run('ip link del flannel.1');
  expect(heard(socket)).toContain('DELLINK');
});

test('our own routes and neighbours are not heard of, our forwarding entries are', () => {
  using lab = new NetlinkLab();
  const socket = listen(lab);
  const { session } = lab;
  for (let i = 1; i <= 50; i++) {
    session.queue(i, peerRoute(i));
    session.queue(i, peerNeighbour(i));
  }
  expect(session.finish().size).toBe(0);
  expect(heard(socket)).toEqual([]);
  // The kernel announces them with port 0, whoever asked.
  expect(session.execute(peerForwarding(1))).toBeUndefined();
  expect(heard(socket)).toEqual([`NEWNEIGH BRIDGE ${VXLAN_INDEX}`]);
  // What changes nothing is not announced.
  expect(session.execute(peerForwarding(1))).toBeUndefined();
  expect(heard(socket)).toEqual([]);
  expect(session.execute({ ...peerForwarding(1), type: RTM.DELNEIGH, flags: 0 })).toBeUndefined();
  expect(heard(socket)).toEqual([`DELNEIGH BRIDGE ${VXLAN_INDEX}`]);
});

test('with forwarding removals, writing many entries is silent and does not fill the buffer', () => {
  using lab = new NetlinkLab();
  const deaf = listen(lab, { forwarding: 'removals' });
  const hearing = listen(lab);
  const { session } = lab;
  for (let i = 1; i <= 1000; i++) session.queue(i, peerForwarding(i));
  expect(session.finish().size).toBe(0);
  expect(heard(deaf)).toEqual([]);
  expect(heard(hearing)).toContain('ENOBUFS');
  lab.run('bridge fdb del 02:00:00:00:00:01 dev flannel.1 self');
  expect(heard(deaf)).toEqual([`DELNEIGH BRIDGE ${VXLAN_INDEX}`]);
});

test('a filter can be replaced while the socket is open', () => {
  using lab = new NetlinkLab();
  const socket = listen(lab, { links: [] });
  lab.run('bridge fdb add 02:00:00:00:00:09 dev flannel.1 dst 192.168.0.9 self permanent');
  expect(heard(socket)).toEqual([]);
  const program = eventFilter({ ownPortIds: [], links: [VXLAN_INDEX, BRIDGE_INDEX], forwarding: 'all' });
  expect(attachFilter(socket.fd, program)).toBe(0);
  lab.run('bridge fdb del 02:00:00:00:00:09 dev flannel.1 self');
  expect(heard(socket)).toEqual([`DELNEIGH BRIDGE ${VXLAN_INDEX}`]);
});

/** What a descriptor of this process leads to, as `socket:[4711]`; undefined for one that is gone. */
function target(fd: number | string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

/** Whether any descriptor of this process leads there: counting sockets would count those of other tests. */
const isOpen = (socket: string | undefined) =>
  readdirSync('/proc/self/fd').some((fd) => target(fd) === socket);

test('who cannot take an event in hears that events were lost, and the socket is gone', async () => {
  using lab = new NetlinkLab();
  const socket = lab.open({ protocol: NETLINK_ROUTE, groups: GROUPS });
  const inode = target(socket.fd);
  expect(inode).toStartWith('socket:');
  const lost = new Promise<string>((onLost) => {
    const onDatagrams = () => {
      throw new Error('no such luck');
    };
    watchNetlink(socket, { onDatagrams, onLost });
  });
  lab.run('ip route add 10.9.0.0/24 via 192.168.0.9');
  expect(await lost).toBe('no such luck');
  for (let i = 0; i < 100 && isOpen(inode); i++) await Bun.sleep(10);
  expect(isOpen(inode)).toBe(false);
});
