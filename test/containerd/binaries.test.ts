import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the preparation says where only these programs are found and nothing is cached. */
function prepare(programs: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'flannelette-containerd-'));
  try {
    for (const program of programs) symlinkSync('/bin/true', join(folder, program));
    const { exitCode, stderr } = Bun.spawnSync([process.execPath, join(import.meta.dir, 'prepare.ts')], {
      env: { HOME: folder, XDG_CACHE_HOME: folder, PATH: folder },
      stderr: 'pipe',
    });
    expect(exitCode).toBe(1);
    return stderr.toString();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('one line says what is missing', () => {
  expect(prepare(['runc', 'busybox'])).toMatch(/^The tests with containerd need .* install containerd\n$/);
  expect(prepare(['containerd', 'runc', 'busybox'])).toMatch(/^The tests with containerd need Go, .*\n$/);
});
