/**
 * Agent statuses for the tests of the health endpoint and of `flannelette status`.
 *
 * @module
 */
import { problem } from '../../../src/model/problem.ts';
import type { AgentStatus, PeerStatus } from '../../../src/model/status.ts';

/** The moment that the statuses of this file are of. */
export const NOW_MS = Date.parse('2026-11-23T12:00:00Z');

/** A dual-stack VXLAN node with three peers, all well, with some members replaced. */
export function agentStatus(changes: Partial<AgentStatus> = {}): AgentStatus {
  return {
    version: '0.1.0',
    node: 'edge-1',
    pid: 4711,
    startedAt: '2026-11-23T08:48:00.000Z',
    ready: true,
    readyAfterMs: 38.4,
    problems: [],
    backend: 'vxlan',
    network: '10.42.0.0/16',
    networkV6: 'fd00:42::/48',
    interface: {
      name: 'eth0',
      mtuBytes: 1500,
      ipv4: '192.168.1.11',
      ipv6: 'fd00:1::11',
      publicIpv4: '203.0.113.11',
      publicIpv6: 'fd00:1::11',
      why: 'it has the default route',
    },
    forwarding: {
      settings: { 'net.ipv4.ip_forward': '1', 'net.ipv6.conf.all.forwarding': '1' },
      notes: ['bridged packets pass by kube-proxy'],
    },
    lease: { subnet: '10.42.1.0/24', subnetV6: 'fd00:42:0:1::/64', expiresAt: '2026-11-24T08:48:00.000Z' },
    vtepMacs: { 'flannel.1': '0a:58:0a:2a:01:00', 'flannel-v6.1': '0a:58:0a:2a:01:01' },
    store: { name: 'sqlite /var/lib/flannelette/leases.db', problem: undefined },
    peers: [peer(2), peer(3), peer(4)],
    refused: [],
    lastPass: {
      at: '2026-11-23T11:59:56.000Z',
      cause: 'a lease changed',
      durationMs: 1.234,
      created: 3,
      updated: 1,
      removed: 0,
      failed: 0,
      held: 0,
    },
    repairs: { link: 1, route: 12 },
    ...changes,
  };
}

/** The same node in trouble. */
export function troubledStatus(): AgentStatus {
  return agentStatus({
    ready: false,
    readyAfterMs: undefined,
    problems: [
      problem('interface-missing', "Interface 'eth0' is gone"),
      problem('object-failed', "Cannot create route 10.42.3.0/24: EINVAL 'Nexthop has invalid gateway'"),
    ],
    network: undefined,
    interface: undefined,
    forwarding: undefined,
    lease: undefined,
    vtepMacs: {},
    store: {
      name: 'sqlite /var/lib/flannelette/leases.db',
      problem: problem('store-unavailable', 'The lease database is locked'),
    },
    peers: [
      peer(2),
      peer(3, { state: 'failed', reason: 'Nexthop has invalid gateway' }),
      peer(4, { state: 'pending', ipv6: undefined }),
      peer(5, { state: 'ignored', backendType: 'host-gw', reason: 'its backend is host-gw' }),
      peer(6, { node: 'edge-6\u001b[2J\r\nfake: ok', state: 'failed', reason: 'no route\u009b' }),
    ],
    refused: [{ node: 'evil\u202e\u0007', reason: "Subnet '127.0.0.0/8' is loopback" }],
    lastPass: undefined,
    repairs: {},
  });
}

/** A node with many peers, of which every hundredth waits. */
export function manyPeers(count: number): AgentStatus {
  const peers = Array.from({ length: count }, (_, i) =>
    peer(i, i % 100 === 0 ? { state: 'pending', reason: 'not programmed yet' } : {}),
  );
  return agentStatus({ ready: false, peers });
}

function peer(number: number, changes: Partial<PeerStatus> = {}): PeerStatus {
  const high = number >> 8;
  const low = number & 0xff;
  return {
    node: `edge-${number}`,
    backendType: 'vxlan',
    state: 'programmed',
    ipv4: { subnet: `10.${42 + high}.${low}.0/24`, publicIp: `192.168.${high}.${low}` },
    ipv6: { subnet: `fd00:42:0:${number.toString(16)}::/64`, publicIp: `fd00:1::${number.toString(16)}` },
    reason: undefined,
    ...changes,
  };
}
