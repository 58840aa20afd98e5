/**
 * Where leases are kept: which store the flags choose, and what they say about it.
 *
 * @module
 */
import type { EtcdStoreSettings, KubeStoreSettings, LeaseStoreSettings, PodName } from '../model/settings.ts';
import { type Check, checkFile } from './checks.ts';
import type { Environment } from './environment.ts';
import { type ConfigError, invalid } from './error.ts';
import { boolOf, keyOf, textOf } from './flag-values.ts';
import type { FlagNameOf } from './flags.ts';

/** The flags that only one store has a use for. */
const FLAGS_OF = {
  kube: ['kubeconfig-file', 'kube-api-url', 'kube-annotation-prefix', 'kube-external-ip'],
  etcd: [
    'etcd-endpoints',
    'etcd-prefix',
    'etcd-keyfile',
    'etcd-certfile',
    'etcd-cafile',
    'etcd-username',
    'etcd-password',
  ],
} as const;

/**
 * `--kube-subnet-mgr`, else `--lease-db`, else etcd as flanneld does. A file of leases beside flags of another store
 * contradicts itself; flags of etcd beside Kubernetes, which flanneld passes over, are only told.
 */
export function checkStore(check: Check, env: Environment): LeaseStoreSettings {
  const { given } = check;
  const isKube = boolOf(given, 'kube-subnet-mgr');
  if (textOf(given, 'lease-db') !== '') {
    const others = [...FLAGS_OF.kube, ...FLAGS_OF.etcd].find((name) => isGiven(check, name));
    const other = isKube ? 'kube-subnet-mgr' : others;
    if (other !== undefined) check.errors.push(contradiction(check, other));
    return { kind: 'sqlite', path: checkFile(check, 'lease-db') };
  }
  const store = isKube ? kubeStore(check, env) : etcdStore(check);
  const idle = isKube ? FLAGS_OF.etcd : FLAGS_OF.kube;
  for (const name of idle)
    if (isGiven(check, name)) {
      const where = isKube ? 'in Kubernetes (kube-subnet-mgr)' : 'in etcd, without kube-subnet-mgr';
      check.notes.push(`${keyOf(given, name)}: not used, as leases are ${where}`);
    }
  return store;
}

/** The pod to ask for the node's name, if leases are Kubernetes' and only the pod is known. */
export function podOf(env: Environment): PodName | undefined {
  const { NODE_NAME: node = '', POD_NAME: name = '', POD_NAMESPACE: namespace = '' } = env;
  return node === '' && name !== '' && namespace !== '' ? { name, namespace } : undefined;
}

function isGiven({ given }: Check, name: string): boolean {
  const flag = given.get(name);
  return flag !== undefined && flag.value !== flag.flag.spec.fallback;
}

/** What the flags say about etcd, if one of them is given and no other store is chosen. */
export function givenEtcd(check: Check): EtcdStoreSettings | undefined {
  const isElsewhere = textOf(check.given, 'lease-db') !== '' || boolOf(check.given, 'kube-subnet-mgr');
  return !isElsewhere && FLAGS_OF.etcd.some((name) => isGiven(check, name)) ? etcdStore(check) : undefined;
}

/** Kubernetes' settings if leases are said to be there, and are in no file. */
export function givenKube(check: Check, env: Environment): KubeStoreSettings | undefined {
  const isKube = textOf(check.given, 'lease-db') === '' && boolOf(check.given, 'kube-subnet-mgr');
  return isKube ? kubeStore(check, env) : undefined;
}

function contradiction({ given }: Check, name: string): ConfigError {
  const { flag, value } = given.get(name) ?? {};
  const isSecret = flag?.spec.type === 'string' && flag.spec.secret === true;
  const key = keyOf(given, name);
  const shown = isSecret || value === undefined ? undefined : String(value);
  return invalid({ key, value: shown }, `no other lease store beside ${keyOf(given, 'lease-db')}`);
}

function kubeStore(check: Check, env: Environment): KubeStoreSettings {
  const { given } = check;
  return {
    kind: 'kube',
    kubeconfig: optionalFile(check, 'kubeconfig-file'),
    apiUrl: apiUrl(check),
    annotationPrefix: annotationPrefix(check),
    setNetworkUnavailable: boolOf(given, 'set-node-network-unavailable'),
    externalIp: boolOf(given, 'kube-external-ip'),
    pod: podOf(env),
  };
}

