/**
 * What a node remembers of itself: a small file in the state directory, written only when it changes.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import * as v from 'valibot';
import { type Mac, parseMac } from '../model/ip.ts';
import { type Problem, problem } from '../model/problem.ts';
import { writeAtomically } from '../write-file.ts';

/** The state of one node. */
export interface NodeState {
  /** The addresses of its VTEP devices: peers have them in their tables, so they outlive restarts. */
  readonly macIpv4: Mac | undefined;
  readonly macIpv6: Mac | undefined;
  /** The devices that it has made: what the configuration does not name any more is removed. */
  readonly links: readonly string[];
  /** The SHA-256 of the subnet.env that it last wrote, in hexadecimal digits: flanneld's has the same form. */
  readonly subnetEnvDigest: string | undefined;
}

/** A node that has never run. */
export const EMPTY_STATE: NodeState = {
  macIpv4: undefined,
  macIpv6: undefined,
  links: [],
  subnetEnvDigest: undefined,
};

const macSchema = v.optional(v.pipe(v.string(), v.transform(parseMac)));

const linkName = v.pipe(v.string(), v.maxLength(15), v.regex(/^flannel(-v6)?\.\d+$/));

const stateSchema = v.object({
  version: v.literal(1),
  vtepMac: macSchema,
  vtepMacV6: macSchema,
  links: v.optional(v.pipe(v.array(linkName), v.maxLength(16)), []),
  subnetEnv: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
});

/** What a state directory says of its node. */
export type StateReading =
  | { readonly kind: 'none' }
  | { readonly kind: 'state'; readonly state: NodeState; readonly text: string }
  | { readonly kind: 'damaged' }
  /** The system's words. */
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Reads the state of a node and changes nothing. */
export function readState(directory: string): StateReading {
  let text: string;
  try {
    text = readFileSync(stateFileOf(directory), 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? { kind: 'none' }
      : { kind: 'unreadable', reason: reasonOf(error) };
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), stateSchema), text);
  if (!parsed.success) return { kind: 'damaged' };
  const { vtepMac: macIpv4, vtepMacV6: macIpv6, links, subnetEnv: subnetEnvDigest } = parsed.output;
  return { kind: 'state', state: { macIpv4, macIpv6, links, subnetEnvDigest }, text };
}

/** What the state remembers of the text of a subnet.env. */
export function digestOf(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('hex');
}

/** Whether a file of this name in a state directory is one that this program makes there. */
export function isStateFileName(name: string): boolean {
  return /^(?:node\.json|leases\.tsv|cni\.json)(?:\.corrupt|\.\d+\.tmp)?$/.test(name);
}

function stateFileOf(directory: string): string {
  return `${directory}/node.json`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The file `node.json` of a state directory. */
export class StateFile {
  readonly #path: string;
  readonly #directory: string;
  #written: string | undefined;
  #subnetEnvDigest: string | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.#path = stateFileOf(directory);
  }

  /** The state as it was saved; a file that cannot be used is set aside, with a line for the log. */
  load(): { readonly state: NodeState; readonly warning: string | undefined } {
    const reading = readState(this.#directory);
    switch (reading.kind) {
      case 'state':
        this.#written = reading.text;
        this.#subnetEnvDigest = reading.state.subnetEnvDigest;
        return { state: reading.state, warning: undefined };
      case 'damaged':
        return { state: EMPTY_STATE, warning: this.#setAside() };
      default:
        return { state: EMPTY_STATE, warning: undefined };
    }
  }

  /** Writes the state if it differs from what is there. Without a digest, that of the file written last stays. */
  save({
    macIpv4: vtepMac,
    macIpv6: vtepMacV6,
    links,
    subnetEnvDigest: subnetEnv,
  }: NodeState): Problem | undefined {
    this.#subnetEnvDigest = subnetEnv ?? this.#subnetEnvDigest;
    const state = { version: 1, vtepMac, vtepMacV6, links, subnetEnv: this.#subnetEnvDigest };
    const text = `${JSON.stringify(state)}\n`;
    if (text === this.#written && existsSync(this.#path)) return undefined;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      writeAtomically(this.#path, { text, mode: 0o600 });
      this.#written = text;
      return undefined;
    } catch (error) {
      return problem('state-unwritable', `Cannot save ${this.#path}: ${reasonOf(error)}`);
    }
  }

  #setAside(): string {
    const aside = `${this.#path}.corrupt`;
    try {
      renameSync(this.#path, aside);
      return `State file ${this.#path} is damaged; it was set aside as ${aside}`;
    } catch {
      return `State file ${this.#path} is damaged and cannot be set aside`;
    }
  }
}
