/**
 * A network of one's own for a command that changes the kernel's.
 *
 * @module
 */

/**
 * What stands before a command that is to have a network of its own, with nothing in it but loopback. An
 * ordinary user becomes root of a user namespace for it. Mounts are private too, for named namespaces.
 */
export function ownNetwork(): string[] {
  const namespaces = process.getuid?.() === 0 ? '-nm' : '-Urnm';
  return ['unshare', namespaces, 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
}
