import { expect, test } from 'bun:test';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { readProcess } from '../../../src/metrics/process.ts';

test('readProcess() tells what /proc and the clocks tell', () => {
  const { cpuSeconds, startSeconds, residentBytes, anonymousBytes, virtualBytes, openFilesMax } =
    readProcess();
  const now = Date.now() / 1000;
  // `performance.now()` counts from the start too; the kernel rounds both the time of boot and that of the start.
  expect(Math.abs((startSeconds ?? 0) - (now - performance.now() / 1000))).toBeLessThan(2);
  expect(cpuSeconds).toBeGreaterThan(0);
  expect(anonymousBytes).toBeGreaterThan(1e6);
  expect(residentBytes).toBeGreaterThan(anonymousBytes ?? 0);
  expect(virtualBytes).toBeGreaterThan(residentBytes ?? 0);
  const limits = readFileSync('/proc/self/limits', 'utf8');
  expect(limits).toMatch(new RegExp(`^Max open files\\s+${openFilesMax} `, 'm'));
});

test('readProcess() counts open files, without its own', () => {
  const before = readProcess().openFiles ?? 0;
  const fd = openSync('/proc/self/status', 'r');
  expect(readProcess().openFiles).toBe(before + 1);
  closeSync(fd);
  expect(readProcess().openFiles).toBe(before);
});

test('readProcess() tells the same start each time, or changes() would see restarts', () => {
  const starts = Array.from({ length: 20 }, () => readProcess().startSeconds);
  expect(new Set(starts).size).toBe(1);
});
