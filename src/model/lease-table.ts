/**
 * Many leases in little room: each is a line of text in one buffer, made an object again when somebody asks.
 * 5,000 leases as objects take some 9 MB with their maps, in here below 1 MB.
 *
 * @module
 */
import { HashIndex, hashText } from './hash-index.ts';
import type { Ip, Mac, Prefix } from './ip.ts';
import type { Lease, LeaseFamily } from './lease.ts';

const BYTES_MIN = 4_096;
const ROWS_MIN = 16;

/** Leases by node name. Each has an ordinal that is its own for as long as it is in the table. */
export class LeaseTable {
  readonly #byNode = new HashIndex();
  readonly #free: number[] = [];
  #bytes = Buffer.allocUnsafeSlow(BYTES_MIN);
  /** Where each row's text begins, and its length; 0 for a free row. */
  #starts = new Uint32Array(ROWS_MIN);
  #lengths = new Uint32Array(ROWS_MIN);
  /** The end of the texts, and how many bytes before it belong to no row. */
  #end = 0;
  #waste = 0;
  #rows = 0;

  get size(): number {
    return this.#byNode.size;
  }

  /** A node's ordinal, or -1. */
  ordinalOf(node: string): number {
    return this.#byNode.find(hashText(node), (ordinal) => this.#nodeAt(ordinal) === node);
  }

  /** The lease in a row, if there is one. */
  at(ordinal: number): Lease | undefined {
    const text = this.#textAt(ordinal);
    return text === '' ? undefined : decode(text);
  }

  get(node: string): Lease | undefined {
    return this.at(this.ordinalOf(node));
  }

  has(node: string): boolean {
    return this.ordinalOf(node) >= 0;
  }

  /** The names of all nodes. The table may change while they are read. */
  *keys(): Generator<string> {
    for (const ordinal of this.ordinals()) yield this.#nodeAt(ordinal);
  }

  /** The ordinals of all rows in use. The table may change while they are read. */
  *ordinals(): Generator<number> {
    for (let ordinal = 0; ordinal < this.#rows; ordinal++) if (this.#lengths[ordinal] !== 0) yield ordinal;
  }

  /** All leases as lines of text, such as can be kept. */
  *lines(): Generator<string> {
    for (const ordinal of this.ordinals()) yield this.#textAt(ordinal);
  }

  /** Whether a row says just this. */
  equals(ordinal: number, lease: Lease): boolean {
    return this.#textAt(ordinal) === encode(lease);
  }

  /** Enters a lease, in place of the node's former one. Gives back its ordinal. */
  set(lease: Lease): number {
    const known = this.ordinalOf(lease.node);
    const ordinal = known >= 0 ? known : this.#newRow(lease.node);
    const text = encode(lease);
    const length = Buffer.byteLength(text);
    this.#waste += this.#lengths[ordinal] ?? 0;
    this.#lengths[ordinal] = 0;
    this.#makeRoom(length);
    this.#bytes.write(text, this.#end, 'utf8');
    this.#starts[ordinal] = this.#end;
    this.#lengths[ordinal] = length;
    this.#end += length;
    return ordinal;
  }

  /** Takes a node's lease out, if it has one. Its ordinal will be another's. */
  delete(node: string): boolean {
    const ordinal = this.ordinalOf(node);
    if (ordinal < 0) return false;
    this.#byNode.remove(hashText(node), ordinal);
    this.#waste += this.#lengths[ordinal] ?? 0;
    this.#lengths[ordinal] = 0;
    this.#free.push(ordinal);
    return true;
  }

  #nodeAt(ordinal: number): string {
    const text = this.#textAt(ordinal);
    return text.slice(0, text.indexOf('\t'));
  }

  #textAt(ordinal: number): string {
    const length = this.#lengths[ordinal] ?? 0;
    if (length === 0) return '';
    const start = this.#starts[ordinal] ?? 0;
    return this.#bytes.toString('utf8', start, start + length);
  }

  #newRow(node: string): number {
    const ordinal = this.#free.pop() ?? this.#rows++;
    if (ordinal >= this.#starts.length) {
      this.#starts = grown(this.#starts);
      this.#lengths = grown(this.#lengths);
    }
    this.#byNode.insert(hashText(node), ordinal);
    return ordinal;
  }

  /** Moves the texts together, into a larger buffer if they fill more than half of this one. */
  #makeRoom(length: number): void {
    if (this.#end + length <= this.#bytes.length) return;
    const used = this.#end - this.#waste + length;
    let size = BYTES_MIN;
    while (size < used * 1.5) size *= 2;
    const bytes = Buffer.allocUnsafeSlow(size);
    let end = 0;
    for (let ordinal = 0; ordinal < this.#rows; ordinal++) {
      const start = this.#starts[ordinal] ?? 0;
      const copied = this.#bytes.copy(bytes, end, start, start + (this.#lengths[ordinal] ?? 0));
      this.#starts[ordinal] = end;
      end += copied;
    }
    this.#bytes = bytes;
    this.#end = end;
    this.#waste = 0;
  }
}

function grown(column: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(column.length * 2);
  larger.set(column);
  return larger;
}

/** Names and addresses hold no tab: names are checked where they enter. */
function encode({ node, backendType, ipv4, ipv6 }: Lease): string {
  return `${node}\t${backendType}\t${encodeFamily(ipv4)}\t${encodeFamily(ipv6)}`;
}

function encodeFamily(family: LeaseFamily | undefined): string {
  if (family === undefined) return '\t\t\t';
  const { subnet, publicIp, vtep } = family;
  return `${subnet}\t${publicIp}\t${vtep?.vni ?? ''}\t${vtep?.mac ?? ''}`;
}

function decode(text: string): Lease {
  const fields = text.split('\t');
  const [node = '', backendType = ''] = fields;
  return { node, backendType, ipv4: decodeFamily(fields, 2), ipv6: decodeFamily(fields, 6) };
}

/** The fields are {@link encode}'s own, so they are of the types that went in. */
function decodeFamily(fields: readonly string[], from: number): LeaseFamily | undefined {
  const subnet = fields[from] as Prefix;
  if (subnet === '') return undefined;
  const mac = fields[from + 3] as Mac;
  const vtep = mac === '' ? undefined : { vni: Number(fields[from + 2]), mac };
  return { subnet, publicIp: fields[from + 1] as Ip, vtep };
}
