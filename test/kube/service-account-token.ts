/**
 * Tokens of service accounts that end sooner than the API makes them.
 *
 * @module
 */
import { type KeyObject, sign } from 'node:crypto';
import { ISSUER } from '../../src/cli/demo/kube/control-plane.ts';

/** Less is refused by `TokenRequest`. */
export const REQUESTED_SECONDS_MIN = 600;

/** Whose token. */
export interface TokenSubject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly seconds: number;
}

/** Signs a token as the server itself does (RFC 7519, ES256). */
export function signToken(key: KeyObject, { namespace, name, uid, seconds }: TokenSubject): string {
  const now = Math.floor(Date.now() / 1_000);
  const claims = {
    aud: [ISSUER],
    exp: now + seconds,
    iat: now,
    iss: ISSUER,
    'kubernetes.io': { namespace, serviceaccount: { name, uid } },
    nbf: now,
    sub: `system:serviceaccount:${namespace}:${name}`,
  };
  const parts = [{ alg: 'ES256', typ: 'JWT' }, claims].map((part) => base64url(JSON.stringify(part)));
  const signature = sign('sha256', Buffer.from(parts.join('.')), { key, dsaEncoding: 'ieee-p1363' });
  return [...parts, base64url(signature)].join('.');
}

function base64url(content: string | Buffer): string {
  return Buffer.from(content).toString('base64url');
}
