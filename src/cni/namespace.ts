/**
 * The container's network namespace: found by its path, and never taken for our own.
 *
 * @module
 */
import { closeFile, fileSystemOf, identityOf, O, openFile } from '../../ffi/files.ts';
import { holdNetns, type Netns } from '../../ffi/netns.ts';
import { ERRNO, errnoName } from '../netlink/error.ts';
import { CniAbort, cniFailure } from './failure.ts';
import type { Environment } from './request.ts';

/** Where the process's own namespace is found. */
const OWN = '/proc/self/ns/net';

/** `linux/magic.h`: NSFS_MAGIC, the file system that namespaces are bound from. */
const NSFS = 0x6e736673;

/** What says where a namespace is. */
export interface NamespaceRequest {
  readonly netns: string;
  readonly environment: Environment;
}

/** Opens the namespace. Throws {@link CniAbort} if there is none. */
export function openNamespace(request: NamespaceRequest): Netns {
  const netns = findNamespace(request);
  if (netns !== undefined) return netns;
  throw new CniAbort(
    cniFailure(
      'INVALID_ENVIRONMENT',
      `CNI_NETNS: there is no network namespace at '${request.netns}'`,
      'The container has ended, or the runtime names another path than it made: look into its log',
    ),
  );
}

/**
 * Opens the namespace, or gives back `undefined` if it has gone: also if only the file is left that it was bound to,
 * as after a reboot. Throws {@link CniAbort} if it cannot be opened or is our own.
 */
export function findNamespace({ netns: path, environment }: NamespaceRequest): Netns | undefined {
  if (path === '') return undefined;
  const fileSystem = fileSystemOf(path);
  if (fileSystem >= 0 && fileSystem !== NSFS) return undefined;
  // Whatever it is, opening it does not wait.
  const fd = fileSystem < 0 ? fileSystem : openFile(path, O.RDONLY | O.NONBLOCK);
  if (fd < 0) {
    if (fd === -ERRNO.ENOENT || fd === -ERRNO.ENOTDIR) return undefined;
    const msg = `CNI_NETNS: cannot open network namespace '${path}'`;
    throw new CniAbort(cniFailure('INVALID_ENVIRONMENT', msg, errnoName(-fd)));
  }
  if (isOwn(path) && !isOverridden(environment)) {
    closeFile(fd);
    throw new CniAbort(
      cniFailure(
        'INVALID_ENVIRONMENT',
        `CNI_NETNS: '${path}' is the network namespace of the plugin itself`,
        'A container with the network of the host has no network of its own to set up',
      ),
    );
  }
  return holdNetns(fd);
}

function isOwn(path: string): boolean {
  const [there, here] = [identityOf(path), identityOf(OWN)];
  return there?.inode === here?.inode && there?.device === here?.device;
}

/** Whether a path leads to a namespace. */
export function isNamespace(path: string): boolean {
  return fileSystemOf(path) === NSFS;
}

/** The inode of the namespace that this process is in. */
export function ownNamespace(): number {
  return identityOf(OWN)?.inode ?? 0;
}

/** As the reference plugins allow it. */
function isOverridden({ CNI_NETNS_OVERRIDE: value = '' }: Environment): boolean {
  return value === '1' || value.toUpperCase() === 'TRUE';
}
