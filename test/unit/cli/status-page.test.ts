import { expect, test } from 'bun:test';
import { parseStatus, type StatusDocument } from '../../../src/cli/status-document.ts';
import { formatStatusPage, type PageOptions } from '../../../src/cli/status-page.ts';
import { wantsColour } from '../../../src/cli/style.ts';
import { problem } from '../../../src/model/problem.ts';
import type { AgentStatus } from '../../../src/model/status.ts';
import { agentStatus, manyPeers, NOW_MS, troubledStatus } from './agent-status.ts';

function parse(status: object): StatusDocument {
  const parsed = parseStatus(JSON.stringify(status));
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function page(status: AgentStatus, options: Partial<PageOptions> = {}): string {
  return formatStatusPage(parse(status), { nowMs: NOW_MS, colour: false, allPeers: false, ...options });
}

test('formatStatusPage() shows a node that is well', () => {
  expect(page(agentStatus())).toMatchInlineSnapshot(`
    "✓ edge-1 is ready, up for 3 h 12 min, ready in 38 ms

      agent      flannelette 0.1.0, process 4711
      backend    vxlan, flannel.1 0a:58:0a:2a:01:00, flannel-v6.1 0a:58:0a:2a:01:01
      network    10.42.0.0/16, fd00:42::/48
      interface  eth0: 192.168.1.11, fd00:1::11, MTU 1500
                 known to peers as 203.0.113.11
                 chosen: it has the default route
      settings   net.ipv4.ip_forward=1, net.ipv6.conf.all.forwarding=1
                 note: bridged packets pass by kube-proxy
      lease      10.42.1.0/24, fd00:42:0:1::/64, for 20 h 48 min more unless renewed
      store      sqlite /var/lib/flannelette/leases.db
      last pass  4 s ago (a lease changed): 3 created, 1 updated, in 1.2 ms
      repairs    13 (1 link, 12 route)

    3 peers: all programmed
      node    state         subnet        via          IPv6 subnet       via
      edge-2  ✓ programmed  10.42.2.0/24  192.168.0.2  fd00:42:0:2::/64  fd00:1::2
      edge-3  ✓ programmed  10.42.3.0/24  192.168.0.3  fd00:42:0:3::/64  fd00:1::3
      edge-4  ✓ programmed  10.42.4.0/24  192.168.0.4  fd00:42:0:4::/64  fd00:1::4
    "
  `);
});

test('formatStatusPage() shows what is wrong, what to do, and nothing that commands the terminal', () => {
  const text = page(troubledStatus());
  expect(text).toMatchInlineSnapshot(`
    "✗ edge-1 is not ready: 2 problems
      ✗ Interface 'eth0' is gone [interface-missing]
        → Plug the cable in or name another interface with --iface; the agent follows by itself
      ✗ Cannot create route 10.42.3.0/24: EINVAL 'Nexthop has invalid gateway' [object-failed]
        → Read the kernel message; the agent tries again by itself

      agent      flannelette 0.1.0, process 4711
      backend    vxlan
      network    fd00:42::/48
      interface  none chosen yet
      settings   not known yet
      lease      none yet
      store      sqlite /var/lib/flannelette/leases.db
                 The lease database is locked
                 → Check the lease store; the data plane keeps working meanwhile
      last pass  none yet
      repairs    none were needed

    5 peers: 2 failed, 1 programmed, 1 pending, 1 ignored
      node                                 state         subnet        via          IPv6 subnet       via        backend  reason
      edge-2                               ✓ programmed  10.42.2.0/24  192.168.0.2  fd00:42:0:2::/64  fd00:1::2  –        –
      edge-3                               ✗ failed      10.42.3.0/24  192.168.0.3  fd00:42:0:3::/64  fd00:1::3  –        Nexthop has invalid gateway
      edge-4                               · pending     10.42.4.0/24  192.168.0.4  –                 –          –        –
      edge-5                               – ignored     10.42.5.0/24  192.168.0.5  fd00:42:0:5::/64  fd00:1::5  host-gw  its backend is host-gw
      edge-6\\u001b[2J\\u000d\\u000afake: ok  ✗ failed      10.42.6.0/24  192.168.0.6  fd00:42:0:6::/64  fd00:1::6  –        no route\\u009b

    1 refused lease
      node              reason
      evil\\u202e\\u0007  Subnet '127.0.0.0/8' is loopback
    "
  `);
  expect(text).not.toMatch(/[^\n\P{C}]/u);
});

test('formatStatusPage() lists of many peers those that are not programmed, and counts the rest', () => {
  const startMs = performance.now();
  const text = page(manyPeers(5_000));
  expect(text).toContain('\n5000 peers: 4950 programmed, 50 pending\n');
  expect(text).toContain('\n  and 30 more like these\n  --peers lists all\n');
  expect(text.split('\n').length).toBeLessThan(45);
  expect(page(manyPeers(5_000), { allPeers: true }).split('\n').length).toBeGreaterThan(5_000);
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

test('formatStatusPage() lists nobody if more than ten peers are all programmed', () => {
  const { peers } = manyPeers(99);
  const text = page(agentStatus({ peers: peers.slice(1, 12) }));
  expect(text).toEndWith('\n11 peers: all programmed\n  --peers lists all\n');
});

test('formatStatusPage() tells of a ready node with a problem, and of a node alone', () => {
  const text = page(agentStatus({ problems: [problem('health-unavailable', 'Port taken')], peers: [] }));
  expect(text).toStartWith(
    '✓ edge-1 is ready, up for 3 h 12 min, ready in 38 ms, 1 problem\n  ✗ Port taken [health-unavailable]\n',
  );
  expect(text).toEndWith('\nNo peers: no other node has a lease\n');
});

test('formatStatusPage() shows an expired lease and a pass that did nothing', () => {
  const lease = { subnet: '10.42.1.0/24', subnetV6: undefined, expiresAt: '2026-11-23T11:55:00Z' };
  const counts = { created: 0, updated: 0, removed: 0, failed: 0, held: 0 };
  const lastPass = { at: '2026-11-23T12:00:05Z', cause: 'audit', durationMs: 0.4, ...counts };
  const text = page(agentStatus({ lease, lastPass }));
  expect(text).toContain('10.42.1.0/24, expired 5 min ago\n');
  expect(text).toContain('0 ms ago (audit): nothing to do, in 0.4 ms\n');
});

test('formatStatusPage() colours without moving a column', () => {
  const status = agentStatus();
  const colourful = page(status, { colour: true });
  expect(colourful).toContain('\u001b[32m✓\u001b[0m');
  expect(Bun.stripANSI(colourful)).toBe(page(status));
});

test('wantsColour() asks for a terminal that can, and obeys NO_COLOR', () => {
  expect(wantsColour({ TERM: 'xterm' }, true)).toBe(true);
  expect(wantsColour({ TERM: 'xterm' }, false)).toBe(false);
  expect(wantsColour({ NO_COLOR: '1' }, true)).toBe(false);
  expect(wantsColour({ NO_COLOR: '' }, true)).toBe(true);
  expect(wantsColour({ TERM: 'dumb' }, true)).toBe(false);
});

test('parseStatus() keeps all that an agent of this version says', () => {
  const sent: unknown = JSON.parse(JSON.stringify(agentStatus()));
  expect(JSON.parse(JSON.stringify(parse(agentStatus())))).toEqual(sent);
});

test('parseStatus() understands an agent that says more or less', () => {
  const newer = {
    ...agentStatus(),
    colour: 'blue',
    peers: [{ ...agentStatus().peers[0], state: 'resting', mood: 1 }],
  };
  expect(formatStatusPage(parse(newer), { nowMs: NOW_MS, colour: false, allPeers: false })).toContain(
    '– resting',
  );
  const older = parse({ node: 'edge-1', ready: false });
  expect(older.peers).toEqual([]);
  expect(formatStatusPage(older, { nowMs: NOW_MS, colour: false, allPeers: false })).toStartWith(
    '✗ edge-1 is not ready\n\n  agent      flannelette of an unknown version\n',
  );
});

test('parseStatus() says what it does not understand', () => {
  expect(parseStatus('<html>')).toEqual({ ok: false, error: 'it is no JSON' });
  expect(parseStatus('[]')).toMatchObject({ ok: false });
  expect(parseStatus(JSON.stringify({ ...agentStatus(), peers: [{ node: 5, state: 'x' }] }))).toEqual({
    ok: false,
    error: 'peers.0.node: Invalid type: Expected string but received 5',
  });
});
