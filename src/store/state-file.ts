/**
 * What a node remembers of itself: a small file in the state directory, written only when it changes.
 *
 * @module
 */
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
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
}

/** A node that has never run. */
export const EMPTY_STATE: NodeState = { macIpv4: undefined, macIpv6: undefined, links: [] };

const macSchema = v.optional(
  v.pipe(
    v.string(),
    v.transform((text) => parseMac(text)),
  ),
);

const stateSchema = v.object({
  version: v.literal(1),
  vtepMac: macSchema,
  vtepMacV6: macSchema,
  links: v.optional(
    v.pipe(v.array(v.pipe(v.string(), v.maxLength(15), v.regex(/^flannel(-v6)?\.\d+$/))), v.maxLength(16)),
    [],
  ),
});

/** The file `node.json` of a state directory. */
export class StateFile {
  readonly #path: string;
  readonly #directory: string;
  #written: string | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.#path = `${directory}/node.json`;
  }

  /** The state as it was saved; a file that cannot be used is set aside, with a line for the log. */
  load(): { readonly state: NodeState; readonly warning: string | undefined } {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch {
      return { state: EMPTY_STATE, warning: undefined };
    }
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), stateSchema), text);
    if (!parsed.success) return { state: EMPTY_STATE, warning: this.#setAside() };
    this.#written = text;
    const { vtepMac, vtepMacV6, links } = parsed.output;
    return { state: { macIpv4: vtepMac, macIpv6: vtepMacV6, links }, warning: undefined };
  }

  /** Writes the state if it differs from what is there. */
  save({ macIpv4, macIpv6, links }: NodeState): Problem | undefined {
    const text = `${JSON.stringify({ version: 1, vtepMac: macIpv4, vtepMacV6: macIpv6, links })}\n`;
    if (text === this.#written) return undefined;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      writeAtomically(this.#path, { text, mode: 0o600 });
      this.#written = text;
      return undefined;
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      return problem('state-unwritable', `Cannot save ${this.#path}: ${cause}`);
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
