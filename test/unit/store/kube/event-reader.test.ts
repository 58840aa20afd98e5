/** A watch's messages put together, with and without a list at its beginning. @module */
import { describe, expect, test } from 'bun:test';
import { EventReader } from '../../../../src/store/kube/event-reader.ts';
import { bookmarkBytes, eventBytes, filterOf, frame, nodeBytes, sample, statusBytes } from './wire.ts';

const ASKED = { what: 'watch nodes', server: 'https://a:6443', files: [] };

/** A reader and what it has told. */
function openReader(isList: boolean) {
  const told: string[] = [];
  const reader = new EventReader({
    filter: filterOf(),
    isList,
    sink: {
      put: ({ name }) => told.push(`put ${name}`),
      gone: (name) => told.push(`gone ${name}`),
      listed: (names) => told.push(`listed ${[...names].join(' ')}`),
    },
  });
  const push = (...frames: readonly Buffer[]) => reader.push(Buffer.concat(frames), ASKED);
  return { reader, told, push };
}

function event(type: string, name: string, version = '1'): Buffer {
  return frame(eventBytes(type, nodeBytes({ name, version })));
}

describe('a watch that begins with a list', () => {
  test('tells the list, its end and what follows', () => {
    const { reader, told, push } = openReader(true);
    expect(push(event('ADDED', 'a', '7'), event('ADDED', 'b', '3'))).toBeUndefined();
    expect([reader.isListed, reader.version]).toEqual([false, undefined]);
    expect(push(frame(bookmarkBytes('9', true)))).toBeUndefined();
    expect([reader.isListed, reader.version]).toEqual([true, '9']);
    expect(push(event('MODIFIED', 'a', '12'), event('DELETED', 'b', '13'))).toBeUndefined();
    expect([reader.version, reader.isComplete]).toEqual(['13', true]);
    expect(told).toEqual(['put a', 'put b', 'listed a b', 'put a', 'gone b']);
  });

  test('what goes while the list is told is not in it', () => {
    const { told, push } = openReader(true);
    push(event('ADDED', 'a'), event('ADDED', 'b'), event('DELETED', 'a'), frame(bookmarkBytes('9', true)));
    expect(told.at(-1)).toBe('listed b');
  });

  test('a bookmark in between does not end it', () => {
    const { reader, told, push } = openReader(true);
    push(event('ADDED', 'a'), frame(bookmarkBytes('9')));
    expect([reader.isListed, reader.version]).toEqual([false, undefined]);
    expect(told).toEqual(['put a']);
  });

  test('a list that is empty', () => {
    const { told, push } = openReader(true);
    push(frame(bookmarkBytes('9', true)));
    expect(told).toEqual(['listed ']);
  });

  test("a real server's, a byte at a time", () => {
    const { reader, told, push } = openReader(true);
    const names = ['thin-node', 'fat-node', 'bookmark'] as const;
    const stream = Buffer.concat(names.map((name) => sample(name).bytes));
    for (let at = 0; at < stream.length; at++) expect(push(stream.subarray(at, at + 1))).toBeUndefined();
    expect(told).toEqual(['put thin', 'put fat', 'listed thin fat']);
    expect([reader.version, reader.isComplete]).toEqual(['201', true]);
  });
});

describe('a watch that goes on from a version', () => {
  test('is listed from the beginning, and knows how far it is', () => {
    const { reader, told, push } = openReader(false);
    expect([reader.isListed, reader.version]).toEqual([true, undefined]);
    push(event('ADDED', 'a', '5'));
    push(frame(bookmarkBytes('8')));
    expect(reader.version).toBe('8');
    // The mark of a list's end says nothing here.
    push(frame(bookmarkBytes('9', true)));
    expect(told).toEqual(['put a']);
  });

  test('half of a message is not complete', () => {
    const { reader, told, push } = openReader(false);
    push(event('ADDED', 'a').subarray(0, 20));
    expect([reader.isComplete, told]).toEqual([false, []]);
  });
});

describe('what ends a watch', () => {
  test('an error of the server', () => {
    const { reader, push } = openReader(false);
    expect(push(event('ADDED', 'a', '5'), sample('gone').bytes)).toMatchObject({
      kind: 'gone',
      problem: { message: expect.stringContaining('too old resource version: 1 (201)') },
    });
    expect(reader.version).toBe('5');
  });

  test('a server that is busy', () => {
    const { push } = openReader(false);
    const status = statusBytes({ code: 500, message: 'etcdserver: request timed out', retryAfterS: 2 });
    expect(push(frame(eventBytes('ERROR', status, 'Status')))).toMatchObject({
      kind: 'busy',
      retryAfterMs: 2_000,
    });
  });

  test('what cannot be read, and nothing behind it is told', () => {
    const { told, push } = openReader(false);
    const failure = push(event('ADDED', 'a'), frame(Buffer.from('rubbish')), event('ADDED', 'b'));
    expect(failure).toMatchObject({
      kind: 'unreachable',
      problem: { message: 'The API server https://a:6443 gave a message that cannot be read' },
    });
    expect(told).toEqual(['put a']);
    expect(push(event('ADDED', 'c'))).toEqual(failure);
    expect(told).toEqual(['put a']);
  });

  test('what is too large', () => {
    const { push } = openReader(false);
    expect(push(Buffer.alloc(4, 0xff))).toMatchObject({
      problem: { message: 'The API server https://a:6443 gave a message that is too large' },
    });
  });
});