function etcdStore(check: Check): EtcdStoreSettings {
  const keyFile = optionalFile(check, 'etcd-keyfile');
  const certFile = optionalFile(check, 'etcd-certfile');
  if ((keyFile === undefined) !== (certFile === undefined)) {
    const [name, other] =
      keyFile === undefined ? ['etcd-certfile', 'etcd-keyfile'] : ['etcd-keyfile', 'etcd-certfile'];
    const at = { key: keyOf(check.given, name), value: keyFile ?? certFile };
    check.errors.push(invalid(at, `${other} beside it`));
  }
  return {
    kind: 'etcd',
    endpoints: etcdEndpoints(check),
    prefix: etcdPrefix(check),
    keyFile,
    certFile,
    caFile: optionalFile(check, 'etcd-cafile'),
    username: optionalText(check, 'etcd-username'),
    password: optionalText(check, 'etcd-password'),
  };
}

function optionalText({ given }: Check, name: FlagNameOf<'string'>): string | undefined {
  const value = textOf(given, name);
  return value === '' ? undefined : value;
}

function optionalFile(check: Check, name: FlagNameOf<'string'>): string | undefined {
  return textOf(check.given, name) === '' ? undefined : checkFile(check, name);
}

/** An http or https URL without a query, or `undefined`. */
function httpUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && url.search === '' && url.hash === '' && url.hostname !== '';
  return isPlain && (url.protocol === 'http:' || url.protocol === 'https:') ? url : undefined;
}

function apiUrl(check: Check): string | undefined {
  const value = textOf(check.given, 'kube-api-url');
  if (value === '') return undefined;
  const url = httpUrl(value);
  if (url === undefined || url.username !== '') {
    const at = { key: keyOf(check.given, 'kube-api-url'), value: url === undefined ? value : undefined };
    check.errors.push(invalid(at, 'an http or https URL without credentials, such as https://10.0.0.1:6443'));
    return undefined;
  }
  return value.replace(/\/+$/, '');
}

function etcdEndpoints(check: Check): readonly string[] {
  const key = keyOf(check.given, 'etcd-endpoints');
  const all = textOf(check.given, 'etcd-endpoints').split(',');
  const urls = all.map((each) => each.trim()).filter((each) => each !== '');
  const expected = 'http or https URLs without credentials, separated by commas';
  if (urls.length === 0) check.errors.push(invalid({ key, value: '' }, expected));
  for (const text of urls) {
    const url = httpUrl(text);
    if (url === undefined) check.errors.push(invalid({ key, value: text }, expected));
    // What would be shown holds a password.
    else if (url.username !== '' || url.password !== '')
      check.errors.push(
        invalid({ key, value: undefined }, `${expected}: use etcd-username and etcd-password`),
      );
  }
  return urls.map((url) => url.replace(/\/+$/, ''));
}

/** Joined like a path, as flanneld does: one slash between the parts, none at the end. */
function etcdPrefix(check: Check): string {
  const value = textOf(check.given, 'etcd-prefix');
  if (value.replaceAll('/', '') === '' || value.includes('\0')) {
    const at = { key: keyOf(check.given, 'etcd-prefix'), value };
    check.errors.push(invalid(at, 'a key such as /coreos.com/network'));
  }
  const parts = value.split('/').filter((part) => part !== '' && part !== '.');
  return `${value.startsWith('/') ? '/' : ''}${parts.join('/')}`;
}

/** flannel's rule (`newAnnotations` in its pkg/subnet/kube): a domain, and maybe a name of its own behind the slash. */
const ANNOTATION_PREFIX = /(?:[a-z0-9_-]+\.)+[a-z0-9_-]+\/(?:[a-z0-9_-]+-)?$/;

function annotationPrefix(check: Check): string {
  const value = textOf(check.given, 'kube-annotation-prefix');
  const domain = value.includes('/') ? value : `${value}/`;
  const prefix = /[-/]$/.test(domain) ? domain : `${domain}-`;
  const slashes = prefix.split('/').length - 1;
  if (slashes !== 1 || !ANNOTATION_PREFIX.test(prefix)) {
    const at = { key: keyOf(check.given, 'kube-annotation-prefix'), value };
    check.errors.push(
      invalid(at, "a domain in lower case, or 'domain/name', such as flannel.alpha.coreos.com"),
    );
  }
  return prefix;
}
