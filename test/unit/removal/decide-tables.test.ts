/** Whose a table of traffic rules is. */
import { expect, test } from 'bun:test';
import { PORT_TABLE, PORT_TABLE_COMMENT } from '../../../src/model/host-ports.ts';
import type { RuleChain, TableObject } from '../../../src/model/traffic-rules.ts';
import { planRules, type RuleInputs } from '../../../src/plan/rules.ts';
import { leaseOf, networkOf, VXLAN } from '../../sim/samples.ts';
import { commands, findings } from './findings.ts';

function ours(changes: Partial<RuleInputs>): readonly TableObject[] {
  const all = { masquerade: true, fullyRandom: true, forward: true };
  return planRules({ network: networkOf(VXLAN), own: leaseOf(1), ...all, ...changes });
}

/** As flanneld makes them: the mark is not masked, which reads as no rule of ours. */
const FLANNELDS = ours({}).map((table) => ({
  ...table,
  chains: table.chains.map(
    (chain): RuleChain => ({
      ...chain,
      rules: chain.rules.map((rule) => ('mark' in rule ? { foreign: 'meta mark 0x4000' } : rule)),
    }),
  ),
}));
const EMPTY = ours({}).map((table) => ({ ...table, chains: [] }));
const ACCEPTING = ours({ masquerade: false });

function removed(tables: readonly TableObject[], flanneld?: string): string[] {
  const found = findings({ kernel: { tables }, flanneld });
  return commands(found).filter((command) => command.includes('table'));
}

const BOTH = ['nft delete table ip flannel-ipv4', 'nft delete table ip6 flannel-ipv6'];

test.each([
  ['with rules of ours', ours({}), BOTH],
  ['that masquerade only', ours({ forward: false }), BOTH],
  ['that accept only', ACCEPTING, BOTH],
  ["with flanneld's rules", FLANNELDS, []],
  [
    "that accept only, beside one with flanneld's rules",
    [...FLANNELDS.slice(0, 1), ...ACCEPTING.slice(1)],
    [],
  ],
  ['that are empty, as flanneld begins', EMPTY, []],
])('tables %s', (_, tables, expected) => {
  expect(removed(tables)).toEqual(expected);
});

test('none goes while flanneld runs', () => {
  expect(removed(ACCEPTING, 'flanneld (process 7)')).toEqual([]);
});

test('those of hostPorts go, but not to a flanneld that has taken over the pods', () => {
  const ports = ours({}).map((table) => ({
    ...table,
    name: PORT_TABLE,
    comment: PORT_TABLE_COMMENT,
    chains: [],
  }));
  const both = ['nft delete table ip flannelette-hostports', 'nft delete table ip6 flannelette-hostports'];
  expect(removed(ports)).toEqual(both);
  expect(removed([...FLANNELDS, ...ports])).toEqual(both);
  expect(removed(ports, 'flanneld (process 7)')).toEqual([]);
  const open = { kernel: { tables: ports }, localnets: ['cni0', 'eth0.1'] };
  // Before the table with the rule that guards what is open.
  expect(commands(findings(open)).filter((each) => /sysctl|nft/.test(each))).toEqual([
    'sysctl -w net/ipv4/conf/cni0/route_localnet=0',
    'sysctl -w net/ipv4/conf/eth0.1/route_localnet=0',
    ...both,
  ]);
  const kept = findings({ ...open, flanneld: 'flanneld (process 7)' });
  expect(commands(kept).filter((each) => each.includes('sysctl'))).toEqual([]);
});

test('rules of ours in chains of others go, in one command that a shell can run', () => {
  const rules = ['ip filter FORWARD handle 7', 'inet a forward handle 12'];
  const passage = { kind: 'passage', networks: [], faults: [], rules } as const;
  expect(
    commands(findings({ kernel: { passages: [passage] } })).filter((each) => each.startsWith('nft')),
  ).toEqual(["nft 'delete rule ip filter FORWARD handle 7; delete rule inet a forward handle 12'"]);
});
