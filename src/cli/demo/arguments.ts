/**
 * What `flannelette demo` is told.
 *
 * @module
 */
import { FAMILIES, type Family } from '../../model/ip.ts';
import { fail, ok, type Result } from '../../model/result.ts';

/** The bridge's subnet and one machine's memory bound it; the neighbour table too (`topology.ts`). */
export const NODES_MAX = 50;

/** The backends that the demo can show, as net-conf.json spells them. */
export const DEMO_BACKENDS = ['vxlan', 'host-gw'] as const;

/** How nodes carry pod traffic to each other. */
export type DemoBackend = (typeof DEMO_BACKENDS)[number];

/** Where leases can be kept. */
export const DEMO_STORES = ['sqlite', 'etcd', 'kube'] as const;

/** One of {@link DEMO_STORES}. */
export type DemoStore = (typeof DEMO_STORES)[number];

/** The network to be laid out and how to show it. */
export interface DemoOptions {
  readonly nodes: number;
  readonly backend: DemoBackend;
  readonly store: DemoStore;
  readonly families: readonly Family[];
  /** Leave it up until a signal comes. */
  readonly keep: boolean;
  /** End standard output with one JSON object. */
  readonly json: boolean;
}

/** The text behind `--help`. */
export const DEMO_USAGE = `Usage: flannelette demo [options]

Builds a whole pod network inside network namespaces of its own, makes pods by the CNI plugin, pings every
pod from every pod and a host beyond the nodes from each, breaks things and shows how they are repaired.
The machine's own network is not touched, and nothing is left afterwards. Runs as root, or as any user who
may make user namespaces.

Options:
  --nodes N          how many nodes, 1 to ${NODES_MAX} (default 3)
  --backend TYPE     ${DEMO_BACKENDS.join(' or ')} (default ${DEMO_BACKENDS[0]})
  --store KIND       where leases are: sqlite (a file, the default), etcd (a real one: apt install
                     etcd-server), or kube (a real kube-apiserver: npm run test:kube builds it, or
                     KUBEBUILDER_ASSETS names a directory that holds it)
  --ipv4-only        without IPv6
  --ipv6-only        without IPv4
  --keep             leave it up, say how to look around in it, and end it on Ctrl-C
  --json             end standard output with one JSON object; progress goes to standard error
  --help             show this text
`;

const DEFAULTS: DemoOptions = {
  nodes: 3,
  backend: 'vxlan',
  store: 'sqlite',
  families: FAMILIES,
  keep: false,
  json: false,
};

/** The options that a value follows. */
const VALUED = ['--nodes', '--backend', '--store'] as const;
type Valued = (typeof VALUED)[number];

/** What the arguments ask for, or one line that says which of them is wrong. */
export function parseDemoArguments(args: readonly string[]): Result<DemoOptions | 'help', string> {
  let options = DEFAULTS;
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const { name, value } = splitArgument(arg);
    if (name === '--help' || name === '-h') return ok('help');
    const valued = VALUED.find((each) => each === name);
    if (valued === undefined && value !== undefined)
      return fail(`'${name}' takes no value, found '${value}'`);
    const read = valued === undefined ? readSwitch(name) : readValue(valued, value ?? rest.shift());
    if (!read.ok) return read;
    const onlyOne = read.value.families;
    if (onlyOne !== undefined && options.families.length === 1 && onlyOne[0] !== options.families[0])
      return fail("'--ipv4-only' and '--ipv6-only' leave no family");
    options = { ...options, ...read.value };
  }
  return ok(options);
}

function splitArgument(arg: string): { readonly name: string; readonly value: string | undefined } {
  const equals = arg.startsWith('--') ? arg.indexOf('=') : -1;
  return equals < 0
    ? { name: arg, value: undefined }
    : { name: arg.slice(0, equals), value: arg.slice(equals + 1) };
}

function readSwitch(name: string): Result<Partial<DemoOptions>, string> {
  switch (name) {
    case '--ipv4-only':
      return ok({ families: [4] });
    case '--ipv6-only':
      return ok({ families: [6] });
    case '--keep':
      return ok({ keep: true });
    case '--json':
      return ok({ json: true });
    default:
      return fail(`Unknown argument '${name}' (see 'flannelette demo --help')`);
  }
}

function readValue(name: Valued, value: string | undefined): Result<Partial<DemoOptions>, string> {
  if (name === '--backend') {
    const backend = DEMO_BACKENDS.find((known) => known === value);
    if (backend !== undefined) return ok({ backend });
    return fail(`'--backend' must be ${DEMO_BACKENDS.join(' or ')}, found ${quote(value)}`);
  }
  if (name === '--store') {
    const store = DEMO_STORES.find((known) => known === value);
    if (store !== undefined) return ok({ store });
    return fail(`'--store' must be one of ${DEMO_STORES.join(', ')}, found ${quote(value)}`);
  }
  const nodes = /^\d{1,3}$/.test(value ?? '') ? Number(value) : 0;
  if (nodes >= 1 && nodes <= NODES_MAX) return ok({ nodes });
  return fail(`'--nodes' must be a number from 1 to ${NODES_MAX}, found ${quote(value)}`);
}

function quote(value: string | undefined): string {
  return value === undefined ? 'nothing' : `'${value}'`;
}
