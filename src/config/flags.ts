/**
 * The one table of flags: all of flanneld's (its `main.go` and klog) and ours. Parsing, environment, checks and
 * help follow from it. A version that learns to act on more flags moves their rows to another section.
 *
 * @module
 */

/** A flag that is on or off. */
export interface BoolSpec {
  readonly type: 'bool';
  readonly fallback: boolean;
}

/** A flag with a text. */
export interface StringSpec {
  readonly type: 'string';
  readonly fallback: string;
  /** The only texts allowed, if they are few. */
  readonly choices?: readonly string[];
  /** A secret: its value appears in no message. */
  readonly secret?: boolean;
}

/** A flag with a whole number. */
export interface IntSpec {
  readonly type: 'int';
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
  /** 0 knows Go's prefixes (`0x`), 10 does not, as klog's level. */
  readonly base: 0 | 10;
}

/** A flag that may be given again and again; each time adds one entry. */
export interface ListSpec {
  readonly type: 'list';
  readonly fallback: readonly string[];
}

/** A flag's type, its default and what it may hold. */
export type FlagSpec = BoolSpec | StringSpec | IntSpec | ListSpec;

/** What a flag holds. */
export type FlagValue = boolean | string | number | readonly string[];

/** What this version does with a flag: it acts on it, or takes it and says that it has no effect, which does no harm. */
export type Support = 'acted-on' | 'without-effect';

/** One flag. */
export interface Flag {
  readonly name: string;
  readonly spec: FlagSpec;
  /** What stands for the value in the help. */
  readonly valueName: string;
  /** One line of help. */
  readonly help: string;
  /** The help's heading above it. */
  readonly section: string;
  readonly support: Support;
}

type Row = readonly [name: string, spec: FlagSpec, valueName: string, help: string];

interface Section {
  readonly title: string;
  readonly support: Support;
  readonly flags: readonly Row[];
}

const off = { type: 'bool', fallback: false } as const;
const on = { type: 'bool', fallback: true } as const;
const list = { type: 'list', fallback: [] } as const;
const int32Max = 2 ** 31 - 1;

function text(fallback: string) {
  return { type: 'string', fallback } as const;
}

function int(fallback: number, range: { min?: number; max?: number; base?: 0 | 10 } = {}) {
  return { type: 'int', fallback, min: 0, max: int32Max, base: 0, ...range } as const;
}

const secret = { type: 'string', fallback: '', secret: true } as const;
const logFormat = { type: 'string', fallback: 'logfmt', choices: ['logfmt', 'json'] } as const;
const etcdEndpoints = 'http://127.0.0.1:4001,http://127.0.0.1:2379';

