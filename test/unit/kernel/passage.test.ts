import { expect, test } from 'bun:test';
import { Passage } from '../../../src/kernel/passage.ts';
import { ERRNO } from '../../../src/netlink/error.ts';
import { Session } from '../../../src/netlink/session.ts';
import { prefix } from '../../sim/samples.ts';
import { acknowledge, datagram, FakeKernel } from '../netlink/fake-kernel.ts';

const NETWORKS = [prefix('10.42.0.0/16')];

function passageOf(errno: number): Passage {
  const kernel = new FakeKernel((requests) => [
    datagram(...requests.map((each) => acknowledge(each, { errno }))),
  ]);
  const session = new Session(kernel);
  return new Passage({ session: () => session, isHeard: () => false, monotonicMs: () => 0 });
}

test('a kernel without nf_tables has no chains that drop anything, and that is no failure', () => {
  expect(passageOf(ERRNO.EINVAL).look(NETWORKS)).toEqual([]);
  expect(passageOf(ERRNO.EOPNOTSUPP).look(NETWORKS)).toEqual([]);
  expect(passageOf(ERRNO.EPERM).look(NETWORKS)).toMatchObject({ errno: ERRNO.EPERM });
});
