/**
 * The kernel's answer when it says no.
 *
 * @module
 */

/** The errno values that netlink and file systems are known to answer with (`asm-generic/errno.h`), by name. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ELOOP: 40,
  ENODATA: 61,
  EOVERFLOW: 75,
  EMSGSIZE: 90,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  EPFNOSUPPORT: 96,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

/** The name of a known errno. */
export type ErrnoName = keyof typeof ERRNO;

const NAMES = new Map<number, ErrnoName>();
for (const name of Object.keys(ERRNO) as ErrnoName[]) NAMES.set(ERRNO[name], name);

/** The name of an errno, or `errno 123`. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** A request that failed. */
export interface NetlinkError {
  /** Positive. */
  readonly errno: number;
  /** `EINVAL "Nexthop has invalid gateway" at route.gateway`: all that the kernel told. */
  readonly message: string;
}

/** What {@link netlinkError} is told beyond the errno. */
export interface ErrorDetail {
  /** The kernel's words (NLMSGERR_ATTR_MSG). */
  readonly text?: string | undefined;
  /** The attribute that it blames (NLMSGERR_ATTR_OFFS, walked back through the table). */
  readonly path?: string | undefined;
}

/** Puts an error together. */
export function netlinkError(errno: number, { text, path }: ErrorDetail = {}): NetlinkError {
  const words = text ? ` "${text}"` : '';
  return { errno, message: `${errnoName(errno)}${words}${path ? ` at ${path}` : ''}` };
}
