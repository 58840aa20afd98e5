/**
 * How the sources become the program, apart from where it goes.
 *
 * @module
 */
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '..');

/**
 * Options of the bundler. Splitting keeps what a command does not load from being parsed. Medians of 60
 * starts, in milliseconds, with the whole program in the executable (a busy x64 machine):
 *
 *     command                     neither   bytecode   splitting   both
 *     version                       25.1        9.7         5.5     5.0
 *     run, refused for its flags    34.4       15.9        25.5    14.0
 */
export const BUNDLE = {
  entrypoints: [join(ROOT, 'src/main.ts')],
  root: ROOT,
  target: 'bun',
  format: 'esm',
  minify: true,
  splitting: true,
} as const;

/** Whether the executable holds bytecode beside the text; see {@link BUNDLE} for what it gains. */
export const BYTECODE = true;
