/** Why a request came to nothing, in words, and what helps. @module */
import { describe, expect, test } from 'bun:test';
import { Authority } from '../../../../src/cli/demo/kube/certificates.ts';
import { REMEDIES } from '../../../../src/model/problem.ts';
import {
  type Asked,
  clockFault,
  failureOfError,
  failureOfForm,
  failureOfStatus,
} from '../../../../src/store/kube/failure.ts';

const SERVER = 'https://10.0.0.1:6443';
const ASKED: Asked = { what: 'list nodes', server: SERVER, files: ['/etc/k.yaml', '/etc/token'] };

function errorOf(code: string, name = 'TypeError'): Error {
  return Object.assign(new TypeError('x'), { code, name });
}

describe('a request that got no answer', () => {
  test.each([
    ['ECONNREFUSED', 'connection refused'],
    ['ECONNRESET', 'the connection was closed'],
    ['ConnectionClosed', 'the connection was closed'],
    ['ENOTFOUND', 'its name is not known'],
    ['FailedToOpenSocket', 'no connection can be made, or the certificates are none'],
    ['ENEW', 'ENEW'],
    ['', 'x'],
  ])('%s', (code, why) => {
    const { kind, problem } = failureOfError(errorOf(code), ASKED);
    expect(kind).toBe('unreachable');
    expect(problem).toEqual({
      code: 'store-unavailable',
      message: `Cannot reach the API server ${SERVER}: ${why}`,
      remedy: expect.stringMatching(/the data plane keeps working/),
    });
  });

  test.each(['TimeoutError', 'AbortError'])('%s', (name) => {
    const { problem } = failureOfError(new DOMException('late', name), ASKED);
    expect(problem.message).toBe(`Cannot reach the API server ${SERVER}: no answer in time`);
  });

  test('what is no error at all is printable', () => {
    expect(failureOfError('\u001b[2Jx', ASKED).problem.message).toEndWith(': \\u001b[2Jx');
    expect(failureOfError(undefined, ASKED).problem.message).toEndWith(': undefined');
  });

  test.each([
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'it is for another name or address'],
    ['CERT_HAS_EXPIRED', 'it has expired'],
    ['CERT_NOT_YET_VALID', 'it is not valid yet'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unable to verify leaf signature'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'self signed cert in chain'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'depth zero self signed cert'],
    ['CERT_SIGNATURE_FAILURE', 'cert signature failure'],
    ['INVALID_CA', 'invalid ca'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'err ssl wrong version number'],
    ['HOSTNAME_MISMATCH', 'hostname mismatch'],
    ['ERR_BORINGSSL', 'err boringssl'],
  ])('%s', (code, why) => {
    expect(failureOfError(errorOf(code), ASKED)).toEqual({
      kind: 'denied',
      problem: {
        code: 'store-untrusted',
        message: `The certificate of the API server ${SERVER} is not trusted: ${why}`,
        remedy: REMEDIES['store-untrusted'],
      },
    });
  });
});

