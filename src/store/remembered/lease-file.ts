/**
 * The last good leases, written down for a start without the store: a small text in the state directory, one lease a
 * line, read as if a stranger had written it.
 *
 * @module
 */
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import * as v from 'valibot';
import { type Family, familyOf, type Ip, parseIp, parseMac } from '../../model/ip.ts';
import type { Lease, LeaseFamily, LeaseLookup } from '../../model/lease.ts';
import type { PublicAddresses } from '../../model/lease-source.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { ok } from '../../model/result.ts';
import { writeAtomically } from '../../write-file.ts';
import type { RawLease } from '../accept.ts';
import type { FamilyAttributes } from '../lease-attributes.ts';
import { quoted } from '../printable.ts';

/** The file's name in the state directory. */
export const LEASE_FILE = 'leases.tsv';

/** What is remembered. */
export interface Remembered {
  /** The node's own lease, as it is told to peers. */
  readonly own: RawLease | undefined;
  readonly peers: readonly RawLease[];
  readonly addresses: PublicAddresses;
  /** When the store was last known to say so, in milliseconds since the epoch. */
  readonly savedAtMs: number;
}

/** What is written down. */
export interface Memory {
  readonly own: Lease | undefined;
  readonly peers: LeaseLookup;
  readonly addresses: PublicAddresses;
}

/** Whose leases they are: what belongs to another node or store is of no use. */
export interface LeaseFileOptions {
  readonly directory: string;
  readonly node: string;
  /** The kind of store, such as `kube`. */
  readonly store: string;
}

/** When the store has said what is saved. */
export interface SavedAt {
  readonly atMs: number;
  /** Whether to write although nothing else has changed. */
  readonly isTimeNews: boolean;
}

/** Leases are below 200 bytes each; a cluster of 5,000 nodes has half a megabyte of them. */
const BYTES_MAX = 16 << 20;

const address = (family: Family) =>
  v.optional(
    v.pipe(
      v.string(),
      v.transform((text) => addressIn(text, family)),
    ),
  );

const headSchema = v.object({
  version: v.literal(1),
  store: v.string(),
  node: v.string(),
  savedAt: v.pipe(v.string(), v.isoTimestamp()),
  publicIp: address(4),
  publicIpV6: address(6),
});

/** The file of one node. */
export class LeaseFile {
  readonly #options: LeaseFileOptions;
  readonly #path: string;
  /** The hash of what stands in the file, but for its first line, which has the time. */
  #written: number | bigint | undefined;

  constructor(options: LeaseFileOptions) {
    this.#options = options;
    this.#path = `${options.directory}/${LEASE_FILE}`;
  }

  /** What was saved. A file that is of no use is set aside, with a line for the log. */
  load(): { readonly remembered: Remembered | undefined; readonly warning: string | undefined } {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      const isNone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      return {
        remembered: undefined,
        warning: isNone ? undefined : `Cannot read ${this.#path}: ${reasonOf(error)}`,
      };
    }
    const remembered = this.#parse(text);
    if (typeof remembered === 'string') return { remembered: undefined, warning: this.#setAside(remembered) };
    this.#written = Bun.hash(text.slice(text.indexOf('\n')));
    return { remembered, warning: undefined };
  }

  /** Writes what is not written yet, or all if only the time is new; times are milliseconds since the epoch. */
  save(memory: Memory, { atMs, isTimeNews }: SavedAt): Problem | undefined {
    const { store, node, directory } = this.#options;
    const { ipv4, ipv6 } = memory.addresses;
    const own = memory.own === undefined ? '' : lineOf(memory.own);
    const body = `${['', own, ...linesOf(memory.peers)].join('\n')}\n`;
    const hash = Bun.hash(body);
    if (hash === this.#written && !isTimeNews) return undefined;
    const savedAt = new Date(atMs).toISOString();
    const head = JSON.stringify({ version: 1, store, node, savedAt, publicIp: ipv4, publicIpV6: ipv6 });
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      writeAtomically(this.#path, { text: `${head}${body}`, mode: 0o600 });
      this.#written = hash;
      return undefined;
    } catch (error) {
      return problem('state-unwritable', `Cannot save ${this.#path}: ${reasonOf(error)}`);
    }
  }

  /** What the text says, or why it is of no use. */
  #parse(text: string): Remembered | string {
    const { store, node } = this.#options;
    if (text.length > BYTES_MAX || !text.endsWith('\n')) return 'is damaged';
    const [head = '', own = '', ...peers] = text.slice(0, -1).split('\n');
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), headSchema), head);
    if (!parsed.success) return 'is damaged, or of another version';
    const { savedAt, publicIp, publicIpV6, ...whose } = parsed.output;
    if (whose.node !== node || whose.store !== store)
      return `is that of node ${quoted(whose.node)} with leases from ${quoted(whose.store)}`;
    return {
      own: own === '' ? undefined : leaseIn(own, 0),
      peers: peers.map((line, order) => leaseIn(line, order)),
      addresses: { ipv4: publicIp, ipv6: publicIpV6 },
      savedAtMs: Date.parse(savedAt),
    };
  }

  #setAside(why: string): string {
    const aside = `${this.#path}.corrupt`;
    try {
      renameSync(this.#path, aside);
      return `${this.#path} ${why}; it was set aside as ${aside}`;
    } catch {
      return `${this.#path} ${why}, and cannot be set aside`;
    }
  }
}

/** A table of leases has them as lines already: thousands need not become objects for that. */
function linesOf(peers: LeaseLookup): Iterable<string> {
  return peers.lines?.() ?? [...peers.keys()].flatMap((name) => peers.get(name) ?? []).map(lineOf);
}

/** Names and addresses hold neither tabs nor line ends: they were checked where they came in. */
function lineOf({ node, backendType, ipv4, ipv6 }: Lease): string {
  return [node, backendType, ...fieldsOf(ipv4), ...fieldsOf(ipv6)].join('\t');
}

function fieldsOf(half: LeaseFamily | undefined): readonly (string | number)[] {
  return [half?.subnet ?? '', half?.publicIp ?? '', half?.vtep?.vni ?? '', half?.vtep?.mac ?? ''];
}

function leaseIn(line: string, order: number): RawLease {
  const fields = line.split('\t');
  const [node = '', backendType = ''] = fields;
  const ipv4 = attributesIn(fields.slice(2, 6), 4);
  const ipv6 = attributesIn(fields.slice(6, 10), 6);
  const [subnet = '', subnetV6 = ''] = [fields[2], fields[6]];
  return {
    node,
    order,
    subnet: subnet === '' ? undefined : subnet,
    subnetV6: subnetV6 === '' ? undefined : subnetV6,
    attributes: ok({ backendType, ipv4, ipv6 }),
  };
}

function attributesIn([, ip = '', vni = '', mac = '']: readonly string[], family: Family): FamilyAttributes {
  const vtepMac = parseMac(mac);
  return {
    publicIp: addressIn(ip, family),
    vtep: vtepMac === undefined ? undefined : { vni: Number(vni), mac: vtepMac },
    fault: undefined,
  };
}

/** An address of this family; one of the other is none. */
function addressIn(text: string, family: Family): Ip | undefined {
  const ip = parseIp(text);
  return ip !== undefined && familyOf(ip) === family ? ip : undefined;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
