import { expect, test } from 'bun:test';
import { NetfilterAccess } from '../../src/netfilter-access.ts';
import { FakeClock } from '../sim/fake-clock.ts';

const EPERM = 1;

test('events that cannot be heard are asked for again once a minute, however often rules are wanted meanwhile', async () => {
  const clock = new FakeClock();
  let attempts = 0;
  const access = new NetfilterAccess(clock, ({ groups = 0 }) => {
    if (groups !== 0) attempts++;
    return groups === 0
      ? { fd: -1, portId: 1, send: () => -EPERM, receive: () => -EPERM, close: () => {} }
      : -EPERM;
  });
  // Each look is a pass, which wants the rules once more.
  const look = () => access.want();
  access.listen({ moved: () => {}, look, onPassage: () => {} });
  access.want();
  access.want();
  const began = attempts;
  for (let minute = 0; minute < 5; minute++) await clock.advance(60_000);
  expect(began).toBe(1);
  expect(attempts).toBe(6);
  access.close();
  await clock.advance(600_000);
  expect(attempts).toBe(6);
});