describe('an answer that is no success', () => {
  const refusal = { code: 0, reason: '', message: 'because', retryAfterS: 0 };
  const refused = `The API server ${SERVER} does not let this node list nodes: because`;
  const busy = `The API server ${SERVER} cannot list nodes now: because`;

  test.each([
    [
      401,
      'denied',
      'store-denied',
      `The API server ${SERVER} does not take the credentials (from /etc/k.yaml, /etc/token): because`,
    ],
    [403, 'denied', 'store-denied', refused],
    [404, 'not-found', 'node-missing', refused],
    [410, 'gone', 'store-unavailable', refused],
    [429, 'busy', 'store-unavailable', busy],
    [500, 'busy', 'store-unavailable', busy],
    [503, 'busy', 'store-unavailable', busy],
    [400, 'refused', 'store-unavailable', refused],
    [422, 'refused', 'store-unavailable', refused],
    [0, 'refused', 'store-unavailable', refused],
  ] as const)('status %d', (status, kind, code, message) => {
    const failure = failureOfStatus(status, refusal, ASKED);
    expect(failure).toMatchObject({ kind, problem: { code, message } });
    expect(failure.problem.remedy).not.toBe('');
    expect(failure.retryAfterMs).toBeUndefined();
  });

  test('a version that is forgotten has a reason, whatever its status', () => {
    const expired = { ...refusal, reason: 'Expired' };
    expect(failureOfStatus(0, expired, ASKED).kind).toBe('gone');
    expect(failureOfStatus(504, expired, ASKED).kind).toBe('gone');
  });

  test('of a Node that is not there only Kubernetes knows, not what is in between', () => {
    expect(failureOfStatus(404, undefined, ASKED)).toMatchObject({
      kind: 'refused',
      problem: { code: 'store-unavailable' },
    });
  });

  test('a server that is busy names a pause', () => {
    expect(failureOfStatus(429, { ...refusal, retryAfterS: 3 }, ASKED).retryAfterMs).toBe(3_000);
  });

  test('no words, or those of credentials that come from no file', () => {
    const { problem } = failureOfStatus(401, undefined, { ...ASKED, files: [] });
    expect(problem.message).toBe(`The API server ${SERVER} does not take the credentials: HTTP 401`);
    expect(failureOfStatus(500, { ...refusal, message: '' }, ASKED).problem.message).toEndWith(': HTTP 500');
  });

  test('words are cut, and fit for a terminal', () => {
    const long = { ...refusal, message: `\u001b[2J${'x'.repeat(100_000)}` };
    const { message } = failureOfStatus(403, long, ASKED).problem;
    expect(message).toContain('\\u001b[2Jxxx');
    expect(message.length).toBeLessThan(500);
    const controls = { ...refusal, message: '\n'.repeat(100_000) };
    expect(failureOfStatus(403, controls, ASKED).problem.message.length).toBeLessThan(500);
  });

  test('an answer of another form', () => {
    expect(failureOfForm('an answer of 7 bytes', ASKED)).toMatchObject({
      kind: 'unreachable',
      problem: { message: `The API server ${SERVER} gave an answer of 7 bytes` },
    });
  });
});

describe('a clock that is wrong', () => {
  const BEGIN = Date.UTC(2026, 0, 10);
  const END = Date.UTC(2036, 0, 10);
  const authority = new Authority('ca', { notBefore: new Date(BEGIN), notAfter: new Date(END) });
  const ca = authority.certificatePem;
  const cert = authority.issue({
    commonName: 'node',
    usage: 'client',
    validity: { notBefore: new Date(BEGIN), notAfter: new Date(Date.UTC(2027, 0, 10)) },
  }).certificatePem;

  test('before the authority was made', () => {
    const words =
      "The clock of this node says 1970-01-01T00:10Z, which is before the cluster's certificates were made (2026-01-10)";
    expect(clockFault({ ca, cert }, 600_000)).toBe(words);
    expect(clockFault({ cert }, 600_000)).toBe(words);
    expect(clockFault({ ca }, BEGIN - 1)).toContain('2026-01-09T23:59Z');
  });

  test('after its end', () => {
    expect(clockFault({ ca }, END + 60_000)).toBe(
      "The clock of this node says 2036-01-10T00:01Z, which is after the end of the cluster's certificate authority (2036-01-10): one of them is wrong",
    );
  });

  test.each([BEGIN, Date.UTC(2026, 5, 1), END])('right at %d', (nowMs) => {
    expect(clockFault({ ca }, nowMs)).toBeUndefined();
  });

  test("the end of the node's own certificate says nothing of the clock", () => {
    expect(clockFault({ ca, cert }, Date.UTC(2030, 0, 1))).toBeUndefined();
    expect(clockFault({ cert }, Date.UTC(2050, 0, 1))).toBeUndefined();
  });

  test.each([
    undefined,
    {},
    { ca: 'x' },
    { ca: '', cert: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
  ])('nothing can be said without certificates (%#)', (credentials) => {
    expect(clockFault(credentials, 0)).toBeUndefined();
  });

  test('a certificate out of its time is told as what it is', () => {
    const now = Date.now();
    const [past, future] = [new Date(now - 86_400_000), new Date(now + 86_400_000)];
    const credentials = { server: SERVER, insecure: false, files: [] };
    const notYet = new Authority('ca', { notBefore: future, notAfter: new Date(now + 2 * 86_400_000) });
    const wrong = { ...credentials, ca: notYet.certificatePem };
    expect(failureOfError(errorOf('CERT_NOT_YET_VALID'), ASKED, wrong)).toMatchObject({
      kind: 'denied',
      problem: { code: 'clock-wrong', remedy: REMEDIES['clock-wrong'] },
    });
    const sound = {
      ...credentials,
      ca: new Authority('ca', { notBefore: past, notAfter: future }).certificatePem,
    };
    for (const each of [sound, undefined])
      expect(failureOfError(errorOf('CERT_HAS_EXPIRED'), ASKED, each).problem.code).toBe('store-untrusted');
  });
});
