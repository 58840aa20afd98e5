import { expect, test } from 'bun:test';
import type { KernelObject, LinkObject } from '../../../src/model/objects.ts';
import { difference } from '../../../src/reconcile/diff.ts';
import { kindCases, tunnelRoute } from '../../contract/kinds.ts';
import { macOf, vxlanLink } from '../../sim/samples.ts';

for (const { name, object, changes } of kindCases('/run')) {
  test(`difference() of ${name} and itself is none`, () => {
    expect(difference(object, structuredClone(object))).toBeUndefined();
  });
  if (changes.length > 0) {
    test(`difference() of ${name} tells each change, both ways`, () => {
      for (const { to, verb } of changes) {
        expect([difference(to, object)?.verb, difference(object, to)?.verb]).toEqual([verb, verb]);
      }
    });
  }
}

test.each<readonly [string, LinkObject, string]>([
  ['the MAC', vxlanLink(4, { mac: macOf(9, 4) }), 'mac was 02:00:00:04:00:09, not 02:00:00:04:00:01'],
  ['the MTU', vxlanLink(4, { mtuBytes: 1300 }), 'mtuBytes was 1300, not 1450'],
  ['learning', vxlanLink(4, { device: { learning: true } }), 'learning was true, not false'],
  ['a missing underlay', vxlanLink(4, { device: { parent: undefined } }), 'parent was none, not eth0'],
  ['the VNI', vxlanLink(4, { device: { vni: 7 } }), 'vni was 7, not 1'],
])('difference() says in words what was wrong with %s', (_, observed, why) => {
  expect(difference(vxlanLink(4), observed)?.why).toBe(why);
});

test('difference() of a route over another link is seen, even by the same gateway', () => {
  const route = tunnelRoute(2, 4);
  expect(difference(route, { ...route, link: 'eth0' })?.why).toBe('link was eth0, not flannel.1');
});

test('difference() makes a device again if only that helps, whatever else differs', () => {
  const observed = vxlanLink(4, { mtuBytes: 1300, mac: macOf(9, 4), device: { port: 4789, learning: true } });
  expect(difference(vxlanLink(4), observed)).toEqual({ verb: 'recreate', why: 'port was 4789, not 8472' });
});

test('difference() of a device of another kind is a conflict', () => {
  const bridge: LinkObject = { ...vxlanLink(4), device: { type: 'other', name: 'bridge' } };
  expect(difference(vxlanLink(4), bridge)).toEqual({
    verb: 'conflict',
    why: 'is a device of another kind: link flannel.1 address 02:00:00:04:00:01 mtu 1450 type bridge',
  });
});

test('difference() does not look at what the kernel or an operator may choose', () => {
  const file: KernelObject = { kind: 'file', path: '/run/a', text: 'x', mode: 0o644 };
  expect(difference(file, { ...file, mode: 0o600 })).toBeUndefined();
  const sysctl: KernelObject = { kind: 'sysctl', name: 'a/b', value: '0', optional: true };
  expect(difference(sysctl, { ...sysctl, optional: false })).toBeUndefined();
  const raised: KernelObject = { ...sysctl, value: '2', from: '1' };
  const found = (value: string) => difference(raised, { ...raised, value });
  expect(found('1')).toEqual({ verb: 'replace', why: 'value was 1, not 2' });
  expect([found('0'), found('2'), found('3')]).toEqual([undefined, undefined, undefined]);
});
