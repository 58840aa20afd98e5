import { expect, test } from 'bun:test';
import { closeSync, openSync, readlinkSync } from 'node:fs';
import { openEcho } from '../../ffi/icmp.ts';
import { createNetns, inNetns, openNetnsOf } from '../../ffi/netns.ts';
import { Rtnl } from '../../src/cli/demo/rtnl.ts';

const LOOPBACK_V4 = Uint8Array.of(127, 0, 0, 1);
const LOOPBACK_V6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

function here(): string {
  return readlinkSync('/proc/thread-self/ns/net');
}

test('inNetns() runs a function elsewhere and comes back, also when it throws', () => {
  const home = here();
  using netns = createNetns();
  expect(here()).toBe(home);
  expect(inNetns(netns, here)).not.toBe(home);
  const failing = () =>
    inNetns(netns, () => {
      throw new Error('from inside');
    });
  expect(failing).toThrow('from inside');
  expect(here()).toBe(home);
});

test('inNetns() refuses a function that waits', () => {
  const home = here();
  using netns = createNetns();
  expect(() => inNetns(netns, () => Promise.resolve(1))).toThrow('must not wait');
  expect(here()).toBe(home);
});

test('inNetns() can be nested', () => {
  using outer = createNetns();
  using inner = createNetns();
  const seen = inNetns(outer, () => [here(), inNetns(inner, here), here()]);
  expect(seen).toEqual([inNetns(outer, here), inNetns(inner, here), inNetns(outer, here)]);
});

test('inNetns() gives its namespace to a process that is started meanwhile', async () => {
  using netns = createNetns();
  const child = inNetns(netns, () => Bun.spawn(['sleep', '60']));
  using found = openNetnsOf(child.pid);
  expect(inNetns(found, here)).toBe(inNetns(netns, here));
  child.kill();
  await child.exited;
});

test('Netns closes its descriptor once', () => {
  const whatIs = (fd: number) => readlinkSync(`/proc/self/fd/${fd}`);
  const netns = createNetns();
  expect(whatIs(netns.fd)).toStartWith('net:');
  netns.close();
  // It gets the number that has become free.
  const reused = openSync('/dev/null', 'r');
  netns.close();
  expect(whatIs(reused)).toBe('/dev/null');
  closeSync(reused);
  expect(() => inNetns(netns, here)).toThrow();
});

test.each([
  [4, LOOPBACK_V4],
  [6, LOOPBACK_V6],
] as const)('openEcho() hears the replies to its own IPv%i requests only', async (family, loopback) => {
  using netns = createNetns();
  using rtnl = new Rtnl(netns);
  rtnl.setLink('lo', { up: true });
  const heard = { one: new Set<number>(), other: new Set<number>() };
  const open = (id: number, into: Set<number>) =>
    inNetns(netns, () => openEcho({ family, id, onReply: (sequence) => into.add(sequence) }));
  using one = open(7, heard.one);
  using other = open(8, heard.other);
  for (let sequence = 0; sequence < 100; sequence++) expect(one.send(loopback, sequence)).toBe(0);
  expect(other.send(loopback, 65_535)).toBe(0);
  const deadlineMs = performance.now() + 2000;
  while (heard.one.size < 100 || heard.other.size < 1) {
    if (performance.now() > deadlineMs) throw new Error(`Heard ${heard.one.size} and ${heard.other.size}`);
    await Bun.sleep(1);
  }
  expect([...heard.other]).toEqual([65_535]);
});

test('openEcho() says when there is no way to the destination', () => {
  using netns = createNetns();
  using echo = inNetns(netns, () => openEcho({ family: 4, id: 1, onReply: () => {} }));
  const ENETUNREACH = 101;
  expect(echo.send(Uint8Array.of(192, 0, 2, 1), 1)).toBe(-ENETUNREACH);
});
