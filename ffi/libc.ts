/**
 * The C library, and the only import of `bun:ffi` in the program.
 *
 * No callbacks, no closing of the library, typed arrays only: the uses of FFI that have proved safe.
 * Every call that can fail returns `-errno`, read in the very next statement, as the kernel itself does.
 *
 * @module
 */
import { dlopen, type FFIFunction, type Pointer, ptr, read } from 'bun:ffi';

/** glibc's soname, then musl's, of the architectures that we build for. */
const SONAMES = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1'];

const symbols = {
  __errno_location: { args: [], returns: 'ptr' },
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  send: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i32' },
  sendto: { args: ['i32', 'ptr', 'u64', 'i32', 'ptr', 'u32'], returns: 'i32' },
  recv: { args: ['i32', 'ptr', 'u64', 'i32'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
  setns: { args: ['i32', 'i32'], returns: 'i32' },
  unshare: { args: ['i32'], returns: 'i32' },
  madvise: { args: ['u64', 'u64', 'i32'], returns: 'i32' },
  flock: { args: ['i32', 'i32'], returns: 'i32' },
  prctl: { args: ['i32', 'u64', 'u64', 'u64', 'u64'], returns: 'i32' },
} as const;

/** Binds C functions; each file that needs more than {@link libc} has binds its own, so that the others do not pay. */
export function bindings<const Functions extends Record<string, FFIFunction>>(functions: Functions) {
  let failure: unknown;
  for (const soname of SONAMES) {
    try {
      return dlopen(soname, functions).symbols;
    } catch (error) {
      failure = error;
    }
  }
  throw new Error(`No C library found (tried ${SONAMES.join(', ')})`, { cause: failure });
}

/** The C functions as they are: a negative result says that {@link errno} has the reason. */
export const libc = bindings(symbols);

/** The address of a typed array's first byte. Keep the array referenced for as long as C may use it. */
export function addressOf(bytes: Uint8Array | Int32Array): Pointer {
  return ptr(bytes);
}

/** The `errno` of the call just made on this thread; meaningful only in the statement after it. */
export function errno(): number {
  const location = libc.__errno_location();
  return location === null ? 0 : read.i32(location, 0);
}

/** `result` if it is not negative, else `-errno`. Call it with the C call as its argument. */
export function checked(result: number): number {
  return result < 0 ? -errno() : result;
}
