/**
 * What can stand in the way at run time, each with what an operator can do about it. None of these ends the
 * agent: it retries, and shows them in the log, in `/readyz` and in `flannelette status`.
 *
 * @module
 */

/** Every run-time problem's remedy, by code. `docs/operations.md` lists the same. */
export const REMEDIES = {
  starting: 'Wait a moment; if it stays, read the log',
  'interface-missing':
    'Plug the cable in or name another interface with --iface; the agent follows by itself',
  'interface-no-address': 'Give the interface an address (DHCP?) or name another with --iface',
  'public-ip-not-local':
    'With host-gw, peers need the interface address itself: drop --public-ip or use vxlan',
  'network-overlap': 'Choose a Network in net-conf.json that holds no address of the nodes',
  'mtu-too-small': 'Raise the MTU of the interface, or set EnableIPv6 to false',
  'netlink-denied':
    'Run as root or grant CAP_NET_ADMIN (systemd: AmbientCapabilities=CAP_NET_ADMIN; container: add NET_ADMIN)',
  'netlink-failed': 'Read the kernel message; the agent tries again by itself',
  'kernel-unsupported': 'Load the module named here (modprobe) or install the package that brings it',
  'link-conflict': 'Remove the device that holds this name or this VNI and port, or change Backend.VNI',
  'object-failed': 'Read the kernel message; the agent tries again by itself',
  fight:
    'Find the program that does it (a second flanneld, a network manager, a routing daemon) and keep it off the pod network and its devices',
  'removal-held': 'Nothing to do if the cluster really shrank: the next complete list confirms it',
  'forward-dropped':
    'Accept the pod network in the chain named here, or start the agent with --fix-forward, which does',
  'iptables-failed':
    'Install iptables, or read what it says; or do without --iptables: nf_tables needs no program',
  'flanneld-rules': 'Stop flanneld if it runs here, and remove its chains from iptables',
  'network-missing': "Write the network's configuration to the key named here; the agent waits for it",
  'network-invalid': "Put the network's configuration right where it is kept; the agent waits for it",
  'credentials-missing':
    'Name a kubeconfig with --kubeconfig-file; one that comes later is found (K3s writes its own at its first start)',
  'credentials-invalid': 'Put the kubeconfig right; it is read again by itself',
  'store-denied': 'Renew the credentials, or grant what k3s/rbac.yaml lists',
  'store-untrusted':
    'Check the certificate authority in the credentials, and that the address is that of the API server',
  'clock-wrong': 'Set the clock of this node (timedatectl, chronyc); certificates are judged by it',
  'node-missing':
    'Start the kubelet (K3s) of this node, or set NODE_NAME to its name; the agent waits for it',
  'pod-cidr-missing':
    'Let the controller manager assign one (--allocate-node-cidrs; K3s does), or set spec.podCIDR; the agent waits for it',
  'pod-cidr-invalid': 'Make Network in net-conf.json hold the podCIDRs of the cluster (K3s: --cluster-cidr)',
  'lease-contested': 'Give one of the two nodes another podCIDR: delete its Node and let it register again',
  'store-restored': 'Nothing to do: the agent goes on by itself when the lease store can be reached',
  'store-unavailable': 'Check the lease store; the data plane keeps working meanwhile',
  'store-corrupt': 'Stop all agents of this machine, move the lease database away and start them again',
  'store-version': 'Upgrade flannelette: the lease database was written by a newer version',
  'no-lease-free': 'Widen SubnetMin..SubnetMax or Network, or remove the leases of dead nodes',
  'lease-held':
    'Stop the agent named here or give each its own NODE_NAME; this one takes over when that has ended',
  'state-locked':
    'Stop the other agent or give this one its own NODE_NAME, --state-dir and --socket; it takes over by itself',
  'state-unwritable': 'Make the state directory writable (--state-dir) and check for a full disk',
  'file-unwritable': 'Check the directory permissions and for a full or read-only disk',
  'cni-not-installed':
    'Make the directory writable (systemd: ReadWritePaths=; container: a hostPath), name another with --cni-bin-dir and --cni-conf-dir, or install by hand and give --install-cni=false',
  'cni-plugin-missing':
    'Install the plugin named here (Debian: containernetworking-plugins), or take it out of --cni-conf-file',
  'cni-config-before': 'Move the other configuration away if pods are to use flannelette',
  'health-unavailable': 'Another program holds the port or socket: change healthz-port or --socket',
  'peer-pending': 'Wait a moment; the peer is being programmed',
} as const;

/** The name of a problem, stable for scripts. */
export type ProblemCode = keyof typeof REMEDIES;

/** A condition that keeps something from working, in words. */
export interface Problem {
  readonly code: ProblemCode;
  /** What is wrong, naming the object and the cause. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** The process may open no more files, whatever it is that it would have opened (open(2)). */
export const FILE_LIMIT_REMEDY =
  'Raise the limit of open files (systemd: LimitNOFILE=; the machine: fs.file-max)';

/** A problem with the catalogue's remedy, or a more exact one. */
export function problem(
  code: ProblemCode,
  message: string,
  remedy: string = /\bE[MN]FILE\b/.test(message) ? FILE_LIMIT_REMEDY : REMEDIES[code],
): Problem {
  return { code, message, remedy };
}
