/**
 * Where the cluster's programs come from: `KUBEBUILDER_ASSETS`, as envtest has it, else built by Go from the modules
 * that `test/kube/tool` pins.
 *
 * @module
 */
import { join } from 'node:path';
import { buildGoPrograms, type GoSource, goCache, pinnedVersion, programIn } from '../go-programs.ts';

const TOOL = join(import.meta.dir, 'tool');
const MODULE = 'k8s.io/kubernetes';

/** The programs that a cluster is started from. */
export interface Binaries {
  readonly apiserver: string;
  readonly etcd: string;
  readonly kubectl: string;
}

/** The programs, if they are there. Throws `BinariesMissing` if not. */
export function findBinaries(): Binaries {
  const { KUBEBUILDER_ASSETS: assets } = process.env;
  if (assets !== undefined) return binariesIn(assets, 'KUBEBUILDER_ASSETS names');
  return binariesIn(goCache(source()), '`npm run test:kube` has not built it yet in');
}

/** Builds the programs unless they are there. What is going on is told to `say`, in parts of lines. */
export async function prepareBinaries(say: (text: string) => void): Promise<Binaries> {
  const { KUBEBUILDER_ASSETS: assets } = process.env;
  if (assets === undefined) await buildGoPrograms(source(), say);
  return findBinaries();
}

function binariesIn(directory: string, whose: string): Binaries {
  const find = (program: string) => programIn(directory, { program, whose });
  return { apiserver: find('kube-apiserver'), etcd: find('etcd'), kubectl: find('kubectl') };
}

function source(): GoSource {
  return {
    folder: TOOL,
    name: 'kube',
    module: MODULE,
    title: 'Kubernetes',
    packages: {
      'kube-apiserver': `${MODULE}/cmd/kube-apiserver`,
      kubectl: `${MODULE}/cmd/kubectl`,
      etcd: 'go.etcd.io/etcd/server/v3',
    },
    linkerFlags: versionFlags(pinnedVersion(TOOL, MODULE)),
    withoutGo:
      'The tests with Kubernetes need Go, to build kube-apiserver, kubectl and etcd, and there is no `go` on the ' +
      'PATH: install it, or name a directory that holds the three in KUBEBUILDER_ASSETS',
  };
}

/** An apiserver of no version takes itself for an old one. */
function versionFlags(version: string): string {
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)\./.exec(version) ?? [];
  const facts = { gitVersion: version, gitMajor: major, gitMinor: minor };
  return Object.entries(facts)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(' ');
}
