/**
 * The programs of the tests with containerd: Debian's, and those that Go builds from the modules that
 * `test/containerd/tool` pins: `cri` makes calls to a CRI socket; `cnitool` and `cnigc` call plugins as a runtime does
 * that speaks CNI 1.1, which Debian's containerd does not.
 *
 * @module
 */
import { join } from 'node:path';
import { BinariesMissing, buildGoPrograms, type GoSource, goCache, programIn } from '../go-programs.ts';

/** Debian's packages, each with a program that shows that it is there. */
const PACKAGES = { containerd: 'containerd', runc: 'runc', 'busybox-static': 'busybox' };

const SOURCE: GoSource = {
  folder: join(import.meta.dir, 'tool'),
  name: 'cri',
  module: 'k8s.io/cri-api',
  title: 'the CRI client and cnitool',
  packages: { cri: './cri', cnigc: './cnigc', cnitool: 'github.com/containernetworking/cni/cnitool' },
  withoutGo:
    'The tests with containerd need Go, to build a CRI client and cnitool, and there is no `go` on the PATH: install it',
};

/** The programs that Go builds. */
export interface Binaries {
  readonly cri: string;
  readonly cnigc: string;
  readonly cnitool: string;
}

/** The programs, if they are there. Throws `BinariesMissing` if not. */
export function findBinaries(): Binaries {
  const find = (program: string) =>
    programIn(goCache(SOURCE), { program, whose: '`npm run test:containerd` has not built it yet in' });
  return { cri: find('cri'), cnigc: find('cnigc'), cnitool: find('cnitool') };
}

/** Says what is missing of Debian's and of rights, and builds the rest unless it is there. */
export async function prepareBinaries(say: (text: string) => void): Promise<void> {
  const { PATH = '' } = process.env;
  const isMissing = (program: string) => Bun.which(program, { PATH: `${PATH}:/usr/sbin:/sbin` }) === null;
  const missing = Object.entries(PACKAGES).flatMap(([name, program]) => (isMissing(program) ? [name] : []));
  // Not installed here: on most machines that would start a containerd that nobody asked for.
  if (missing.length > 0)
    throw new BinariesMissing(
      `The tests with containerd need Debian packages that are not installed: apt-get install ${missing.join(' ')}`,
    );
  if (process.getuid?.() !== 0)
    throw new BinariesMissing('The tests with containerd need root: runc makes cgroups and mounts');
  await buildGoPrograms(SOURCE, say);
}
