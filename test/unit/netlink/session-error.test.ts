/**
 * What an error says.
 *
 * @module
 */
import { describe, expect, test } from 'bun:test';
import { ERRNO } from '../../../src/netlink/error.ts';
import { type Request, Session } from '../../../src/netlink/session.ts';
import { acknowledge, datagram, FakeKernel } from './fake-kernel.ts';

import { idOf, NAME_OFFSET, type Thing, TYPE, thing, thingMessage } from './thing.ts';

describe('error messages', () => {
  const request: Request<Thing> = {
    type: TYPE,
    flags: 0,
    codec: thingMessage,
    value: { header: { id: 1 }, attrs: { name: 'thing', inner: { size: 3, colour: 'red' } } },
  };
  const innerOffset = NAME_OFFSET + 12;

  function refused(refusal: Parameters<typeof acknowledge>[1]): string | undefined {
    const kernel = new FakeKernel(([received]) =>
      received === undefined ? [] : [datagram(acknowledge(received, refusal))],
    );
    return new Session(kernel).execute(request)?.message;
  }

  for (const capped of [true, false]) {
    test(`name the attribute, with the request echoed ${capped ? 'in part' : 'whole'}`, () => {
      const at = (offset: number) => refused({ errno: ERRNO.EINVAL, text: 'Bad thing', offset, capped });
      expect(at(NAME_OFFSET)).toBe('EINVAL "Bad thing" at thing.name');
      expect(at(innerOffset)).toBe('EINVAL "Bad thing" at thing.inner');
      expect(at(innerOffset + 4)).toBe('EINVAL "Bad thing" at thing.inner.size');
      expect(at(innerOffset + 12)).toBe('EINVAL "Bad thing" at thing.inner.colour');
      expect(at(16)).toBe('EINVAL "Bad thing" at thing');
      expect(refused({ errno: ERRNO.EINVAL, text: 'Bad thing', capped })).toBe('EINVAL "Bad thing"');
      expect(refused({ errno: ERRNO.EINVAL, offset: NAME_OFFSET, capped })).toBe('EINVAL at thing.name');
      expect(refused({ errno: ERRNO.EINVAL, capped })).toBe('EINVAL');
    });
  }

  test('show a number that has no name', () => {
    expect(refused({ errno: 524 })).toBe('errno 524');
  });

  test('blame the right request of a batch', () => {
    const kernel = new FakeKernel((requests) =>
      requests.map((received) =>
        datagram(
          idOf(received) === 2
            ? acknowledge(received, { errno: ERRNO.EINVAL, offset: innerOffset + 12 })
            : acknowledge(received),
        ),
      ),
    );
    const session = new Session(kernel);
    session.queue(1, thing(1, 'a name that moves all that follows'));
    session.queue(2, { ...request, value: { ...request.value, header: { id: 2 } } });
    expect([...session.finish()].map(([id, { message }]) => `${id} ${message}`)).toEqual([
      '2 EINVAL at thing.inner.colour',
    ]);
  });
});
