import { expect, test } from 'bun:test';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createLineWriter,
  createLogger,
  type Logger,
  type LoggerOptions,
  readByJournal,
} from '../../src/log.ts';

const NOW_MS = Date.parse('2026-11-23T12:00:00.25Z');

function record(options: Partial<LoggerOptions> = {}): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const log = createLogger({
    format: 'logfmt',
    verbosity: 0,
    write: (line) => lines.push(line),
    now: () => NOW_MS,
    journal: false,
    ...options,
  });
  return { log, lines };
}

test('createLogger() writes one logfmt line per event', () => {
  const { log, lines } = record();
  log.info('Agent is ready', { peers: 3, dual: true, iface: 'eth0', absent: undefined });
  log.warn('Held');
  log.error('Cannot listen', { cause: 'port in use' });
  expect(lines).toEqual([
    'time=2026-11-23T12:00:00.250Z level=info msg="Agent is ready" peers=3 dual=true iface=eth0\n',
    'time=2026-11-23T12:00:00.250Z level=warn msg=Held\n',
    'time=2026-11-23T12:00:00.250Z level=error msg="Cannot listen" cause="port in use"\n',
  ]);
});

test('createLogger() escapes what could forge a field, a line or a terminal command', () => {
  const { log, lines } = record({ journal: true });
  log.info('a "b"\nlevel=error', {
    node: 'x y=z',
    path: 'C:\\',
    empty: '',
    esc: '\u001b[2J\u009b\u202e',
    'k y="': '…',
  });
  expect(lines).toEqual([
    '<6>level=info msg="a \\"b\\"\\nlevel=error" node="x y=z" path="C:\\\\" empty="" esc="\\u001b[2J\\u009b\\u202e" k_y__="…"\n',
  ]);
});

test('createLogger() writes JSON whose own members cannot be overwritten', () => {
  const { log, lines } = record({ format: 'json' });
  log.warn('Held\u2028', { level: 'fake', peers: 3, ok: false, absent: undefined, c1: '\u009b' });
  expect(lines).toEqual([
    '{"time":"2026-11-23T12:00:00.250Z","level":"warn","msg":"Held\\u2028","level_":"fake","peers":3,"ok":false,"c1":"\\u009b"}\n',
  ]);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'warn', msg: 'Held\u2028', c1: '\u009b' });
});

test('createLogger() shows debug lines only when asked to', () => {
  const quiet = record();
  quiet.log.debug('Pass begins');
  expect(quiet.lines).toEqual([]);
  const talkative = record({ verbosity: 1, journal: true });
  talkative.log.debug('Pass begins');
  expect(talkative.lines).toEqual(['<7>level=debug msg="Pass begins"\n']);
});

test('createLogger() cuts a flood', () => {
  const { log, lines } = record();
  log.info('Odd lease', { node: 'x'.repeat(1_000_000) });
  expect(lines[0]?.length).toBeLessThan(2_200);
  expect(lines[0]).toEndWith('…"\n');
});

test('readByJournal() believes JOURNAL_STREAM only if it names the descriptor', () => {
  const directory = mkdtempSync(join(tmpdir(), 'log-'));
  const fd = openSync(join(directory, 'log'), 'w');
  const { dev, ino } = fstatSync(fd, { bigint: true });
  expect(readByJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, fd)).toBe(true);
  expect(readByJournal({ JOURNAL_STREAM: `${dev}:${ino + 1n}` }, fd)).toBe(false);
  expect(readByJournal({}, fd)).toBe(false);
  closeSync(fd);
  rmSync(directory, { recursive: true });
  expect(readByJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, fd)).toBe(false);
});

test('createLineWriter() throws neither when the descriptor is closed nor when the disk is full', () => {
  const full = openSync('/dev/full', 'w');
  const write = createLineWriter(full);
  write('lost\n');
  closeSync(full);
  write('lost too\n');
  createLineWriter(-1)('lost\n');
});

test('createLineWriter() tells how many lines were lost before the next', () => {
  const directory = mkdtempSync(join(tmpdir(), 'log-'));
  const path = join(directory, 'log');
  const closed = openSync(path, 'w');
  const write = createLineWriter(closed);
  closeSync(closed);
  write('one\n');
  write('two\n');
  const reopened = openSync(path, 'w');
  expect(reopened).toBe(closed);
  write('three\n');
  write('four\n');
  closeSync(reopened);
  expect(readFileSync(path, 'utf8')).toBe('level=warn msg="Log lines dropped" count=2\nthree\nfour\n');
  rmSync(directory, { recursive: true });
});

test('createLogger() survives a standard error whose reader is gone', async () => {
  const code = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dir, '../../src/log.ts'))};
    const log = createLogger({ format: 'logfmt', verbosity: 0 });
    await Bun.stdin.text();
    for (let i = 0; i < 5_000; i++) log.info('Nobody reads this', { i });
    console.log('alive');`;
  const child = Bun.spawn([process.execPath, '-e', code], { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
  await child.stderr.cancel();
  child.stdin.end();
  expect(await child.stdout.text()).toBe('alive\n');
  expect(await child.exited).toBe(0);
});
