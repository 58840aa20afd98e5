/**
 * Batches and single requests against a kernel that misbehaves as told.
 *
 * @module
 */
import { describe, expect, test } from 'bun:test';
import { ERRNO } from '../../../src/netlink/error.ts';
import { NLM_F, Session } from '../../../src/netlink/session.ts';
import { acknowledge, datagram, FakeKernel, type Received } from './fake-kernel.ts';

import { idOf, item, thing, thingMessage } from './thing.ts';

/** Fails the requests of these ids, and acknowledges only who asks for it, as the kernel does. */
function refusing(errnos: ReadonlyMap<number, number>): FakeKernel {
  return new FakeKernel((requests) =>
    requests.flatMap((request) => {
      const errno = errnos.get(idOf(request)) ?? 0;
      return errno !== 0 || (request.flags & NLM_F.ACK) !== 0
        ? [datagram(acknowledge(request, { errno }))]
        : [];
    }),
  );
}

describe('batches', () => {
  test('finish() maps failures to their ids', () => {
    const failing = new Map([
      [3, ERRNO.EEXIST],
      [70, ERRNO.ENODEV],
      [199, ERRNO.EINVAL],
    ]);
    const kernel = refusing(failing);
    const session = new Session(kernel);
    for (let id = 0; id < 200; id++) session.queue(id, thing(id));
    const failed = session.finish();
    expect([...failed].map(([id, { errno }]) => [id, errno])).toEqual([...failing]);
    expect(kernel.sends.map((requests) => requests.length)).toEqual([64, 64, 64, 8]);
    expect(session.finish().size).toBe(0);
    expect(session.counters.requests).toBe(200);
    expect(session.counters.errorsByErrno).toEqual(new Map([...failing.values()].map((errno) => [errno, 1])));
  });

  test('queue() sends before a datagram grows too large', () => {
    const kernel = refusing(new Map());
    const session = new Session(kernel);
    for (let id = 0; id < 40; id++) session.queue(id, thing(id, 'x'.repeat(3000)));
    expect(session.finish().size).toBe(0);
    const sizes = kernel.sends.map((requests) => requests.reduce((sum, { bytes }) => sum + bytes.length, 0));
    expect(Math.max(...sizes)).toBeLessThan(36 * 1024);
    expect(kernel.sends.flat().length).toBe(40);
  });

  test('only the last request of a datagram asks for an acknowledgement', () => {
    const kernel = refusing(new Map());
    const session = new Session(kernel);
    for (let id = 0; id < 3; id++) session.queue(id, thing(id));
    session.finish();
    expect(kernel.sends[0]?.map(({ flags }) => flags & NLM_F.ACK)).toEqual([0, 0, NLM_F.ACK]);
  });

  test('an overrun in the middle fails what was not answered, and keeps what was', () => {
    const kernel = new FakeKernel(([, second]) =>
      second === undefined ? [] : [datagram(acknowledge(second, { errno: ERRNO.EEXIST })), -ERRNO.ENOBUFS],
    );
    const session = new Session(kernel);
    for (let id = 0; id < 4; id++) session.queue(id, thing(id));
    const failed = new Map([...session.finish()].map(([id, { message }]) => [id, message]));
    expect(failed).toEqual(
      new Map([
        [1, 'EEXIST'],
        [0, 'ENOBUFS'],
        [2, 'ENOBUFS'],
        [3, 'ENOBUFS'],
      ]),
    );
  });

  test('a kernel that does not answer fails the batch', () => {
    const session = new Session(new FakeKernel(() => []));
    session.queue(1, thing(1));
    expect(session.finish().get(1)?.message).toBe('EAGAIN "no answer"');
  });

  test('a send that fails fails the batch', () => {
    const session = new Session({ send: () => -ERRNO.EPERM, receive: () => -ERRNO.EAGAIN });
    session.queue(1, thing(1));
    session.queue(2, thing(2));
    expect([...session.finish()].map(([id, { message }]) => `${id} ${message}`)).toEqual([
      '1 EPERM',
      '2 EPERM',
    ]);
  });

  test('execute() keeps the failures of a batch that was not finished', () => {
    const session = new Session(refusing(new Map([[7, ERRNO.EBUSY]])));
    session.queue(0, thing(7));
    expect(session.execute(thing(1))).toBeUndefined();
    expect(session.finish().get(0)?.message).toBe('EBUSY');
  });

  test('answers to earlier requests are overlooked', () => {
    let stale: Received | undefined;
    const kernel = new FakeKernel(([request]) => {
      if (request === undefined) return [];
      const answers = [datagram(acknowledge(request))];
      if (stale !== undefined) answers.unshift(datagram(acknowledge(stale, { errno: ERRNO.EIO })));
      stale = request;
      return answers;
    });
    const session = new Session(kernel);
    expect(session.execute(thing(1))).toBeUndefined();
    expect(session.execute(thing(2))).toBeUndefined();
  });
});

describe('ask', () => {
  test('ask() visits the answer and ends with the acknowledgement', () => {
    const kernel = new FakeKernel(([request]) =>
      request === undefined ? [] : [datagram(item(request, 5, 0)), datagram(acknowledge(request))],
    );
    const seen: number[] = [];
    expect(
      new Session(kernel).ask(thing(5), thingMessage, ({ header }) => seen.push(header.id)),
    ).toBeUndefined();
    expect(seen).toEqual([5]);
  });
});
