import { beforeEach, expect, test } from 'bun:test';
import { HostPortKeeper } from '../../../src/agent/host-port-keeper.ts';
import type { PortsLook } from '../../../src/model/host-ports.ts';
import { FakeClock } from '../../sim/fake-clock.ts';

let clock: FakeClock;
let answers: PortsLook[];
let looks: number;
let told: string[];
let keeper: HostPortKeeper;

beforeEach(() => {
  clock = new FakeClock();
  [answers, looks, told] = [[], 0, []];
  keeper = new HostPortKeeper({
    clock,
    random: () => 0,
    journal: { hostPorts: (outcome) => told.push('was' in outcome ? outcome.was : outcome.failed) },
    look: async () => {
      looks++;
      return answers.shift() ?? 'right';
    },
  });
});

async function pass(ms: number): Promise<number> {
  await clock.advance(ms);
  await Bun.sleep(0);
  return looks;
}

test('a transaction is many events and one look', async () => {
  for (let i = 0; i < 100; i++) keeper.heard();
  expect(await pass(9)).toBe(0);
  expect(await pass(1)).toBe(1);
  expect(await pass(60_000)).toBe(1);
  expect(told).toEqual([]);
});

test('while a plugin is at work it is looked again', async () => {
  answers = ['busy', 'busy', 'right'];
  keeper.heard();
  expect(await pass(10)).toBe(1);
  expect(await pass(100)).toBe(2);
  expect(await pass(100)).toBe(3);
  expect(await pass(1_000)).toBe(3);
});

test('what was put right is told, and whoever takes it away again is answered more slowly', async () => {
  answers = [{ was: 'the table was missing' }, { was: 'again' }, { failed: 'EPERM' }];
  keeper.heard();
  await pass(10);
  keeper.heard();
  expect(await pass(249)).toBe(1);
  expect(await pass(1)).toBe(2);
  await pass(300);
  keeper.heard();
  expect(await pass(10)).toBe(3);
  expect(told).toEqual(['the table was missing', 'again', 'EPERM']);
});

test('passes have a look made once a minute', async () => {
  for (let i = 0; i < 10; i++) keeper.ensure();
  expect(await pass(10)).toBe(1);
  keeper.ensure();
  expect(await pass(59_000)).toBe(1);
  await pass(2_000);
  keeper.ensure();
  expect(await pass(10)).toBe(2);
});

test('what failed is tried again by itself, more and more slowly, and at once when something changes', async () => {
  answers = [{ failed: 'ENOBUFS' }, { failed: 'ENOBUFS' }, { was: 'the table was missing' }];
  keeper.heard();
  expect(await pass(10)).toBe(1);
  expect(await pass(499)).toBe(1);
  expect(await pass(1)).toBe(2);
  expect(await pass(999)).toBe(2);
  expect(await pass(1)).toBe(3);
  expect(await pass(600_000)).toBe(3);
  answers = [{ failed: 'EEXIST' }, 'right'];
  keeper.heard();
  expect(await pass(10)).toBe(4);
  keeper.heard();
  expect(await pass(10)).toBe(5);
  expect(await pass(600_000)).toBe(5);
});
