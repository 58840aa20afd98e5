/**
 * The container's network namespace: found by its path, and never taken for our own.
 *
 * @module
 */
import { statfsSync, statSync } from 'node:fs';
import { type Netns, openNetnsAt } from '../../ffi/netns.ts';
import { CniAbort, cniFailure, thrownText } from './failure.ts';
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
    cniFailure('INVALID_ENVIRONMENT', `CNI_NETNS: there is no network namespace at '${request.netns}'`),
  );
}

/**
 * Opens the namespace, or gives back `undefined` if it has gone: also if only the file is left that it was bound to,
 * as after a reboot. Throws {@link CniAbort} if it cannot be opened or is our own.
 */
export function findNamespace({ netns: path, environment }: NamespaceRequest): Netns | undefined {
  if (path === '') return undefined;
  let netns: Netns;
  try {
    if (!isNamespace(path)) return undefined;
    netns = openNetnsAt(path);
  } catch (thrown) {
    const gone =
      thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR');
    if (gone) return undefined;
    const msg = `CNI_NETNS: cannot open network namespace '${path}'`;
    throw new CniAbort(cniFailure('INVALID_ENVIRONMENT', msg, thrownText(thrown)));
  }
  if (isOwn(path) && !isOverridden(environment)) {
    netns.close();
    throw new CniAbort(
      cniFailure(
        'INVALID_ENVIRONMENT',
        `CNI_NETNS: '${path}' is the network namespace of the plugin itself`,
        'A container with the network of the host has no network of its own to set up',
      ),
    );
  }
  return netns;
}

/** Whether a path leads to a namespace. Throws what the file system says. */
export function isNamespace(path: string): boolean {
  return statfsSync(path).type === NSFS;
}

/** The inode of the namespace that this process is in. */
export function ownNamespace(): number {
  return statSync(OWN).ino;
}

/** As the reference plugins allow it. */
function isOverridden({ CNI_NETNS_OVERRIDE: value = '' }: Environment): boolean {
  return value === '1' || value.toUpperCase() === 'TRUE';
}

function isOwn(path: string): boolean {
  const [there, here] = [statSync(path), statSync(OWN)];
  return there.dev === here.dev && there.ino === here.ino;
}
