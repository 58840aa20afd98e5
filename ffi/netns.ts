/**
 * Network namespaces (`network_namespaces(7)`): made, entered for the length of one synchronous function, and
 * left again. Only the JavaScript thread moves; what it opens or spawns meanwhile stays in the namespace.
 *
 * @module
 */
import { closeFile, O, openFile } from './files.ts';
import { checked, libc } from './libc.ts';

/** `linux/sched.h`. */
const CLONE_NEWNET = 0x40000000;

/** Where the calling thread's own namespace is found; `/proc/self` would be that of the first thread. */
const OWN_NAMESPACE = '/proc/thread-self/ns/net';

/** A network namespace held open by a descriptor: it lives while that, a process or a device lives in it. */
export interface Netns extends Disposable {
  readonly fd: number;
  /** Lets go of it. Closing twice does nothing. */
  close(): void;
}

/**
 * Makes an empty namespace with nothing but a loopback device that is down.
 *
 * @throws if the caller may not (it takes CAP_SYS_ADMIN in its user namespace)
 */
export function createNetns(): Netns {
  return visit(() => {
    const made = checked(libc.unshare(CLONE_NEWNET));
    if (made < 0) throw new Error(`Cannot make a network namespace: errno ${-made}`);
    return holdNetns(opened(OWN_NAMESPACE));
  });
}

/**
 * The namespace that a process lives in.
 *
 * @throws if there is no such process or it belongs to somebody else
 */
export function openNetnsOf(pid: number): Netns {
  return holdNetns(opened(`/proc/${pid}/ns/net`));
}

/**
 * The namespace that is bound to a path, such as `/run/netns/blue` or `/proc/123/ns/net`. Whether it is one shows
 * when it is entered.
 *
 * @throws if the path cannot be opened
 */
export function openNetnsAt(path: string): Netns {
  // Whatever it is, opening it does not wait.
  return holdNetns(opened(path, O.NONBLOCK));
}

function opened(path: string, flags = 0): number {
  const fd = openFile(path, O.RDONLY | flags);
  if (fd < 0) throw new Error(`Cannot open ${path}: errno ${-fd}`);
  return fd;
}

/**
 * Runs `fn` in the namespace. It must not be asynchronous: what comes after an `await` would run outside.
 *
 * @throws what `fn` throws; or if the namespace cannot be entered; or if `fn` returned a promise
 */
export function inNetns<T>(netns: Netns, fn: () => T): T {
  return visit(() => {
    enter(netns.fd);
    const result = fn();
    if (result instanceof Promise) throw new Error('A function inside a network namespace must not wait');
    return result;
  });
}

/** Runs `fn`, which may change the thread's namespace, and comes back whatever happens. */
function visit<T>(fn: () => T): T {
  const home = opened(OWN_NAMESPACE);
  try {
    return fn();
  } finally {
    try {
      enter(home);
    } finally {
      closeFile(home);
    }
  }
}

function enter(fd: number): void {
  const entered = checked(libc.setns(fd, CLONE_NEWNET));
  if (entered < 0) throw new Error(`Cannot enter a network namespace: errno ${-entered}`);
}

/** The namespace that a descriptor leads to, which it takes over. */
export function holdNetns(fd: number): Netns {
  let open = true;
  const close = () => {
    if (open) closeFile(fd);
    open = false;
  };
  return { fd, close, [Symbol.dispose]: close };
}
