/**
 * Where kube-apiserver and etcd are: `KUBEBUILDER_ASSETS`, as envtest has it, else where `npm run test:kube` builds them.
 *
 * @module
 */
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { DemoFailure } from '../failure.ts';
import type { ServerPrograms } from './control-plane.ts';

/**
 * The programs, of several builds those of the newest.
 *
 * @throws DemoFailure if there are none
 */
export function findPrograms(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ServerPrograms {
  const { KUBEBUILDER_ASSETS: assets, XDG_CACHE_HOME: caches = join(homedir(), '.cache') } = environment;
  const [directory = undefined] = assets === undefined ? builds(join(caches, 'flannelette')) : [assets];
  const found = directory === undefined ? undefined : programsIn(directory);
  if (found !== undefined) return found;
  throw new DemoFailure(
    assets === undefined
      ? 'There is no kube-apiserver on this machine'
      : `KUBEBUILDER_ASSETS names '${assets}', which does not hold kube-apiserver and etcd`,
    [
      "Let 'npm run test:kube' build it, or name a directory that holds kube-apiserver and etcd in KUBEBUILDER_ASSETS",
    ],
  );
}

/** Newest first. */
function builds(directory: string): string[] {
  try {
    const all = readdirSync(directory).filter((name) => /^kube-v.*-[0-9a-f]{12}$/.test(name));
    const paths = all.map((name) => join(directory, name));
    return paths.toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  } catch {
    return [];
  }
}

function programsIn(directory: string): ServerPrograms | undefined {
  const programs = { apiserver: join(directory, 'kube-apiserver'), etcd: join(directory, 'etcd') };
  try {
    for (const path of Object.values(programs)) accessSync(path, constants.X_OK);
    return programs;
  } catch {
    return undefined;
  }
}
