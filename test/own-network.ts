/**
 * A network of one's own for a command that changes the kernel's.
 *
 * @module
 */

/**
 * What stands before a command that is to have a network of its own, with nothing in it but loopback. An
 * ordinary user becomes root of a user namespace for it. Mounts are private too, for named namespaces; and what
 * plugins have written down for the pods of this machine is neither seen nor added to.
 */
export function ownNetwork(): string[] {
  const isRoot = process.getuid?.() === 0;
  const namespaces = isRoot ? '-nm' : '-Urnm';
  // An ordinary user may not open what the machine's root has in /run, such as the lock of iptables.
  const books = `for d in ${isRoot ? '/run/cni' : '/run'} /var/lib/cni; do [ ! -d $d ] || mount -t tmpfs own $d; done`;
  return ['unshare', namespaces, 'sh', '-c', `ip link set lo up && ${books} && exec "$@"`, 'sh'];
}
