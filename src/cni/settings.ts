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

/** Sets one. */
export function setSysctl(name: string, value: string): void {
  if (!isSet(name, value)) need(`set ${name} to ${value}`, writeFile(`/proc/sys/${name}`, { text: value }));
}

/** Whether one is so. */
export function isSet(name: string, value: string): boolean {
  return settingOf(`/proc/sys/${name}`) === value;
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
