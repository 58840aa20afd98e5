import { expect, test } from 'bun:test';
import { createLogger, type Logger } from '../../src/log.ts';
import { LogLimit } from '../../src/log-limit.ts';

function record(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.replace(/^<\d>/, ''));
  return { log: createLogger({ format: 'logfmt', verbosity: 0, write, journal: true }), lines };
}

test('LogLimit writes a key once per interval and counts the rest', () => {
  let nowMs = 0;
  const { log, lines } = record();
  const limit = new LogLimit(log, { intervalMs: 1_000, now: () => nowMs });
  const peer = limit.for('peer edge-2');
  for (let i = 0; i < 18; i++) peer.warn('Peer is refused', { node: 'edge-2' });
  limit.for('peer edge-3').warn('Peer is refused', { node: 'edge-3' });
  nowMs = 1_000;
  peer.warn('Peer is refused', { node: 'edge-2' });
  nowMs = 2_000;
  peer.warn('Peer is refused');
  expect(lines).toEqual([
    'level=warn msg="Peer is refused" node=edge-2\n',
    'level=warn msg="Peer is refused" node=edge-3\n',
    'level=warn msg="Peer is refused" node=edge-2 repeated=17\n',
    'level=warn msg="Peer is refused"\n',
  ]);
});

test('LogLimit.forget() ends the silence of a key', () => {
  const { log, lines } = record();
  const limit = new LogLimit(log, { now: () => 0 });
  limit.for('store').error('Locked');
  limit.forget('store');
  limit.for('store').error('Locked');
  limit.for('store').error('Locked');
  expect(lines).toHaveLength(2);
});

test('LogLimit remembers a bounded number of keys', () => {
  const { log, lines } = record();
  const limit = new LogLimit(log, { now: () => 0 });
  for (let i = 0; i < 2_000; i++) limit.for(`key ${i}`).info('Odd');
  limit.for('key 1999').info('Odd');
  limit.for('key 0').info('Odd');
  expect(lines).toHaveLength(2_001);
});
