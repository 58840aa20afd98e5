import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/clock.ts';
import { FileWatch } from '../../../src/kernel/file-watch.ts';

test('FileWatch tells what it finds when it begins, and hears writing, replacement and removal', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'flannelette-watch-'));
  const run = join(directory, 'run');
  const path = join(run, 'subnet.env');
  const heard: string[] = [];
  const watch = new FileWatch({
    path,
    clock: systemClock,
    moved: ({ object }, gone) =>
      heard.push(gone ? 'gone' : object.kind === 'file' ? object.text : object.kind),
  });
  const untilHeard = async (text: string) => {
    while (heard.at(-1) !== text) await Bun.sleep(1);
  };
  try {
    watch.ensure();
    expect(heard).toEqual([]);
    mkdirSync(run);
    writeFileSync(path, 'spoilt before anybody watched');
    watch.ensure();
    expect(heard).toEqual(['spoilt before anybody watched']);
    writeFileSync(path, 'one');
    await untilHeard('one');
    writeFileSync(`${path}.tmp`, 'two');
    renameSync(`${path}.tmp`, path);
    await untilHeard('two');
    rmSync(path);
    await untilHeard('gone');
    // Another directory of the same path.
    rmSync(run, { recursive: true });
    mkdirSync(run);
    writeFileSync(path, 'three');
    watch.ensure();
    await untilHeard('three');
  } finally {
    watch.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
