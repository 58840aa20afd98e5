/** The child that reads kubeconfigs, as a process. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flannelette-credentials-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('nothing of a kubeconfig that cannot be read is shown: there are secrets in it', async () => {
  const path = join(directory, 'broken');
  // The parser shows the lines around the fault, from the third before it on.
  writeFileSync(path, 'users:\n- name: a\n  user:\n    token: SECRET\n    x: 1\n    y: 2\n   z: 3\n');
  const main = join(import.meta.dir, '../../../../src/main.ts');
  const child = Bun.spawn([process.execPath, main, 'kube-credentials', path], { stderr: 'ignore' });
  const answer = await child.stdout.text();
  expect(answer).toContain('is no kubeconfig: bad indentation');
  expect(answer).not.toContain('SECRET');
});
