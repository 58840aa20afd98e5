/**
 * Dumps against a kernel that misbehaves as told.
 *
 * @module
 */
import { describe, expect, test } from 'bun:test';
import { ERRNO } from '../../../src/netlink/error.ts';
import { NLM_F, Session } from '../../../src/netlink/session.ts';
import { type Answer, acknowledge, datagram, done, FakeKernel, type Received } from './fake-kernel.ts';

import { idOf, item, thing, thingMessage } from './thing.ts';

function collect(session: Session, request = thing(0)) {
  const seen: number[] = [];
  let restarts = 0;
  const error = session.dump(request, thingMessage, {
    visit: ({ header }) => seen.push(header.id),
    restart: () => {
      restarts++;
      seen.length = 0;
    },
  });
  return { error: error?.message, seen, restarts };
}

describe('dumps', () => {
  test('dump() visits every message up to the end', () => {
    const kernel = new FakeKernel(([request]) =>
      request === undefined
        ? []
        : [datagram(item(request, 1), item(request, 2)), datagram(item(request, 3), done(request))],
    );
    expect(collect(new Session(kernel))).toEqual({ error: undefined, seen: [1, 2, 3], restarts: 0 });
    expect((kernel.sends[0]?.[0]?.flags ?? 0) & NLM_F.DUMP).toBe(NLM_F.DUMP);
  });

  test('dump() takes an end without errno and overlooks messages of netlink itself', () => {
    const kernel = new FakeKernel(([request]) =>
      request === undefined
        ? []
        : [
            datagram({ type: 1, sequence: request.sequence }, item(request, 1), {
              ...done(request),
              payload: new Uint8Array(),
            }),
          ],
    );
    expect(collect(new Session(kernel))).toEqual({ error: undefined, seen: [1], restarts: 0 });
  });

  test('dump() gives the error at the end of a dump, with its words', () => {
    const kernel = new FakeKernel(([request]) =>
      request === undefined
        ? []
        : [datagram(item(request, 1), done(request, { errno: ERRNO.EOPNOTSUPP, text: 'Not here' }))],
    );
    expect(collect(new Session(kernel)).error).toBe('EOPNOTSUPP "Not here"');
  });

  function interrupting(times: number, where: 'message' | 'end' | 'errno'): FakeKernel {
    let left = times;
    return new FakeKernel(([request]) => {
      if (request === undefined) return [];
      if (left-- <= 0) return [datagram(item(request, 9), done(request))];
      if (where === 'errno') return [datagram(item(request, 1), done(request, { errno: ERRNO.EINTR }))];
      const flags = NLM_F.MULTI | NLM_F.DUMP_INTR;
      if (where === 'message') return [datagram(item(request, 1), item(request, 2, flags), done(request))];
      return [datagram(item(request, 1), { ...done(request), flags })];
    });
  }

  for (const where of ['message', 'end', 'errno'] as const) {
    test(`dump() begins anew when the kernel says at the ${where} that it changed`, () => {
      expect(collect(new Session(interrupting(2, where)))).toEqual({
        error: undefined,
        seen: [9],
        restarts: 2,
      });
    });
  }

  test('dump() gives up when it changes every time', () => {
    const kernel = interrupting(99, 'end');
    const { error, restarts } = collect(new Session(kernel));
    expect(error).toBe('EINTR "dump changed while it was read"');
    expect([kernel.sends.length, restarts]).toEqual([5, 4]);
  });

  /** Once spoiled, then as it should be; it refuses a dump while an earlier one has an unread rest. */
  function busyAfter(spoiled: Answer): { kernel: FakeKernel; session: Session } {
    let first = true;
    const kernel: FakeKernel = new FakeKernel(([request]) => {
      if (request === undefined) return [];
      if (kernel.queue.length > 0) return [datagram(acknowledge(request, { errno: ERRNO.EBUSY }))];
      const rest = [datagram(item(request, 2)), -ERRNO.ENOBUFS, datagram(item(request, 3), done(request))];
      const answers = first
        ? [datagram(item(request, 1)), spoiled, ...rest]
        : rest.filter((one) => typeof one !== 'number');
      first = false;
      return answers;
    });
    return { kernel, session: new Session(kernel) };
  }

  const spoilt: readonly (readonly [string, Answer, string])[] = [
    ['an overrun', -ERRNO.ENOBUFS, 'ENOBUFS'],
    ['a datagram larger than the buffer', -ERRNO.EMSGSIZE, 'EMSGSIZE'],
    [
      'a truncated datagram',
      Uint8Array.of(99, 0, 0, 0, 40, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2),
      'EIO "Message length 99 at 0"',
    ],
  ];
  for (const [what, answer, message] of spoilt) {
    test(`${what} ends a dump, and the next one is not refused`, () => {
      const { session } = busyAfter(answer);
      expect(collect(session).error).toBe(message);
      expect(collect(session)).toEqual({ error: undefined, seen: [2, 3], restarts: 0 });
    });
  }

  test('a message that does not parse ends a dump', () => {
    const short = (request: Received) => ({ ...item(request, 1), payload: Uint8Array.of(1, 2) });
    const kernel = new FakeKernel(([request]) =>
      request === undefined ? [] : [datagram(short(request)), datagram(done(request))],
    );
    expect(collect(new Session(kernel)).error).toBe('EIO "4 bytes expected, 2 left"');
  });

  test('what a visitor throws comes through and leaves the session usable', () => {
    const kernel = new FakeKernel(([request]) =>
      request === undefined ? [] : [datagram(item(request, 1)), datagram(done(request))],
    );
    const session = new Session(kernel);
    const visit = () => {
      throw new TypeError('mine');
    };
    expect(() => session.dump(thing(0), thingMessage, { visit, restart: () => undefined })).toThrow('mine');
    expect(collect(session)).toEqual({ error: undefined, seen: [1], restarts: 0 });
  });

  test('a visitor that uses the session is told so', () => {
    const kernel = new FakeKernel(([request]) =>
      request === undefined ? [] : [datagram(item(request, 1), done(request))],
    );
    const session = new Session(kernel);
    const visit = () => void session.execute(thing(2));
    expect(() => session.dump(thing(0), thingMessage, { visit, restart: () => undefined })).toThrow(
      'A netlink session was used while its answer was read',
    );
  });

  test('dump() sends a batch that waits first', () => {
    const kernel = new FakeKernel((requests) =>
      requests.map((request) =>
        datagram((request.flags & NLM_F.DUMP) !== 0 ? done(request) : acknowledge(request)),
      ),
    );
    const session = new Session(kernel);
    session.queue(1, thing(1));
    expect(collect(session).error).toBeUndefined();
    expect(kernel.sends.map((requests) => requests.map(idOf))).toEqual([[1], [0]]);
  });
});
