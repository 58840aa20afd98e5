import { expect, test } from 'bun:test';
import {
  allWell,
  type Findings,
  failureJson,
  findingsJson,
  median,
  nodesTable,
  repairsTable,
} from '../../../src/cli/demo/report.ts';
import { parseNodeSubnets } from '../../../src/cli/demo/subnet-env.ts';

const subnetEnv = `FLANNEL_NETWORK=10.42.0.0/16
FLANNEL_SUBNET=10.42.7.1/24
FLANNEL_IPV6_NETWORK=fd42::/48
FLANNEL_IPV6_SUBNET=fd42:0:0:7::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=false
`;

function findings(): Findings {
  const subnets = parseNodeSubnets(subnetEnv)?.subnets ?? new Map();
  return {
    families: [4, 6],
    nodes: [
      {
        name: 'node-1',
        subnets,
        readyMs: 61.27,
        memory: { rssKib: 39_936, anonKib: 7_373 },
        roundTripMs: 0.081,
      },
    ],
    pings: new Map([
      [4, { sent: 6, ok: 6 }],
      [6, { sent: 6, ok: 6 }],
    ]),
    outside: new Map([
      [4, { sent: 1, ok: 1 }],
      [6, { sent: 1, ok: 1 }],
    ]),
    repairs: [{ node: 'node-1', what: 'deleted flannel.1', ms: 4.26, pings: { sent: 8, ok: 8 } }],
  };
}

test('parseNodeSubnets() reads what pods need, and nothing from a file without it', () => {
  const { subnets, mtuBytes } = parseNodeSubnets(subnetEnv) ?? {};
  expect<unknown>(subnets).toEqual(
    new Map([
      [4, '10.42.7.0/24'],
      [6, 'fd42:0:0:7::/64'],
    ]),
  );
  expect(mtuBytes).toBe(1430);
  expect(parseNodeSubnets('')).toBeUndefined();
  expect(parseNodeSubnets('FLANNEL_SUBNET=10.42.7.1/24\n')).toBeUndefined();
});

test('nodesTable() and repairsTable() are tables for people', () => {
  expect(nodesTable(findings(), 100).split('\n')).toEqual([
    '┌────────┬──────────────┬─────────────────┬───────┬─────────┬─────────┬────────────┬─────────┐',
    '│ node   │ IPv4 subnet  │ IPv6 subnet     │ ready │   VmRSS │ RssAnon │ round trip │ repairs │',
    '├────────┼──────────────┼─────────────────┼───────┼─────────┼─────────┼────────────┼─────────┤',
    '│ node-1 │ 10.42.7.0/24 │ fd42:0:0:7::/64 │ 61 ms │ 39.0 MB │  7.2 MB │    0.08 ms │       1 │',
    '└────────┴──────────────┴─────────────────┴───────┴─────────┴─────────┴────────────┴─────────┘',
  ]);
  const mark = (good: boolean) => (good ? '✓' : '✗');
  expect(repairsTable(findings(), { columns: 100, mark })).toContain(
    '│ deleted flannel.1 │ node-1 │         4.3 ms │ ✓ 8 of 8        │',
  );
});

test('nodesTable() goes without lines where they do not fit', () => {
  expect(nodesTable(findings(), 80).split('\n')).toEqual([
    'node    IPv4 subnet   IPv6 subnet      ready    VmRSS  RssAnon  round trip  repairs',
    'node-1  10.42.7.0/24  fd42:0:0:7::/64  61 ms  39.0 MB   7.2 MB     0.08 ms        1',
  ]);
});

test('findingsJson() has one shape, whatever happened', () => {
  expect(JSON.parse(findingsJson(findings()))).toEqual({
    ok: true,
    nodes: [
      {
        name: 'node-1',
        subnet: '10.42.7.0/24',
        subnetV6: 'fd42:0:0:7::/64',
        readyMs: 61.3,
        rssKib: 39_936,
        anonKib: 7_373,
      },
    ],
    pings: { v4: { sent: 6, ok: 6 }, v6: { sent: 6, ok: 6 } },
    outside: { v4: { sent: 1, ok: 1 }, v6: { sent: 1, ok: 1 } },
    repairs: [{ what: 'deleted flannel.1 on node-1', ms: 4.3 }],
  });
  expect(Object.keys(JSON.parse(failureJson()))).toEqual(Object.keys(JSON.parse(findingsJson(findings()))));
  expect(findingsJson(findings())).not.toContain('\n');
});

test('allWell() wants every ping, every repair, and every ping after a repair', () => {
  const base = findings();
  const [repair] = base.repairs;
  if (repair === undefined) throw new Error('no repair');
  expect(allWell(base)).toBe(true);
  expect(allWell({ ...base, pings: new Map([[4, { sent: 6, ok: 5 }]]) })).toBe(false);
  expect(allWell({ ...base, outside: new Map([[6, { sent: 1, ok: 0 }]]) })).toBe(false);
  expect(allWell({ ...base, repairs: [{ ...repair, ms: undefined }] })).toBe(false);
  expect(allWell({ ...base, repairs: [{ ...repair, pings: { sent: 8, ok: 7 } }] })).toBe(false);
  expect(JSON.parse(findingsJson({ ...base, repairs: [{ ...repair, ms: undefined }] }))).toMatchObject({
    ok: false,
    repairs: [{ ms: null }],
  });
});

test('median() is the middle', () => {
  expect(median([])).toBeUndefined();
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});
