import { expect, test } from 'bun:test';
import { foundChain, removalScript } from '../../../src/iptables/text.ts';
import { mayDrop } from '../../../src/leftovers/legacy.ts';
import { FLANNELD_CHAINS } from '../../../src/model/flanneld-rules.ts';

const [MASQUERADE, FORWARD] = FLANNELD_CHAINS;
if (MASQUERADE === undefined || FORWARD === undefined) throw new Error('No chains');

const SAVED = `*nat
:POSTROUTING ACCEPT [0:0]
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A POSTROUTING -j FLANNEL-POSTRTG
-A POSTROUTING -m comment --comment "not flanneld masq" -j RETURN
-A POSTROUTING -s 10.42.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE
-A OTHER -m comment --comment "flanneld masq" -j ACCEPT
-A FLANNEL-POSTRTG -s 10.42.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE
COMMIT
`;

test('only flanneld`s chain goes, with the rules of POSTROUTING that lead to it or have its comment', () => {
  expect(removalScript(MASQUERADE, foundChain(SAVED, MASQUERADE))).toBe(`*nat
-D POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-D POSTROUTING -j FLANNEL-POSTRTG
-D POSTROUTING -s 10.42.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE
-F FLANNEL-POSTRTG
-X FLANNEL-POSTRTG
COMMIT
`);
});

test('where there is nothing of it, nothing is to be done', () => {
  expect(
    removalScript(MASQUERADE, foundChain('*nat\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n', MASQUERADE)),
  ).toBeUndefined();
  expect(removalScript(FORWARD, foundChain(SAVED, FORWARD))).toBeUndefined();
  expect(removalScript(FORWARD, foundChain('', FORWARD))).toBeUndefined();
});

test.each([
  [':FORWARD DROP [0:0]\n', true],
  [':FORWARD ACCEPT [0:0]\n-A FORWARD -j REJECT --reject-with icmp-port-unreachable\n', true],
  [':FORWARD ACCEPT [0:0]\n-A FORWARD -j DROP\n', true],
  [':FORWARD ACCEPT [0:0]\n-A FORWARD -s 10.0.0.0/8 -j DROP\n', false],
  [':INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j DROPPER\n', false],
])('%j may drop what pods send: %p', (saved, expected) => {
  expect(mayDrop(saved, FORWARD)).toBe(expected);
  expect(mayDrop(saved, MASQUERADE)).toBe(false);
});
