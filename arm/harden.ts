/**
 * Makes a copy of the Bun runtime deaf to the environment variables by which anyone who starts the
 * executable could make it run code of theirs, listen for a debugger, or write files.
 *
 * The runtime reads them before any JavaScript of ours, so no code of ours can refuse them. But it looks each
 * up by a name that stands once in its pool of C strings. With the first byte of that name zeroed the lookup
 * is for the empty name, which no environment holds. Only the first byte is touched, since the linker lets
 * other strings share the tail of one.
 *
 * This is no fence against someone who may set `LD_PRELOAD`. It keeps what a person, a base image or a
 * supervisor left in the environment from turning a network agent into a script host.
 *
 * @module
 */

/** How an environment variable is read: a variable's own name, or the name of a JavaScriptCore option. */
type Variable =
  | { readonly name: string; readonly effect: string }
  | { readonly jscOption: string; readonly effect: string };

/**
 * What was seen to have an effect on a compiled program, of all `BUN_*`, `NODE_*` and `BUN_JSC_*` names in
 * Bun 1.4.5. `NODE_OPTIONS` has none. A JavaScriptCore option that is not known any more is refused: the
 * program prints so and ends with status 1.
 *
 * Left as they are, because they only tune or print: the other JavaScriptCore options, `BUN_GC_*`,
 * `BUN_CONFIG_*`, `BUN_FEATURE_FLAG_*`, `MIMALLOC_*`, and the certificates of `NODE_EXTRA_CA_CERTS`.
 */
export const DEAF_TO: readonly Variable[] = [
  { name: 'BUN_OPTIONS', effect: 'runs code (--preload) and writes files (--cpu-prof)' },
  { name: 'BUN_BE_BUN', effect: 'is the Bun command line, which runs any script' },
  { name: 'BUN_INSPECT', effect: 'opens a debugger port' },
  { name: 'BUN_INSPECT_CONNECT_TO', effect: 'connects to a debugger' },
  { name: 'BUN_INSPECT_PRELOAD', effect: 'names code for the debugger to load' },
  { name: 'BUN_BYTECODE_ORDER_OUT', effect: 'replaces any file by a profile' },
  { name: 'BUN_BYTECODE_ORDER_NAMES_OUT', effect: 'replaces any file by a profile' },
  { name: 'BUN_BYTECODE_DIGEST_OUT', effect: 'replaces any file by a profile' },
  { name: 'BUN_ENABLE_CRASH_REPORTING', effect: 'runs curl, which sends crash reports away' },
  { jscOption: 'functionOverrides', effect: 'replaces bodies of functions' },
  { jscOption: 'useJITDump', effect: 'writes files' },
  { jscOption: 'dumpIonGraph', effect: 'writes files' },
  { jscOption: 'samplingProfilerPath', effect: 'writes files' },
];

/** How often each name stands in the string pool. Another count means another runtime than the one we know. */
const COPIES_EXPECTED = 1;

/** The letters before an option's name in the pool: the lookup skips them, so the byte after them counts. */
const JSC_PREFIX = 'JSC_';

/**
 * Zeroes the names in a runtime's image, in place.
 *
 * @throws if a name is not there exactly as often as known, since nobody can say then what remains open
 */
export function harden(image: Buffer): void {
  for (const variable of DEAF_TO) {
    const text = 'name' in variable ? variable.name : `${JSC_PREFIX}${variable.jscOption}`;
    const places = placesOf(image, text);
    if (places.length !== COPIES_EXPECTED) {
      throw new Error(
        `Cannot harden this Bun: '${text}' stands ${places.length} times in it, not ${COPIES_EXPECTED}. ` +
          'Find out anew which environment variables reach a compiled program (arm/harden.ts)',
      );
    }
    for (const at of places) image[at + ('name' in variable ? 0 : JSC_PREFIX.length)] = 0;
  }
}

/** Where a string stands on its own in the image, between two zero bytes. */
function placesOf(image: Buffer, text: string): number[] {
  const places: number[] = [];
  const pattern = Buffer.from(`\0${text}\0`, 'latin1');
  for (let at = image.indexOf(pattern); at >= 0; at = image.indexOf(pattern, at + 1)) places.push(at + 1);
  return places;
}
