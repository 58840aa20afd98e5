import { expect, test } from 'bun:test';
import { chainFault, chainScript, foundChain, wantedChains } from '../../../src/iptables/text.ts';
import { planRules } from '../../../src/plan/rules.ts';
import { leaseOf, networkOf, VXLAN } from '../../sim/samples.ts';

const [table] = planRules({
  network: networkOf(VXLAN),
  own: leaseOf(1),
  masquerade: true,
  fullyRandom: false,
  forward: true,
});
const all = table === undefined ? [] : wantedChains(table);
const forward = all.find(({ chain }) => chain.table === 'filter');
if (forward === undefined) throw new Error('No chain');

const RULES = `-A FLANNEL-FWD -s 10.42.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.42.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`;
const JUMP = '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD';
const RIGHT = `*filter\n:FORWARD ACCEPT [0:0]\n:FLANNEL-FWD - [0:0]\n${JUMP}\n${RULES}\nCOMMIT\n`;

function faultOf(saved: string): string | undefined {
  return forward && chainFault(forward, foundChain(saved, forward.chain));
}

test("the rules are flannel's, in both tables", () => {
  expect(all.map(({ chain, rules }) => [chain.table, rules.length])).toEqual([
    ['filter', 2],
    ['nat', 6],
  ]);
  expect(forward.rules.join('\n')).toBe(RULES);
  expect(all[1]?.rules.at(-1)).toBe(
    '-A FLANNEL-POSTRTG ! -s 10.42.0.0/16 -d 10.42.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE',
  );
});

test.each([
  ['nothing', RIGHT, undefined],
  ['an empty table', '*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n', 'chain FLANNEL-FWD was missing'],
  ['no rules', RIGHT.replace(`${RULES}\n`, ''), 'rule 1 of FLANNEL-FWD was missing'],
  [
    'another',
    RIGHT.replace('10.42.0.0/16', '10.43.0.0/16'),
    'rule 1 of FLANNEL-FWD was -A FLANNEL-FWD -s 10.43',
  ],
  ['one more', RIGHT.replace('COMMIT', '-A FLANNEL-FWD -j DROP\nCOMMIT'), 'FLANNEL-FWD had a rule more'],
  ['no way there', RIGHT.replace(`${JUMP}\n`, ''), 'FORWARD did not lead to FLANNEL-FWD'],
  ['two ways', RIGHT.replace(JUMP, `${JUMP}\n${JUMP}`), "FORWARD had more rules of flannel's than one"],
])('what is wrong is found: %s', (_, saved, expected) => {
  const fault = faultOf(saved);
  if (expected === undefined) expect(fault).toBeUndefined();
  else expect(fault).toStartWith(expected);
});

test('what leads to a chain keeps its place where it is right', () => {
  const script = (saved: string) => chainScript(forward, foundChain(saved, forward.chain));
  expect(script(RIGHT)).toBe(`*filter\n:FLANNEL-FWD - [0:0]\n${RULES}\nCOMMIT\n`);
  expect(script(RIGHT.replace(JUMP, `${JUMP}\n${JUMP}`))).toBe(
    `*filter\n:FLANNEL-FWD - [0:0]\n${RULES}\n${`-D${JUMP.slice(2)}\n`.repeat(2)}${JUMP}\nCOMMIT\n`,
  );
});
