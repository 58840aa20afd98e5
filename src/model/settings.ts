/**
 * The command line and environment, after parsing: flanneld's options and ours.
 *
 * @module
 */
import type { Ip } from './ip.ts';

/** How the underlay interface is to be found; see flannel's `LookupExtIface`. */
export interface InterfaceChoice {
  /** Interface names or addresses, in order. */
  readonly names: readonly string[];
  /** Regular expressions on addresses, then names, tried after all names. */
  readonly patterns: readonly RegExp[];
  /** Take the interface of the route to this address, tried last. */
  readonly canReach: Ip | undefined;
  readonly publicIpv4: Ip | undefined;
  readonly publicIpv6: Ip | undefined;
}

/** Leases in an SQLite file that the agents of one machine share. */
export interface SqliteStoreSettings {
  readonly kind: 'sqlite';
  readonly path: string;
}

/** Leases in etcd, below one prefix, as flanneld keeps them. */
export interface EtcdStoreSettings {
  readonly kind: 'etcd';
  /** Base URLs, tried in turn. */
  readonly endpoints: readonly string[];
  /** Such as `/coreos.com/network`, without a slash at the end. */
  readonly prefix: string;
  readonly keyFile: string | undefined;
  readonly certFile: string | undefined;
  readonly caFile: string | undefined;
  readonly username: string | undefined;
  /** A secret: it appears in no message. */
  readonly password: string | undefined;
}

/** The pod that the agent runs in, from which the node's name is found out. */
export interface PodName {
  readonly name: string;
  readonly namespace: string;
}

/** Leases in the annotations of Kubernetes nodes. */
export interface KubeStoreSettings {
  readonly kind: 'kube';
  /** `undefined`: in-cluster, else K3s' own file. */
  readonly kubeconfig: string | undefined;
  /** Replaces the server that the credentials name. */
  readonly apiUrl: string | undefined;
  /** Such as `flannel.alpha.coreos.com/`, ending in `/` or `-`: what an annotation's own name follows. */
  readonly annotationPrefix: string;
  readonly setNetworkUnavailable: boolean;
  /** Whether the Node's ExternalIP is its public address (K3s' `--flannel-external-ip`). */
  readonly externalIp: boolean;
  /** Whom to ask for the node's name, if nobody says it. */
  readonly pod: PodName | undefined;
}

/** Where leases are kept. */
export type LeaseStoreSettings = SqliteStoreSettings | EtcdStoreSettings | KubeStoreSettings;

/** Where the CNI plugin is installed. A directory that is not named is found out. */
export interface CniSettings {
  readonly confDir: string | undefined;
  readonly binDir: string | undefined;
  /** A conflist to install as it is. */
  readonly confFile: string | undefined;
}

/** Everything that the agent is told from outside, except net-conf.json. */
export interface Settings {
  /** Empty only until the pod in {@link KubeStoreSettings} has been asked about. */
  readonly nodeName: string;
  readonly netConfigPath: string;
  readonly subnetFile: string;
  readonly stateDir: string;
  readonly socketPath: string;
  /** `undefined` if nothing is to be installed. */
  readonly cni: CniSettings | undefined;
  readonly leases: LeaseStoreSettings;
  readonly interfaceChoice: InterfaceChoice;
  readonly ipMasq: boolean;
  /** Whether the ports of masqueraded connections are chosen at random. */
  readonly masqFullyRandom: boolean;
  /** Whether forwarded pod traffic is accepted. */
  readonly forwardRules: boolean;
  /** Whether the rules for it are made with iptables' programs, not with nf_tables. */
  readonly iptables: boolean;
  /** Whether it is accepted in chains of other programs that would drop it. */
  readonly fixForward: boolean;
  /** Whether what is sent to a pod of this node that is not there goes nowhere. */
  readonly blackhole: boolean;
  /** How long before its expiry a lease is renewed. */
  readonly renewMarginMinutes: number;
  readonly healthzIp: string;
  /** 0 switches the TCP listener off. */
  readonly healthzPort: number;
  readonly logFormat: 'logfmt' | 'json';
  /** 0 shows events; higher shows more. */
  readonly verbosity: number;
}
