/**
 * Runs CNI plugins as a container runtime does: ours under the names that it answers to, and the reference's.
 *
 * @module
 */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Netns } from '../../ffi/netns.ts';

const EXECUTABLE = join(import.meta.dir, '../../dist/flannelette');

/** Where Debian's `containernetworking-plugins` are. */
export const REFERENCE = '/usr/lib/cni';

/** A directory with our plugins in it, as links to the executable. */
export interface PluginFolder extends Disposable {
  readonly path: string;
}

/** Makes it: `using ours = installPlugins(['loopback'])`. */
export function installPlugins(names: readonly string[]): PluginFolder {
  const path = mkdtempSync(join(tmpdir(), 'flannelette-cni-'));
  for (const name of names) symlinkSync(EXECUTABLE, join(path, name));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The path of a namespace that this process holds open. */
export function pathOf(netns: Netns): string {
  return `/proc/${process.pid}/fd/${netns.fd}`;
}

/** One call. */
export interface PluginCall {
  readonly program: string;
  readonly verb: string;
  readonly netns: string;
  readonly config: object;
  /** Over the usual ones; one that is `undefined` is left out. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** In the place of the configuration. */
  readonly stdin?: string | Uint8Array;
  /** What stands before the program. */
  readonly wrapper?: readonly string[];
}

/** What came of it. */
export interface PluginOutcome {
  readonly status: number | null;
  /** What it printed as JSON, or `undefined` if it printed nothing. */
  readonly told: unknown;
}

/** Makes one call. */
export function callPlugin({
  program,
  verb,
  netns,
  config,
  variables = {},
  stdin,
  wrapper = [],
}: PluginCall): PluginOutcome {
  const { exitCode, stdout } = Bun.spawnSync([...wrapper, program], {
    stdin: Buffer.from(stdin ?? JSON.stringify(config)),
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      CNI_COMMAND: verb,
      CNI_CONTAINERID: 'pod-1',
      CNI_NETNS: netns,
      CNI_IFNAME: 'eth0',
      CNI_PATH: REFERENCE,
      ...variables,
    },
  });
  const text = stdout.toString();
  const told: unknown = text === '' ? undefined : JSON.parse(text);
  return { status: exitCode, told };
}
