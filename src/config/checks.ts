/**
 * Checks that settings have in common: paths, addresses, lists and patterns.
 *
 * @module
 */

import { classify, type Family, familyOf, type Ip, parseIp } from '../model/ip.ts';
import { type ConfigError, invalid } from './error.ts';
import { type GivenFlags, keyOf, listOf, textOf } from './flag-values.ts';
import type { FlagNameOf } from './flags.ts';
import { compileGoPattern } from './pattern.ts';

/** One run over the flags. Mistakes are collected, so that each check gives a value and can be an expression. */
export interface Check {
  readonly given: GivenFlags;
  /** The working directory, to which relative paths belong. */
  readonly cwd: string;
  readonly errors: ConfigError[];
  readonly notes: string[];
}

/** An absolute path. `..` is left for the kernel to resolve, which knows about symbolic links. */
export function checkPath(check: Check, name: FlagNameOf<'string'>): string {
  const value = textOf(check.given, name);
  if (value === '' || value.includes('\0')) {
    check.errors.push(invalid({ key: keyOf(check.given, name), value }, 'a path'));
    return '/';
  }
  if (value.startsWith('/')) return value;
  return `${check.cwd.replace(/\/+$/, '')}/${value.replace(/^(?:\.\/+)+/, '')}`;
}

/** The same, or `undefined` if the flag is empty. */
export function checkOptionalPath(check: Check, name: FlagNameOf<'string'>): string | undefined {
  return textOf(check.given, name) === '' ? undefined : checkPath(check, name);
}

/** An absolute path that does not name a directory by its form. */
export function checkFile(check: Check, name: FlagNameOf<'string'>): string {
  const value = textOf(check.given, name);
  if (value !== '' && /(?:^|\/)\.{0,2}$/.test(value)) {
    check.errors.push(invalid({ key: keyOf(check.given, name), value }, 'the path of a file'));
  }
  return checkPath(check, name);
}

/** `sun_path` of `linux/un.h` holds 108 bytes, the final NUL among them. */
const SOCKET_PATH_BYTES_MAX = 107;

/** The path of a Unix socket, which the kernel limits. */
export function checkSocket(check: Check): string {
  const value = checkFile(check, 'socket');
  if (new TextEncoder().encode(value).length > SOCKET_PATH_BYTES_MAX) {
    const expected = `an absolute path of at most ${SOCKET_PATH_BYTES_MAX} bytes`;
    check.errors.push(invalid({ key: keyOf(check.given, 'socket'), value }, expected));
  }
  return value;
}

/** Which flag holds an address, of which families, and whether it is one to listen on. */
export interface AddressCheck {
  readonly name: FlagNameOf<'string'>;
  readonly families: readonly Family[];
  readonly toBind?: boolean;
}

/** An address, or `undefined` if the flag is empty. Unless it is to be bound, one by which others can reach a host. */
export function checkAddress(check: Check, { name, families, toBind = false }: AddressCheck): Ip | undefined {
  const value = textOf(check.given, name);
  if (value === '') return undefined;
  const ip = parseIp(value);
  if (ip !== undefined && families.includes(familyOf(ip)) && isUsable(ip, toBind)) return ip;
  const kind = families.length > 1 ? 'an IPv4 or IPv6 address' : `an IPv${families[0]} address`;
  check.errors.push(
    invalid({ key: keyOf(check.given, name), value }, `${kind}${toBind ? '' : ' of a host'}`),
  );
  return undefined;
}

function isUsable(ip: Ip, toBind: boolean): boolean {
  const kind = classify(ip);
  const reachesOthers = kind !== 'unspecified' && kind !== 'loopback';
  return kind !== 'multicast' && kind !== 'broadcast' && (toBind || reachesOthers);
}

/** A list without its empty entries: a template with an empty variable makes those, and they say nothing. */
export function checkEntries(check: Check, name: FlagNameOf<'list'>): readonly string[] {
  const all = listOf(check.given, name);
  const filled = all.filter((entry) => entry !== '');
  if (filled.length < all.length) check.notes.push(`${keyOf(check.given, name)}: an empty value is skipped`);
  return filled;
}

/** Interfaces by name or address. What can be neither would be waited for for ever. */
export function checkInterfaces(check: Check): readonly string[] {
  const names = checkEntries(check, 'iface');
  const key = keyOf(check.given, 'iface');
  for (const value of names) {
    const ip = parseIp(value);
    const expected =
      ip === undefined
        ? `an IP address or an interface name of at most ${DEVICE_NAME_BYTES_MAX} bytes without '/', ':' and spaces`
        : 'an address of an interface between the nodes';
    if (ip === undefined ? !isDeviceName(value) : !isUsable(ip, false))
      check.errors.push(invalid({ key, value }, expected));
  }
  return names;
}

/** linux/if.h: `IFNAMSIZ` is 16, with the final NUL. */
const DEVICE_NAME_BYTES_MAX = 15;

/** net/core/dev.c: `dev_valid_name`. */
function isDeviceName(name: string): boolean {
  const bytes = new TextEncoder().encode(name).length;
  return bytes <= DEVICE_NAME_BYTES_MAX && name !== '.' && name !== '..' && !/[/:\s\0]/.test(name);
}

/** A list of Go patterns, compiled. */
export function checkPatterns(check: Check, name: FlagNameOf<'list'>): readonly RegExp[] {
  const key = keyOf(check.given, name);
  return checkEntries(check, name).flatMap((value) => {
    const pattern = compileGoPattern(value);
    if (pattern !== undefined) return [pattern];
    check.errors.push(invalid({ key, value }, 'a regular expression that Go and JavaScript both know'));
    return [];
  });
}
