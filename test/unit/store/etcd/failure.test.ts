/** What goes wrong with etcd, in words. @module */
import { expect, test } from 'bun:test';
import { REMEDIES } from '../../../../src/model/problem.ts';
import {
  AUTH_REMEDY,
  etcdProblem,
  joinFailures,
  refusalFailure,
  TLS_REMEDY,
  transportFailure,
  unreachable,
} from '../../../../src/store/etcd/failure.ts';

function errno(code: string): Error {
  return Object.assign(new TypeError('x'), { code });
}

test.each([
  ['http://a:1', 'ECONNREFUSED', 'unreachable', 'the connection was refused (ECONNREFUSED)'],
  ['http://a:1', 'ECONNRESET', 'unreachable', 'the connection was closed (ECONNRESET)'],
  ['http://a:1', 'EAI_AGAIN', 'unreachable', 'its name cannot be resolved now (EAI_AGAIN)'],
  ['http://a:1', 'ENEW', 'unreachable', 'no connection (ENEW)'],
  ['https://a:1', 'ECONNREFUSED', 'unreachable', 'the connection was refused (ECONNREFUSED)'],
  ['https://a:1', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'tls', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['https://a:1', 'CERT_HAS_EXPIRED', 'tls', 'CERT_HAS_EXPIRED'],
  ['https://a:1', 'ERR_TLS_CERT_ALTNAME_INVALID', 'tls', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['https://a:1', 'EPROTO', 'tls', 'the TLS handshake failed: a client certificate may be missing'],
  ['https://a:1', 'FailedToOpenSocket', 'tls', 'no connection, or the certificate files are not in PEM form'],
] as const)('%s %s', (endpoint, code, kind, what) => {
  expect(transportFailure(endpoint, errno(code))).toEqual({ kind, message: `etcd at ${endpoint}: ${what}` });
});

test.each([
  [11, 'etcdserver: mvcc: required revision has been compacted', 400, 'compacted'],
  [16, 'etcdserver: invalid auth token', 401, 'token'],
  [3, 'etcdserver: user name is empty', 400, 'token'],
  [3, 'etcdserver: revision of auth store is old', 400, 'token'],
  [7, 'etcdserver: permission denied', 403, 'auth'],
  [3, 'etcdserver: authentication failed, invalid user ID or password', 400, 'auth'],
  [14, 'etcdserver: no leader', 503, 'unreachable'],
  [0, '', 502, 'unreachable'],
  [3, 'etcdserver: key is not provided', 400, 'refused'],
] as const)('code %d, %s', (code, text, status, kind) => {
  const failure = refusalFailure({ endpoint: 'http://a:1', code, text, status });
  expect(failure).toEqual({ kind, message: `etcd at http://a:1: ${text || `status ${status}`}` });
});

test('every failure is a problem that says what helps', () => {
  const remedy = (kind: Parameters<typeof etcdProblem>[0]['kind']) => {
    const { code, remedy: what } = etcdProblem({ kind, message: 'm' });
    expect(code).toBe('store-unavailable');
    return what;
  };
  expect(remedy('tls')).toBe(TLS_REMEDY);
  expect([remedy('auth'), remedy('token')]).toEqual([AUTH_REMEDY, AUTH_REMEDY]);
  expect([remedy('unreachable'), remedy('refused')]).toEqual(Array(2).fill(REMEDIES['store-unavailable']));
});

test('of several endpoints the one that says more decides', () => {
  const away = unreachable('http://a:1', 'no answer in time');
  const tls = { kind: 'tls', message: 'etcd at https://b:1: CERT_HAS_EXPIRED' } as const;
  expect(joinFailures([away, tls, away])).toEqual({
    kind: 'tls',
    message: 'etcd at http://a:1: no answer in time; etcd at https://b:1: CERT_HAS_EXPIRED',
  });
});
