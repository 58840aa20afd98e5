import { expect, test } from 'bun:test';
import { UnderlayFollower } from '../../../src/agent/underlay-follower.ts';
import type { Family } from '../../../src/model/ip.ts';
import { problem } from '../../../src/model/problem.ts';
import { fail, ok } from '../../../src/model/result.ts';
import { FakeAlien } from '../../contract/fake-world.ts';
import { hostOf } from '../../sim/fake-host.ts';
import { FakeKernel } from '../../sim/fake-kernel.ts';
import { ip, macOf, prefix } from '../../sim/samples.ts';

const PEERS = [ip('10.7.0.1')];

function make({ needsOnLink = false, families = [4, 6] as readonly Family[], names = [] as string[] } = {}) {
  const kernel = new FakeKernel();
  const alien = new FakeAlien(kernel);
  const add = (name: string, ...addresses: string[]) => {
    alien.make({ kind: 'link', name, mtuBytes: 1500, mac: macOf(9, 4), device: { type: 'other', name: '' } });
    alien.setLink(name, { up: true });
    for (const text of addresses) alien.make({ kind: 'address', link: name, ip: ip(text), length: 24 });
  };
  const remove = (link: string, text: string) =>
    alien.remove({ kind: 'address', link, ip: ip(text), length: 24 });
  const state = { fails: false };
  const choice = { names, patterns: [], canReach: undefined, publicIpv4: undefined, publicIpv6: undefined };
  const follower = new UnderlayFollower({
    choice,
    families,
    needsOnLink,
    remembered: { 4: undefined, 6: undefined },
    readHost: () => (state.fails ? fail(problem('netlink-failed', 'Cannot read')) : ok(hostOf(kernel))),
  });
  return { kernel, alien, add, remove, state, follower };
}

test('UnderlayFollower has nothing until there is an interface, then keeps it while it is away', () => {
  const { alien, add, follower } = make();
  expect(follower.refresh(PEERS)).toBe(false);
  expect([follower.current, follower.problem?.code]).toEqual([undefined, 'interface-missing']);
  add('eth0', '192.168.0.1', 'fd99::1');
  expect(follower.refresh(PEERS)).toBe(true);
  expect([follower.current?.name, follower.problem]).toEqual(['eth0', undefined]);
  expect(follower.refresh(PEERS)).toBe(false);
  alien.remove({
    kind: 'link',
    name: 'eth0',
    mtuBytes: 0,
    mac: macOf(9, 4),
    device: { type: 'other', name: '' },
  });
  expect(follower.refresh(PEERS)).toBe(false);
  expect([follower.current?.name, follower.problem?.code]).toEqual(['eth0', 'interface-missing']);
  add('eth0', '192.168.0.1', 'fd99::1');
  expect(follower.refresh(PEERS)).toBe(true);
  expect(follower.problem).toBeUndefined();
});

test('UnderlayFollower keeps what it has when the host cannot be read', () => {
  const { add, state, follower } = make();
  add('eth0', '192.168.0.1', 'fd99::1');
  follower.refresh(PEERS);
  state.fails = true;
  expect(follower.refresh(PEERS)).toBe(false);
  expect([follower.current?.name, follower.problem?.code]).toEqual(['eth0', 'netlink-failed']);
});

test('UnderlayFollower follows another address, and keeps one that has no successor', () => {
  const { alien, add, remove, follower } = make({ families: [4] });
  add('eth0', '192.168.0.1');
  follower.refresh(PEERS);
  alien.make({ kind: 'address', link: 'eth0', ip: ip('169.254.7.7'), length: 24 });
  remove('eth0', '192.168.0.1');
  expect(follower.refresh(PEERS)).toBe(false);
  expect(String(follower.current?.ipv4)).toBe('192.168.0.1');
  expect(follower.problem?.message).toContain(' 192.168.0.1');
  alien.make({ kind: 'address', link: 'eth0', ip: ip('192.168.0.2'), length: 24 });
  expect(follower.refresh(PEERS)).toBe(true);
  expect(String(follower.current?.ipv4)).toBe('192.168.0.2');
  expect(follower.problem).toBeUndefined();
});

test('UnderlayFollower says which family lacks an address', () => {
  const { add, follower } = make({ names: ['eth0'] });
  add('eth0', '192.168.0.1');
  expect(follower.refresh(PEERS)).toBe(true);
  expect(follower.problem?.message).toBe('Interface eth0 has no usable IPv6 address');
});

test('UnderlayFollower is concerned by everything until it has an interface, then by that one', () => {
  const { add, follower } = make();
  expect(follower.concerns({ kind: 'address', link: 'veth9', gone: false })).toBe(true);
  add('eth0', '192.168.0.1', 'fd99::1');
  follower.refresh(PEERS);
  expect(follower.concerns({ kind: 'address', link: 'veth9', gone: false })).toBe(false);
  expect(follower.concerns({ kind: 'route', link: 'veth9', isDefault: false })).toBe(false);
  expect(follower.concerns({ kind: 'address', link: 'eth0', gone: false })).toBe(true);
  const { index = 0 } = follower.current ?? {};
  expect(follower.concerns({ kind: 'link', link: 'renamed', index, gone: false, state: 'up' })).toBe(true);
});

test('UnderlayFollower looks at routes only if they matter', () => {
  const { alien, add, follower } = make({ needsOnLink: true });
  add('eth0', '192.168.0.1', 'fd99::1');
  follower.refresh(PEERS);
  expect(follower.concerns({ kind: 'route', link: 'veth9', isDefault: false })).toBe(true);
  expect(follower.current?.onLink(ip('10.7.0.1'))).toBeUndefined();
  const route = { kind: 'route', dst: prefix('10.7.0.0/16'), gateway: undefined, link: 'eth0' } as const;
  alien.make({ ...route, onlink: false, protocol: 3, metric: undefined });
  expect(follower.refresh(PEERS)).toBe(true);
  expect(follower.current?.onLink(ip('10.7.0.1'))).toBe('eth0');
  expect(follower.refresh(PEERS)).toBe(false);
  const deaf = make();
  deaf.add('eth0', '192.168.0.1', 'fd99::1');
  deaf.follower.refresh(PEERS);
  deaf.alien.make({ ...route, onlink: false, protocol: 3, metric: undefined });
  expect(deaf.follower.refresh(PEERS)).toBe(false);
});

test('UnderlayFollower compares with the answer that a late peer was planned by', () => {
  const { alien, add, follower } = make({ needsOnLink: true });
  add('eth0', '192.168.0.1', 'fd99::1');
  const late = ip('10.7.0.1');
  alien.make({
    kind: 'route',
    dst: prefix('10.7.0.0/16'),
    gateway: undefined,
    link: 'eth0',
    onlink: false,
    protocol: 3,
    metric: undefined,
  });
  follower.refresh([]);
  // The peer comes and is planned by these answers; before anything is read again its way changes.
  expect(follower.current?.onLink(late)).toBe('eth0');
  alien.make({
    kind: 'route',
    dst: prefix('10.7.0.1/32'),
    gateway: ip('192.168.0.254'),
    link: 'eth0',
    onlink: false,
    protocol: 3,
    metric: undefined,
  });
  expect(follower.refresh([late])).toBe(true);
  expect(follower.current?.onLink(late)).toBeUndefined();
  expect(follower.refresh([late])).toBe(false);
});
