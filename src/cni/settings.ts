/**
 * Settings below /proc/sys, of the namespace that the thread is in.
 *
 * @module
 */
import { readFile, writeFile } from '../../ffi/files.ts';
import type { Setting } from '../plan/pod.ts';
import { need } from './io.ts';

/** Sets what is not so yet: /proc/sys is read-only in some containers. Throws {@link CniAbort} where it cannot be. */
export function setAll(settings: readonly Setting[]): void {
  for (const { name, value } of settings) setSysctl(name, value);
}

/** Sets one, and gives back whether it was not so. */
export function setSysctl(name: string, value: string): boolean {
  const path = `/proc/sys/${name}`;
  if (settingOf(path) === value) return false;
  need(`set ${name} to ${value}`, writeFile(path, { text: value }));
  return true;
}

/** What differs, one sentence each. */
export function differingSettings(settings: readonly Setting[]): string[] {
  return settings.flatMap(({ name, value }) => {
    const there = settingOf(`/proc/sys/${name}`);
    return there === value ? [] : [`${name} is ${there ?? 'not there'}, not ${value}`];
  });
}

function settingOf(path: string): string | undefined {
  const text = readFile(path);
  return typeof text === 'string' ? text.trim() : undefined;
}
