/**
 * A certificate authority for a cluster that is thrown away. X.509 is written here byte by byte (RFC 5280), since no Debian package, and no
 * module, is worth having for four extensions.
 *
 * @module
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { parseIp, writeIp } from '../../../model/ip.ts';

/** A certificate with its key, both as PEM. */
export interface KeyPair {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** From when until when something is valid. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Whom a certificate is for. */
export interface Subject {
  readonly commonName: string;
  /** What Kubernetes takes for the user's groups. */
  readonly organizations?: readonly string[];
}

/** What a certificate says. */
export interface CertificateRequest extends Subject {
  /** `both` for a server that is its own client, as etcd is. */
  readonly usage: 'server' | 'client' | 'both';
  /** The names and addresses that a server has. */
  readonly hosts?: readonly string[];
  /** From an hour ago for a day if absent. */
  readonly validity?: Validity;
}

const HOUR_MS = 3_600_000;

const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OID: 0x06,
  UTF8_STRING: 0x0c,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
  /** `subjectAltName`: a DNS name and an address. */
  DNS_NAME: 0x82,
  IP_ADDRESS: 0x87,
  VERSION: 0xa0,
  EXTENSIONS: 0xa3,
} as const;

const OID = {
  ORGANIZATION: '2.5.4.10',
  COMMON_NAME: '2.5.4.3',
  BASIC_CONSTRAINTS: '2.5.29.19',
  KEY_USAGE: '2.5.29.15',
  EXTENDED_KEY_USAGE: '2.5.29.37',
  SUBJECT_ALT_NAME: '2.5.29.17',
  SERVER_AUTH: '1.3.6.1.5.5.7.3.1',
  CLIENT_AUTH: '1.3.6.1.5.5.7.3.2',
  ECDSA_WITH_SHA256: '1.2.840.10045.4.3.2',
} as const;

const PURPOSES = {
  server: [OID.SERVER_AUTH],
  client: [OID.CLIENT_AUTH],
  both: [OID.SERVER_AUTH, OID.CLIENT_AUTH],
} as const;

const TRUE = der(TAG.BOOLEAN, Buffer.of(0xff));
/** keyCertSign and cRLSign, and digitalSignature, as bit strings with their unused bits in front. */
const MAY_SIGN_CERTIFICATES = Buffer.of(1, 0x06);
const MAY_SIGN = Buffer.of(7, 0x80);

/** An authority of one's own. */
export class Authority {
  readonly certificatePem: string;
  readonly #name: Buffer;
  readonly #key: KeyObject;

  /** Two authorities that are trusted at once must not have one name. */
  constructor(commonName: string, validity: Validity = aDay()) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#key = privateKey;
    this.#name = nameOf({ commonName });
    const constraints = [
      extension(OID.BASIC_CONSTRAINTS, sequence(TRUE), true),
      extension(OID.KEY_USAGE, der(TAG.BIT_STRING, MAY_SIGN_CERTIFICATES), true),
    ];
    this.certificatePem = this.#certify({ name: this.#name, publicKey, validity, extensions: constraints });
  }

  /** Issues a certificate with a new key. */
  issue({ usage, hosts = [], validity = aDay(), ...subject }: CertificateRequest): KeyPair {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const extensions = [
      extension(OID.KEY_USAGE, der(TAG.BIT_STRING, MAY_SIGN), true),
      extension(OID.EXTENDED_KEY_USAGE, sequence(...PURPOSES[usage].map(objectId))),
    ];
    if (hosts.length > 0) extensions.push(extension(OID.SUBJECT_ALT_NAME, sequence(...hosts.map(hostName))));
    const certificatePem = this.#certify({ name: nameOf(subject), publicKey, validity, extensions });
    return { certificatePem, keyPem: keyPemOf(privateKey) };
  }

  #certify({ name, publicKey, validity, extensions }: Unsigned): string {
    const algorithm = sequence(objectId(OID.ECDSA_WITH_SHA256));
    const serial = randomBytes(12);
    serial[0] = 0x01;
    const content = sequence(
      der(TAG.VERSION, der(TAG.INTEGER, Buffer.of(2))),
      der(TAG.INTEGER, serial),
      algorithm,
      this.#name,
      sequence(time(validity.notBefore), time(validity.notAfter)),
      name,
      publicKey.export({ type: 'spki', format: 'der' }),
      der(TAG.EXTENSIONS, sequence(...extensions)),
    );
    const signature = sign('sha256', content, this.#key);
    const certificate = sequence(
      content,
      algorithm,
      der(TAG.BIT_STRING, Buffer.concat([Buffer.of(0), signature])),
    );
    const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
    return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
  }
}

interface Unsigned {
  readonly name: Buffer;
  readonly publicKey: KeyObject;
  readonly validity: Validity;
  readonly extensions: readonly Buffer[];
}

/** From an hour ago, since clocks differ, for a day. */
function aDay(): Validity {
  const now = Date.now();
  return { notBefore: new Date(now - HOUR_MS), notAfter: new Date(now + 24 * HOUR_MS) };
}

/** The private key as PEM (PKCS #8). */
export function keyPemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A key that signs tokens, and its public half, as PEM. */
export function makeSigningKey(): {
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly publicPem: string;
} {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicPem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
  return { key: privateKey, keyPem: keyPemOf(privateKey), publicPem };
}

function der(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  if (length < 0x100) return Buffer.of(0x81, length);
  return Buffer.of(0x82, length >> 8, length & 0xff);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(TAG.SEQUENCE, Buffer.concat(parts));
}

function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...others].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let rest = arc >> 7; rest > 0; rest >>= 7) groups.unshift(0x80 | (rest & 0x7f));
    return groups;
  });
  return der(TAG.OID, Buffer.from(bytes));
}

function nameOf({ commonName, organizations = [] }: Subject): Buffer {
  const part = (type: string, text: string) =>
    der(TAG.SET, sequence(objectId(type), der(TAG.UTF8_STRING, Buffer.from(text))));
  return sequence(
    ...organizations.map((organization) => part(OID.ORGANIZATION, organization)),
    part(OID.COMMON_NAME, commonName),
  );
}

/** RFC 5280 wants the short form before 2050. */
function time(date: Date): Buffer {
  const text = `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  if (date.getUTCFullYear() < 2050) return der(TAG.UTC_TIME, Buffer.from(text.slice(2)));
  return der(TAG.GENERALIZED_TIME, Buffer.from(text));
}

function extension(id: string, value: Buffer, critical: boolean = false): Buffer {
  return sequence(objectId(id), ...(critical ? [TRUE] : []), der(TAG.OCTET_STRING, value));
}

function hostName(host: string): Buffer {
  const ip = parseIp(host);
  if (ip === undefined) return der(TAG.DNS_NAME, Buffer.from(host));
  const bytes = Buffer.alloc(16);
  return der(TAG.IP_ADDRESS, bytes.subarray(0, writeIp(ip, bytes, 0)));
}
