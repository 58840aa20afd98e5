/** Which lease store the flags choose, and what they say about it. @module */
import { describe, expect, test } from 'bun:test';
import { describeConfigError } from '../../../src/config/error.ts';
import { parseSettings } from '../../../src/config/settings.ts';

type Env = Readonly<Record<string, string>>;

function read(argv: readonly string[], env: Env = {}) {
  const parsed = parseSettings({ argv, env, hostName: 'pi-1', cwd: '/work' });
  if (!parsed.ok) return describeConfigError(parsed.error);
  if (parsed.value.kind !== 'settings') throw new Error(parsed.value.kind);
  return { ...parsed.value.settings, notes: parsed.value.notes };
}

function settings(argv: readonly string[], env: Env = {}) {
  const value = read(argv, env);
  if (typeof value === 'string') throw new Error(value);
  return value;
}

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

test('without a flag leases are in etcd, as flanneld has them', () => {
  expect(settings([]).leases).toEqual(ETCD);
});

test('a file has precedence, and Kubernetes is asked for', () => {
  expect(settings(['--lease-db=l.db']).leases).toEqual({ kind: 'sqlite', path: '/work/l.db' });
  expect(settings(['--kube-subnet-mgr']).leases).toEqual(KUBE);
  expect(settings([], { FLANNELD_KUBE_SUBNET_MGR: 'true' }).leases).toEqual(KUBE);
});

test('everything about etcd', () => {
  const argv = ['-etcd-endpoints= https://a:1/ ,,https://[fd00::1]:2379', '-etcd-prefix=/my//net/'];
  argv.push('-etcd-keyfile=k.pem', '-etcd-certfile=/c.pem', '-etcd-cafile=/ca.pem', '-etcd-username=root');
  expect(settings(argv, { FLANNELD_ETCD_PASSWORD: 'hunter2' }).leases).toEqual({
    kind: 'etcd',
    endpoints: ['https://a:1', 'https://[fd00::1]:2379'],
    prefix: '/my/net',
    keyFile: '/work/k.pem',
    certFile: '/c.pem',
    caFile: '/ca.pem',
    username: 'root',
    password: 'hunter2',
  });
});

test('everything about Kubernetes', () => {
  const argv = ['--kube-subnet-mgr', '--kubeconfig-file=k', '--kube-api-url=https://10.0.0.1:6443/'];
  argv.push(
    '--kube-annotation-prefix=org.com/foo',
    '--set-node-network-unavailable=false',
    '--kube-external-ip',
  );
  const { leases, nodeName } = settings(argv, { POD_NAME: 'p', POD_NAMESPACE: 'kube-flannel' });
  expect(leases).toEqual({
    kind: 'kube',
    kubeconfig: '/work/k',
    apiUrl: 'https://10.0.0.1:6443',
    annotationPrefix: 'org.com/foo-',
    setNetworkUnavailable: false,
    externalIp: true,
    pod: { name: 'p', namespace: 'kube-flannel' },
  });
  expect(nodeName).toBe('');
});

test('a node that has a name does not ask for it', () => {
  const env = { NODE_NAME: 'pi-7', POD_NAME: 'p', POD_NAMESPACE: 'n' };
  expect(settings(['--kube-subnet-mgr'], env)).toMatchObject({ nodeName: 'pi-7', leases: KUBE });
  expect(settings(['--kube-subnet-mgr'], { POD_NAME: 'p' })).toMatchObject({
    nodeName: 'pi-1',
    leases: KUBE,
  });
  expect(settings([], { POD_NAME: 'p', POD_NAMESPACE: 'n' }).nodeName).toBe('pi-1');
});

/** flannel's own test of its rule, and what it refuses. */
describe('annotation prefixes', () => {
  test.each([
    ['org.com', 'org.com/'],
    ['org.com/', 'org.com/'],
    ['org.com/foo', 'org.com/foo-'],
    ['org.com/foo-', 'org.com/foo-'],
    ['a_b.org.com/foo_1', 'a_b.org.com/foo_1-'],
  ])('%s', (given, prefix) => {
    const { leases } = settings(['--kube-subnet-mgr', `--kube-annotation-prefix=${given}`]);
    expect(leases).toMatchObject({ annotationPrefix: prefix });
  });

  test.each(['org', 'org/x', 'ORG.com', 'org.com/a/b', 'org.com/A', ''])('%s is refused', (given) => {
    const line = read(['--kube-subnet-mgr', `--kube-annotation-prefix=${given}`]);
    expect(line).toStartWith(
      `kube-annotation-prefix: invalid value '${given}', expected a domain in lower case`,
    );
  });
});

describe('what contradicts itself', () => {
  test.each([
    [
      ['--lease-db=l', '--kube-subnet-mgr'],
      "kube-subnet-mgr: invalid value 'true', expected no other lease store beside lease-db",
    ],
    [
      ['--lease-db=l', '-etcd-prefix=/x'],
      "etcd-prefix: invalid value '/x', expected no other lease store beside lease-db",
    ],
    [
      ['--lease-db=l', '-etcd-password=x1'],
      'etcd-password: invalid value, expected no other lease store beside lease-db',
    ],
    [
      ['--lease-db=l', '-kubeconfig-file=x'],
      "kubeconfig-file: invalid value 'x', expected no other lease store beside lease-db",
    ],
    [['-etcd-keyfile=/k'], "etcd-keyfile: invalid value '/k', expected etcd-certfile beside it"],
    [['-etcd-certfile=/c'], "etcd-certfile: invalid value '/c', expected etcd-keyfile beside it"],
    [
      ['-etcd-endpoints=10.0.0.1:2379'],
      "etcd-endpoints: invalid value '10.0.0.1:2379', expected http or https URLs without credentials, separated by commas",
    ],
    [
      ['-etcd-endpoints=,'],
      "etcd-endpoints: invalid value '', expected http or https URLs without credentials, separated by commas",
    ],
    [
      ['-etcd-endpoints=http://u:hunter2@h'],
      'etcd-endpoints: invalid value, expected http or https URLs without credentials, separated by commas: use etcd-username and etcd-password',
    ],
    [['-etcd-prefix=/'], "etcd-prefix: invalid value '/', expected a key such as /coreos.com/network"],
    [
      ['-kube-subnet-mgr', '-kube-api-url=10.0.0.1'],
      "kube-api-url: invalid value '10.0.0.1', expected an http or https URL without credentials, such as https://10.0.0.1:6443",
    ],
    [
      ['-kube-subnet-mgr', '-kube-api-url=https://u:hunter2@h'],
      'kube-api-url: invalid value, expected an http or https URL without credentials, such as https://10.0.0.1:6443',
    ],
  ])('%j', (argv, line) => {
    expect(read(argv)).toBe(line);
  });
});

test('flags of a store that is not in use are told, as flanneld passes them over', () => {
  expect(settings(['--kube-subnet-mgr', '-etcd-prefix=/x', '-etcd-username=']).notes).toEqual([
    'etcd-prefix: not used, as leases are in Kubernetes (kube-subnet-mgr)',
  ]);
  expect(settings(['-kubeconfig-file=/x'], { FLANNELD_KUBE_API_URL: 'https://h' }).notes).toEqual([
    'kubeconfig-file: not used, as leases are in etcd, without kube-subnet-mgr',
    'FLANNELD_KUBE_API_URL: not used, as leases are in etcd, without kube-subnet-mgr',
  ]);
});
