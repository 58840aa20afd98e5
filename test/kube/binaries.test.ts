import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findBinaries } from './binaries.ts';

/** What the preparation says in an environment in which nothing is cached and no program found. */
function prepare(environment: Readonly<Record<string, string>>): { status: number; said: string } {
  const empty = mkdtempSync(join(tmpdir(), 'flannelette-kube-'));
  try {
    const { exitCode, stdout, stderr } = Bun.spawnSync(
      [process.execPath, join(import.meta.dir, 'prepare.ts')],
      {
        env: { HOME: empty, XDG_CACHE_HOME: empty, PATH: empty, ...environment },
        stderr: 'pipe',
      },
    );
    return { status: exitCode, said: `${stdout}${stderr}` };
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
}

test('without Go one line says what is missing, and what would do', () => {
  const { status, said } = prepare({});
  expect(status).toBe(1);
  expect(said).toMatch(/^The tests with Kubernetes need Go, .* KUBEBUILDER_ASSETS\n$/);
});

test('KUBEBUILDER_ASSETS is taken as it is, without Go', () => {
  expect(prepare({ KUBEBUILDER_ASSETS: dirname(findBinaries().etcd) })).toEqual({ status: 0, said: '' });
  const { status, said } = prepare({ KUBEBUILDER_ASSETS: '/nowhere' });
  expect(status).toBe(1);
  expect(said).toMatch(/^There is no kube-apiserver .* KUBEBUILDER_ASSETS names '\/nowhere'\n$/);
});
