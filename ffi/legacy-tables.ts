/**
 * The tables of the kernel's older packet filter, `ip_tables`, as it gives them to `iptables-legacy`
 * (`linux/netfilter_ipv4/ip_tables.h`, `linux/netfilter_ipv6/ip6_tables.h`).
 *
 * @module
 */
import { addressOf, bindings, checked, libc } from './libc.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
/** SOL_IP and SOL_IPV6: `linux/in.h`, `linux/in6.h`. */
const LEVELS = { 4: 0, 6: 41 } as const;
/** IPT_SO_GET_INFO and IPT_SO_GET_ENTRIES; IP6T_ has the same. */
const GET_INFO = 64;
const GET_ENTRIES = 65;
/** struct ipt_getinfo, and where in it the size of all entries is. */
const INFO_BYTES = 84;
const INFO_SIZE_AT = 80;
/** struct ipt_get_entries before the entries, and where in it their size is. */
const HEAD_BYTES = 40;
const HEAD_SIZE_AT = 32;
/** Somebody changes the table between the two calls. */
const EAGAIN = 11;
const ATTEMPTS = 5;

const { getsockopt } = bindings({
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
});

/**
 * All entries of a table in the thread's network namespace, as they are in the kernel. To ask for a table loads it: ask only
 * for what `/proc/net/ip_tables_names` lists.
 *
 * @returns the bytes, or `-errno`
 */
export function readLegacyTable(family: 4 | 6, table: string): Uint8Array | number {
  const fd = checked(libc.socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd < 0) return fd;
  try {
    let entries: Uint8Array | number = -EAGAIN;
    for (let attempt = 0; attempt < ATTEMPTS && entries === -EAGAIN; attempt++)
      entries = readOnce(fd, LEVELS[family], table);
    return entries;
  } finally {
    libc.close(fd);
  }
}

function readOnce(fd: number, level: number, table: string): Uint8Array | number {
  const info = named(table, INFO_BYTES);
  const error = ask(fd, { level, option: GET_INFO, value: info });
  if (error < 0) return error;
  const size = new DataView(info.buffer).getUint32(INFO_SIZE_AT, true);
  const entries = named(table, HEAD_BYTES + size);
  new DataView(entries.buffer).setUint32(HEAD_SIZE_AT, size, true);
  const failure = ask(fd, { level, option: GET_ENTRIES, value: entries });
  return failure < 0 ? failure : entries.subarray(HEAD_BYTES);
}

/** Room for an answer, which begins with the name of the table. */
function named(table: string, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  bytes.set(new TextEncoder().encode(table));
  return bytes;
}

interface Question {
  readonly level: number;
  readonly option: number;
  readonly value: Uint8Array;
}

function ask(fd: number, { level, option, value }: Question): number {
  const length = new Int32Array([value.length]);
  return checked(getsockopt(fd, level, option, addressOf(value), addressOf(length)));
}
