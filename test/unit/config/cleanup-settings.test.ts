/** What `flannelette cleanup` takes from its command line. @module */
import { expect, test } from 'bun:test';
import {
  CLEANUP_FLAGS,
  type CleanupSettings,
  parseCleanupSettings,
} from '../../../src/config/cleanup-settings.ts';
import { describeConfigError } from '../../../src/config/error.ts';
import { FLAGS } from '../../../src/config/flags.ts';
import { parseSettings } from '../../../src/config/settings.ts';

function parse(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): CleanupSettings | string {
  const parsed = parseCleanupSettings({ argv, env, hostName: 'Pi-1', cwd: '/work' });
  if (!parsed.ok) return describeConfigError(parsed.error);
  return parsed.value.kind === 'help' ? 'help' : parsed.value.settings;
}

const DEFAULTS: CleanupSettings = {
  nodeName: 'pi-1',
  netConfigPath: '/etc/kube-flannel/net-conf.json',
  subnetFile: '/run/flannel/subnet.env',
  stateDir: '/var/lib/flannelette',
  socketPath: '/run/flannelette/agent.sock',
  cni: { confDir: undefined, binDir: undefined, confFile: undefined },
  leaseDb: undefined,
  etcd: undefined,
  kube: undefined,
  dryRun: false,
  adopt: false,
  iptables: false,
  json: false,
};

const ETCD = {
  kind: 'etcd',
  endpoints: ['http://127.0.0.1:4001', 'http://127.0.0.1:2379'],
  prefix: '/coreos.com/network',
  keyFile: undefined,
  certFile: undefined,
  caFile: undefined,
  username: undefined,
  password: undefined,
} as const;

const KUBE = {
  kind: 'kube',
  kubeconfig: undefined,
  apiUrl: undefined,
  annotationPrefix: 'flannel.alpha.coreos.com/',
  setNetworkUnavailable: true,
  externalIp: false,
  pod: undefined,
} as const;

test.each([
  [[], {}],
  [['--dry-run'], { dryRun: true }],
  [['-dry-run', '-adopt=true', '--json'], { dryRun: true, adopt: true, json: true }],
  [['--dry-run', '--dry-run=false'], { dryRun: false }],
  [['--install-cni=false', '--cni-bin-dir=/b'], { cni: undefined }],
  [
    ['--cni-bin-dir=/b', '--cni-conf-dir=c', '--cni-conf-file=f'],
    { cni: { confDir: '/work/c', binDir: '/b', confFile: '/work/f' } },
  ],
  [['--lease-db', 'l.db'], { leaseDb: '/work/l.db' }],
  [
    ['--state-dir=/s', '--subnet-file=/f', '--socket=/k', '--net-config-path=/n'],
    { stateDir: '/s', subnetFile: '/f', socketPath: '/k', netConfigPath: '/n' },
  ],
  [['--etcd-endpoints', 'http://a:1'], { etcd: { ...ETCD, endpoints: ['http://a:1'] } }],
  [['--etcd-prefix=/x', '--lease-db=l.db'], { leaseDb: '/work/l.db' }],
  [
    ['--etcd-prefix=/x', '--kube-subnet-mgr', '--kubeconfig-file=/k'],
    { kube: { ...KUBE, kubeconfig: '/k' } },
  ],
  // Those of a unit file, whatever they say.
  [
    ['--iface', 'eth0', '--kube-subnet-mgr', '--healthz-port', '8081', '--ip-masq', '--public-ip=no address'],
    { kube: KUBE },
  ],
  // A value, though it looks like a switch.
  [['--subnet-file', '--adopt'], { subnetFile: '/work/--adopt' }],
])('parseCleanupSettings() reads %j', (argv, changes) => {
  expect(parse(argv)).toEqual({ ...DEFAULTS, ...changes });
});

test('parseCleanupSettings() reads the environment of the agent, and no switches from it', () => {
  const env = {
    FLANNELD_LEASE_DB: '/l.db',
    FLANNELD_STATE_DIR: '/s',
    NODE_NAME: 'Node',
    FLANNELD_ADOPT: 'true',
  };
  expect(parse([], env)).toEqual({ ...DEFAULTS, leaseDb: '/l.db', stateDir: '/s', nodeName: 'Node' });
});

test.each([
  [['--dry-runn'], "dry-runn: unknown flag, expected a flag that --help lists; did you mean 'dry-run'?"],
  [
    ['--adopt', 'true'],
    "argument: invalid value 'true', expected '--adopt=true' if it is the value of that flag",
  ],
  [['everything'], "argument: invalid value 'everything', expected nothing but flags after the command"],
  [['--adopt=perhaps'], "adopt: invalid value 'perhaps', expected true or false"],
  [['--lease-db'], "lease-db: no value given, expected '--lease-db FILE'"],
  [['--lease-db', '/srv/'], "lease-db: invalid value '/srv/', expected the path of a file"],
  [['--v', '--etcd-password=s3cr3t'], 'v: invalid value, expected an integer from 0 to 2147483647'],
  [
    ['--lease-db=/l.db', '--subnet-file=/l.db'],
    "subnet-file: invalid value '/l.db', expected another path than that of lease-db",
  ],
  [['--v=loud'], "v: invalid value 'loud', expected an integer from 0 to 2147483647"],
])('parseCleanupSettings() refuses %j', (argv, error) => {
  expect(parse(argv)).toBe(error);
});

test('parseCleanupSettings() helps whoever asks', () => {
  expect(parse(['--nonsense', '-h'])).toBe('help');
});

test('its switches are no flags of the agent', () => {
  expect(CLEANUP_FLAGS.filter(({ name }) => FLAGS.some((flag) => flag.name === name))).toEqual([]);
  const parsed = parseSettings({ argv: ['--lease-db=/l', '--dry-run'], env: {}, hostName: 'a', cwd: '/' });
  expect(parsed.ok).toBe(false);
});
