/**
 * The names of netlink constants, read from the kernel's own headers and not from our tables, so that a
 * wrong number in a table shows beside the right name.
 *
 * @module
 */
import { readFileSync } from 'node:fs';

const HEADERS = [
  'if_link',
  'if_addr',
  'rtnetlink',
  'neighbour',
  'veth',
  'genetlink',
  'ethtool_netlink',
  'netfilter/nfnetlink',
  'netfilter/nf_tables',
  'netfilter/nfnetlink_conntrack',
];

/** Names by number. */
export type Names = ReadonlyMap<number, string>;

/** Every enumeration of the headers in `/usr/include/linux` (Debian package linux-libc-dev). */
export function readEnumerations(): readonly Names[] {
  return HEADERS.flatMap((header) => enumerations(readFileSync(`/usr/include/linux/${header}.h`, 'utf8')));
}

/** The enumeration that has a member of the given name. */
export function enumerationWith(all: readonly Names[], member: string): Names {
  const found = all.find((names) => [...names.values()].includes(member));
  if (found === undefined) throw new Error(`No header has ${member}`);
  return found;
}

/** The members of every `enum` of a C header, without those whose values are not plain numbers. */
function enumerations(source: string): Names[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*#.*$/gm, '');
  return [...code.matchAll(/enum\s*\w*\s*\{([^}]*)\}/g)].map(([, body]) => {
    const names = new Map<number, string>();
    let next = 0;
    for (const member of (body ?? '').split(',')) {
      const [name, value] = member.split('=').map((part) => part.trim());
      if (name === undefined || name === '') continue;
      if (value !== undefined) next = numberOf(value, names);
      if (!name.startsWith('__') && Number.isInteger(next) && !names.has(next)) names.set(next, name);
      next++;
    }
    return names;
  });
}

/** A number, or another member's. */
function numberOf(value: string, names: Names): number {
  for (const [number, name] of names) if (name === value) return number;
  return Number(value);
}