const SECTIONS = [
  {
    title: 'Network',
    support: 'acted-on',
    flags: [
      ['net-config-path', text('/etc/kube-flannel/net-conf.json'), 'FILE', 'network configuration'],
      ['subnet-file', text('/run/flannel/subnet.env'), 'FILE', 'what the CNI plugin reads'],
      ['state-dir', text('/var/lib/flannelette'), 'DIR', 'what must survive a restart'],
    ],
  },
  {
    title: 'Leases: from etcd, unless --lease-db or --kube-subnet-mgr says otherwise',
    support: 'acted-on',
    flags: [
      ['lease-db', text(''), 'FILE', 'leases in an SQLite file, shared on this machine'],
      ['kube-subnet-mgr', off, '', 'leases in the annotations of Kubernetes nodes'],
      ['kubeconfig-file', text(''), 'FILE', "Kubernetes credentials; else the pod's own, else those of K3s"],
      ['kube-api-url', text(''), 'URL', 'Kubernetes API server, in place of that of the credentials'],
      ['kube-annotation-prefix', text('flannel.alpha.coreos.com'), 'PREFIX', 'prefix of node annotations'],
      ['kube-external-ip', off, '', "tell peers the Node's ExternalIP (K3s: --flannel-external-ip)"],
      ['set-node-network-unavailable', on, '', 'tell Kubernetes that the network of the node is there'],
      ['etcd-endpoints', text(etcdEndpoints), 'URL,...', 'etcd servers'],
      ['etcd-prefix', text('/coreos.com/network'), 'KEY', 'prefix of keys in etcd'],
      ['etcd-keyfile', text(''), 'FILE', 'TLS key for etcd'],
      ['etcd-certfile', text(''), 'FILE', 'TLS certificate for etcd'],
      ['etcd-cafile', text(''), 'FILE', 'certificate authority of etcd'],
      ['etcd-username', text(''), 'NAME', 'user name for etcd'],
      ['etcd-password', secret, 'TEXT', 'password for etcd'],
      [
        'subnet-lease-renew-margin',
        int(60, { min: 1, max: 1439 }),
        'MIN',
        'renew a lease that long before its end',
      ],
    ],
  },
  {
    title: 'Interface between the nodes',
    support: 'acted-on',
    flags: [
      ['iface', list, 'NAME|IP', 'interface by name or address; repeatable, the first found is used'],
      ['iface-regex', list, 'REGEX', 'the same by a pattern on addresses, then names; after all iface'],
      ['iface-can-reach', text(''), 'IP', 'interface of the route to this address; tried last'],
      ['public-ip', text(''), 'IP', 'IPv4 address by which other nodes reach this one'],
      ['public-ipv6', text(''), 'IP', 'IPv6 address by which other nodes reach this one'],
    ],
  },
  {
    title: 'Traffic',
    support: 'acted-on',
    flags: [
      ['ip-masq', off, '', 'masquerade traffic of pods to the outside, and say so in subnet.env'],
      ['ip-masq-fully-random-disable', off, '', 'masquerade without fully random ports'],
      ['iptables-forward-rules', on, '', 'accept forwarded traffic of pods'],
      ['iptables', off, '', 'make these rules with iptables, not with nf_tables'],
      ['fix-forward', off, '', 'accept it also in chains of others that would drop it'],
      ['ip-blackhole-route', off, '', 'drop what is sent to pods that are not there'],
    ],
  },
  {
    title: 'CNI, for the container runtime of the node',
    support: 'acted-on',
    flags: [
      ['install-cni', on, '', 'install the plugin and its configuration, and keep them there'],
      ['cni-conf-dir', text(''), 'DIR', 'of its configurations; if empty, the one that containerd is told'],
      ['cni-bin-dir', text(''), 'DIR', 'of its plugins; if empty, the one that containerd is told'],
      [
        'cni-conf-file',
        text(''),
        'FILE',
        'conflist to install in place of the own (K3s: --flannel-cni-conf)',
      ],
    ],
  },
  {
    title: 'Health',
    support: 'acted-on',
    flags: [
      ['socket', text('/run/flannelette/agent.sock'), 'FILE', 'Unix socket for health and status'],
      ['healthz-ip', text('0.0.0.0'), 'IP', 'address for health and status over TCP'],
      ['healthz-port', int(0, { max: 65535 }), 'PORT', 'port for health and status over TCP; 0 is none'],
    ],
  },
  {
    title: 'Log and version',
    support: 'acted-on',
    flags: [
      ['log-format', logFormat, 'FORMAT', 'logfmt or json, one line an event'],
      ['v', int(0, { base: 10 }), 'LEVEL', 'higher logs more'],
      ['version', off, '', 'print the version and end'],
    ],
  },
  {
    title: 'Of flanneld: accepted, without effect in this version',
    support: 'without-effect',
    flags: [
      ['iptables-resync', int(5), 'SECONDS', 'how often to check traffic rules'],
      ['vmodule', text(''), 'PATTERN=N,...', 'log level by source file'],
      ['log_backtrace_at', text(''), 'FILE:N', 'log a stack trace at a source line'],
    ],
  },
] as const satisfies readonly Section[];

type TableRow = (typeof SECTIONS)[number]['flags'][number];

/** The names of the flags of one type, known to the compiler. */
export type FlagNameOf<Type extends FlagSpec['type']> = TableRow extends infer Each
  ? Each extends readonly [infer Name, { readonly type: Type }, ...unknown[]]
    ? Name
    : never
  : never;

/** All flags in the order of the help. */
export const FLAGS: readonly Flag[] = SECTIONS.flatMap(({ title, support, flags }) =>
  flags.map(([name, spec, valueName, help]) => ({ name, spec, valueName, help, section: title, support })),
);

const BY_NAME: ReadonlyMap<string, Flag> = new Map(FLAGS.map((flag) => [flag.name, flag]));

/** The flag of this name, written without dashes in front. */
export function flagNamed(name: string): Flag | undefined {
  return BY_NAME.get(name);
}

/** The environment variable that sets a flag (coreos/pkg `flagutil.SetFlagsFromEnv`, prefix FLANNELD). */
export function environmentName(flag: Flag): string {
  return `FLANNELD_${flag.name.toUpperCase().replaceAll('-', '_')}`;
}
