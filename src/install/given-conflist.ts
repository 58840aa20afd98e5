/**
 * The conflist that an operator gives with `--cni-conf-file`.
 *
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { type ConfigError, invalid } from '../config/error.ts';
import { fail, ok, type Result } from '../model/result.ts';
import { pluginTypes } from './conflist.ts';

/** Far more than any has; what is larger is another file. */
const BYTES_MAX = 1 << 20;

/** Reads it; a mistake ends the start. `key` is where the path came from. */
export function readGivenConflist(path: string, key: string): Result<string, ConfigError> {
  let text: string;
  try {
    // What is no file may have no end, or never begin.
    const stat = statSync(path);
    if (!stat.isFile()) throw new Error('not a regular file');
    if (stat.size > BYTES_MAX) throw new Error(`${stat.size} bytes`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const value = `${path} (${error instanceof Error ? error.message : String(error)})`;
    return fail(invalid({ key, value }, 'a readable conflist'));
  }
  if (pluginTypes(text) !== undefined) return ok(text);
  return fail(
    invalid({ key, value: path }, 'a CNI configuration list: JSON with name and plugins, each with a type'),
  );
}
