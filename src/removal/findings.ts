/**
 * What was found on a node, before anybody has judged whose it is.
 *
 * @module
 */
import type { FlanneldRules } from '../model/flanneld-rules.ts';
import type { Mac, Prefix } from '../model/ip.ts';
import type { Lease } from '../model/lease.ts';
import type { FdbObject, LinkObject, NeighbourObject, PassageObject, RouteObject } from '../model/objects.ts';
import type { TableObject } from '../model/traffic-rules.ts';

/** What the kernel has. */
export interface KernelFindings {
  /** All devices with names such as ours, of whatever kind. */
  readonly links: readonly LinkObject[];
  /** Table main without what the kernel made itself. */
  readonly routes: readonly RouteObject[];
  /** The permanent entries of those of the devices that are VXLAN. */
  readonly entries: readonly (NeighbourObject | FdbObject)[];
  /** The tables of traffic rules that flannelette or flanneld has made. */
  readonly tables: readonly TableObject[];
  /** Rules of ours in chains of others, whose comment is in no rule of another program. */
  readonly passages: readonly PassageObject[];
}

/** The state directory. */
export interface StateFindings {
  readonly directory: string;
  /** Whether node.json is there and could be read. */
  readonly file: 'none' | 'read' | 'damaged' | 'unreadable';
  /** Why it could not be read. */
  readonly reason: string | undefined;
  /** The devices that it remembers. */
  readonly links: readonly string[];
  /** The SHA-256 of the subnet.env that it remembers, in hexadecimal digits. */
  readonly subnetEnvDigest: string | undefined;
  /** The names of the files in it that flannelette makes. */
  readonly ours: readonly string[];
}

/** subnet.env. */
export type SubnetEnvFindings =
  | { readonly kind: 'none'; readonly path: string }
  | { readonly kind: 'unreadable'; readonly path: string; readonly reason: string }
  | {
      readonly kind: 'read';
      readonly path: string;
      readonly subnets: readonly Prefix[];
      /** The SHA-256 of its bytes, in hexadecimal digits. */
      readonly digest: string;
    };

/** The lease database. */
export type LeaseFindings =
  | { readonly kind: 'unnamed' }
  | { readonly kind: 'none'; readonly path: string }
  | { readonly kind: 'unreadable'; readonly path: string; readonly message: string }
  | {
      readonly kind: 'read';
      /** The file's path, or such as `etcd http://10.0.0.1:2379`. */
      readonly path: string;
      /** Whether it is not this machine's, so that nobody is told how to remove it. */
      readonly isShared?: boolean;
      /** Whether an operator has reserved the node's subnets: then its lease stays. */
      readonly isReserved?: boolean;
      /** The node's own subnets; `undefined` if it has no lease. */
      readonly own: readonly Prefix[] | undefined;
      readonly peers: readonly Lease[];
      /** How many other nodes hold leases. */
      readonly others: number;
    };

/** A path where flannelette makes its socket. */
export interface SocketFindings {
  readonly path: string;
  /** `answered`: by an agent that runs. `foreign`: it is no socket. */
  readonly kind: 'none' | 'stale' | 'answered' | 'foreign';
}

/** A directory that flannelette makes if there is none, and what is in it. */
export interface DirectoryFindings {
  readonly path: string;
  readonly entries: readonly string[];
}

/** A name that the agent installs for the container runtime. */
export interface CniFinding {
  readonly path: string;
  /**
   * `nobody`: there is nothing. `operator`: it leads to this program, but was not made by it. `unknown`: it has this
   * program's name, and nothing says who made it.
   */
  readonly owner: 'ours' | 'nobody' | 'foreign' | 'operator' | 'unknown';
  /** Where that is what was there before. */
  readonly aside: string | undefined;
}

/** Everything. */
export interface Findings {
  readonly node: string;
  readonly kernel: KernelFindings;
  /** What flanneld has made with iptables. */
  readonly iptables: readonly FlanneldRules[];
  readonly state: StateFindings;
  readonly subnetEnv: SubnetEnvFindings;
  readonly leases: LeaseFindings;
  readonly socket: SocketFindings;
  readonly cni: readonly CniFinding[];
  /** Links that take packets from 127.0.0.1 for the sake of hostPorts. */
  readonly localnets: readonly string[];
  /** Files that a process left half-written, by their full paths. */
  readonly halfWritten: readonly string[];
  /** The cluster's networks, as subnet.env and net-conf.json name them. */
  readonly networks: readonly Prefix[];
  /** In the order in which they can go. */
  readonly directories: readonly DirectoryFindings[];
  /** A flanneld that runs, as people would name it. */
  readonly flanneld: string | undefined;
  /** Devices that stand on one of ours, by its name: the kernel would take them with it. */
  readonly above: ReadonlyMap<string, readonly string[]>;
  /** The addresses that this node's devices have by lease, by state, and by derivation. */
  readonly macs: ReadonlySet<Mac>;
}

/** Something that is not removed. */
export interface Left {
  readonly what: string;
  /** Why, and what can be done about it. */
  readonly why: string;
  /** `maybe`: nothing that can be read says whose it is. */
  readonly whose: 'ours' | 'maybe' | 'others';
}
