import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFile, readSysctl, writeFile, writeSysctl } from '../../../src/kernel/files.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'files-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function file(text: string, mode = 0o644) {
  return { kind: 'file', path: join(directory, 'a/b/subnet.env'), text, mode } as const;
}

function sysctl(value: string, optional: boolean) {
  return { kind: 'sysctl', name: 'net/ipv6/conf/flannel.1/accept_ra', value, optional } as const;
}

function setting(text: string): string {
  const path = join(directory, 'net/ipv6/conf/flannel.1');
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'accept_ra'), text);
  return join(path, 'accept_ra');
}

test('writeFile() makes directories and a file that everybody may read, whatever the umask', () => {
  const umask = process.umask(0o077);
  try {
    expect(writeFile(file('A=1\n'))).toBeUndefined();
  } finally {
    process.umask(umask);
  }
  expect(readFile(file(''))).toEqual(file('A=1\n'));
  expect(statSync(file('').path).mode & 0o777).toBe(0o644);
  expect(readdirSync(join(directory, 'a/b'))).toEqual(['subnet.env']);
});

test('writeFile() keeps the mode of a file that is there', () => {
  writeFile(file('A=1\n'));
  chmodSync(file('').path, 0o600);
  writeFile(file('A=2\n'));
  expect(statSync(file('').path).mode & 0o777).toBe(0o600);
  expect(readFileSync(file('').path, 'utf8')).toBe('A=2\n');
});

test('writeFile() says what is in the way, and leaves nothing behind', () => {
  mkdirSync(file('').path, { recursive: true });
  const failure = writeFile(file('A=1\n'));
  expect(failure?.kind).toBe('unwritable');
  expect(failure?.message).toStartWith(`Cannot write ${file('').path}: `);
  expect(readdirSync(join(directory, 'a/b'))).toEqual(['subnet.env']);
  rmSync(join(directory, 'a'), { recursive: true });
  writeFileSync(join(directory, 'a'), 'not a directory');
  expect(writeFile(file('A=1\n'))?.kind).toBe('unwritable');
});

test('readFile() of what is not there or is no file is nothing', () => {
  expect(readFile(file(''))).toBeUndefined();
  mkdirSync(file('').path, { recursive: true });
  expect(readFile(file(''))).toBeUndefined();
});

test('writeFile() puts a file in the place of a link, not behind it', () => {
  mkdirSync(join(directory, 'a/b'), { recursive: true });
  writeFileSync(join(directory, 'other'), 'theirs');
  symlinkSync(join(directory, 'other'), file('').path);
  writeFile(file('A=1\n'));
  expect(readFileSync(join(directory, 'other'), 'utf8')).toBe('theirs');
  expect(readFileSync(file('').path, 'utf8')).toBe('A=1\n');
});

test('readSysctl() and writeSysctl() work on the file below the root', () => {
  const path = setting('1\n');
  expect(readSysctl(sysctl('0', true), directory)?.value).toBe('1');
  expect(writeSysctl(sysctl('0', true), directory)).toBeUndefined();
  expect(readFileSync(path, 'utf8')).toBe('0');
});

test('readSysctl() of an optional setting that the kernel does not have is as wanted', () => {
  expect(readSysctl(sysctl('0', true), directory)).toEqual(sysctl('0', true));
  expect(readSysctl(sysctl('0', false), directory)).toBeUndefined();
});

test('writeSysctl() makes no setting that the kernel does not have', () => {
  expect(writeSysctl(sysctl('0', false), directory)).toMatchObject({
    kind: 'unwritable',
    message: expect.stringContaining('Cannot set sysctl net.ipv6.conf.flannel.1.accept_ra=0: '),
  });
  mkdirSync(join(directory, 'net/ipv6/conf/flannel.1'), { recursive: true });
  writeSysctl(sysctl('0', false), directory);
  expect(readdirSync(join(directory, 'net/ipv6/conf/flannel.1'))).toEqual([]);
});
