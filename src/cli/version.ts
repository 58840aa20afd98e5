/**
 * `flannelette version`: imports nothing, so that it starts at once.
 *
 * @module
 */

/** Put in by `bun build --define`; absent when the sources run as they are. */
declare const FLANNELETTE_VERSION: string;

/** The version of this build. */
export const VERSION: string = typeof FLANNELETTE_VERSION === 'string' ? FLANNELETTE_VERSION : '0.0.0-dev';

const USAGE = `Usage: flannelette version [--json]

Prints the version of this executable, the Bun that it was built with, and its architecture.`;

/** Where a short command prints; each call is one text without its line end. */
export interface VersionOutput {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** `console` and not `process.stdout`: the latter takes 8 ms to load, more than all the rest of the command. */
const CONSOLE: VersionOutput = { stdout: console.log, stderr: console.error };

/**
 * Runs `flannelette version` with what follows the command's name.
 *
 * @returns the exit status: 0, or 1 for an argument that it does not know
 */
export function versionCommand(args: readonly string[], output: VersionOutput = CONSOLE): number {
  const unknown = args.find((arg) => !/^--?(json|help)$|^-h$/.test(arg));
  if (unknown !== undefined) {
    output.stderr(`Unknown argument '${unknown}'\n\n${USAGE}`);
    return 1;
  }
  if (args.some((arg) => /^--?h(elp)?$/.test(arg))) output.stdout(USAGE);
  else output.stdout(args.length > 0 ? versionJson() : versionText());
  return 0;
}

function versionText(): string {
  return `flannelette ${VERSION} (Bun ${Bun.version}, linux/${process.arch})`;
}

function versionJson(): string {
  return JSON.stringify({ version: VERSION, bun: Bun.version, os: 'linux', arch: process.arch });
}
