import { expect, test } from 'bun:test';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DemoFailure } from '../../../src/cli/demo/failure.ts';
import { findPrograms } from '../../../src/cli/demo/kube/programs.ts';
import { roleObjects } from '../../../src/cli/demo/kube/roles.ts';
import { requireStore } from '../../../src/cli/demo/store.ts';

function failureOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof DemoFailure) return [error.message, ...error.details];
    throw error;
  }
  return [];
}

test('a store that cannot be had is said before anything is made, with a remedy', () => {
  expect(() => requireStore({ store: 'sqlite' }, '/nowhere')).not.toThrow();
  expect(failureOf(() => requireStore({ store: 'etcd' }, '/nowhere'))).toEqual([
    'There is no etcd on this machine',
    'Install it: apt install etcd-server',
  ]);
  const remedy =
    "Let 'npm run test:kube' build it, or name a directory that holds kube-apiserver and etcd in KUBEBUILDER_ASSETS";
  expect(failureOf(() => findPrograms({ XDG_CACHE_HOME: '/nowhere' }))).toEqual([
    'There is no kube-apiserver on this machine',
    remedy,
  ]);
  expect(failureOf(() => findPrograms({ KUBEBUILDER_ASSETS: '/nowhere' }))).toEqual([
    "KUBEBUILDER_ASSETS names '/nowhere', which does not hold kube-apiserver and etcd",
    remedy,
  ]);
});

test('kube-apiserver is that of KUBEBUILDER_ASSETS, else the newest that was built here', () => {
  const caches = mkdtempSync(join(tmpdir(), 'flannelette-demo-'));
  try {
    const build = (name: string, seconds: number) => {
      const directory = join(caches, 'flannelette', name);
      mkdirSync(directory, { recursive: true });
      for (const program of ['etcd', 'kube-apiserver']) {
        writeFileSync(join(directory, program), '');
        chmodSync(join(directory, program), 0o700);
      }
      utimesSync(directory, seconds, seconds);
      return { apiserver: join(directory, 'kube-apiserver'), etcd: join(directory, 'etcd') };
    };
    const newest = build('kube-v1.2.3-0123456789ab', 2_000);
    const older = build('kube-v1.10.0-0123456789ab', 1_000);
    build('kube-v1.2.4-0123456789ab.half', 3_000);
    expect(findPrograms({ XDG_CACHE_HOME: caches })).toEqual(newest);
    const assets = join(caches, 'flannelette/kube-v1.10.0-0123456789ab');
    expect(findPrograms({ XDG_CACHE_HOME: caches, KUBEBUILDER_ASSETS: assets })).toEqual(older);
  } finally {
    rmSync(caches, { recursive: true, force: true });
  }
});

test("every object of the agents' rights has the path that it is posted to", () => {
  expect(roleObjects().map(({ path }) => path)).toEqual([
    '/api/v1/namespaces/kube-system/serviceaccounts',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
    '/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles',
    '/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings',
  ]);
});
