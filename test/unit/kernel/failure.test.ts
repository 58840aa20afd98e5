import { expect, test } from 'bun:test';
import { changeFailure, isAlreadyDone, lookFailure, noLink } from '../../../src/kernel/failure.ts';
import { ERRNO, type ErrnoName, netlinkError } from '../../../src/netlink/error.ts';
import type { Verb } from '../../../src/reconcile/target.ts';
import { ownAddress, peerFdb, tunnelRoute } from '../../contract/kinds.ts';
import { vxlanLink } from '../../sim/samples.ts';

const ROUTE = tunnelRoute(2, 4);

test('changeFailure() names verb, object, errno, words and attribute', () => {
  const error = netlinkError(ERRNO.EINVAL, { text: 'Nexthop has invalid gateway', path: 'route.gateway' });
  expect(changeFailure('create', ROUTE, error)).toEqual({
    kind: 'other',
    message:
      'Cannot create route 10.42.2.0/24 via 10.42.2.0 dev flannel.1 onlink: EINVAL "Nexthop has invalid gateway" at route.gateway',
  });
});

test.each<readonly [ErrnoName, string, string]>([
  ['EPERM', 'route', 'denied'],
  ['EACCES', 'route', 'denied'],
  ['EEXIST', 'link', 'conflict'],
  ['EEXIST', 'route', 'other'],
  ['EOPNOTSUPP', 'link', 'unsupported'],
  ['EAFNOSUPPORT', 'route', 'unsupported'],
  ['EPROTONOSUPPORT', 'link', 'unsupported'],
  ['ENODEV', 'route', 'no-link'],
  ['ENETDOWN', 'route', 'other'],
  ['ENOBUFS', 'route', 'other'],
])('changeFailure() of %s on a %s is %s', (name, what, kind) => {
  const object = what === 'link' ? vxlanLink() : ROUTE;
  expect<string>(changeFailure('create', object, netlinkError(ERRNO[name])).kind).toBe(kind);
});

test.each<readonly [Verb, ErrnoName, boolean]>([
  ['remove', 'ENOENT', true],
  ['remove', 'ESRCH', true],
  ['remove', 'ENODEV', true],
  ['remove', 'EADDRNOTAVAIL', true],
  ['remove', 'EPERM', false],
  ['remove', 'EBUSY', false],
  ['create', 'ENOENT', false],
  ['create', 'EEXIST', false],
])('isAlreadyDone() of %s and %s is %p', (verb, name, expected) => {
  expect(isAlreadyDone(verb, ROUTE, ERRNO[name])).toBe(expected);
});

test('isAlreadyDone() of an address that is there', () => {
  expect(isAlreadyDone('create', ownAddress(4), ERRNO.EEXIST)).toBe(true);
  expect(isAlreadyDone('create', vxlanLink(), ERRNO.EEXIST)).toBe(false);
});

test('lookFailure() and noLink() say what and where', () => {
  expect(lookFailure('IPv4 routes', netlinkError(ERRNO.EPERM))).toEqual({
    kind: 'denied',
    message: 'Cannot read IPv4 routes: EPERM',
  });
  expect(lookFailure('links', netlinkError(ERRNO.EINTR)).kind).toBe('other');
  expect(noLink('replace', peerFdb(2, 4), 'flannel.1')).toEqual({
    kind: 'no-link',
    message:
      'Cannot replace fdb 02:00:00:04:00:02 dev flannel.1 dst 192.168.0.2 self permanent: no link flannel.1',
  });
});
