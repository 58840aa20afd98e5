/**
 * The image that all containers of the tests are made of, pods' own ones too: Debian's static busybox, alone.
 *
 * @module
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What it is called where it is imported. */
export const IMAGE = 'flannelette.test/busybox:1';

/** Writes it to `archive`, as `docker save` would. It sleeps if it is told nothing else. */
export function writeImage(archive: string): void {
  const folder = `${archive}.parts`;
  const bin = join(folder, 'root/bin');
  mkdirSync(bin, { recursive: true });
  copyFileSync(Bun.which('busybox') ?? '/bin/busybox', join(bin, 'busybox'));
  for (const applet of ['sh', 'sleep', 'echo', 'nc']) symlinkSync('busybox', join(bin, applet));
  const layer = join(folder, 'layer.tar');
  tar(layer, join(folder, 'root'), ['.']);
  const digest = new Bun.CryptoHasher('sha256').update(readFileSync(layer)).digest('hex');
  const parts = {
    'config.json': {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Entrypoint: ['/bin/sleep', '2147483647'], Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    },
    'manifest.json': [{ Config: 'config.json', RepoTags: [IMAGE], Layers: ['layer.tar'] }],
  };
  for (const [name, content] of Object.entries(parts))
    writeFileSync(join(folder, name), JSON.stringify(content));
  tar(archive, folder, [...Object.keys(parts), 'layer.tar']);
  rmSync(folder, { recursive: true });
}

function tar(archive: string, folder: string, names: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(['tar', '-C', folder, '-cf', archive, ...names], {
    stderr: 'pipe',
  });
  if (exitCode !== 0) throw new Error(`Cannot write '${archive}': ${stderr}`);
}
