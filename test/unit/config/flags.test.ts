/** The table of flags against flanneld's. @module */
import { describe, expect, test } from 'bun:test';
import { environmentName, FLAGS, type FlagValue, flagNamed } from '../../../src/config/flags.ts';

/** Every flag of flanneld: name, type and default. */
const FLANNELD: readonly (readonly [name: string, type: string, fallback: FlagValue])[] = [
  ['etcd-endpoints', 'string', 'http://127.0.0.1:4001,http://127.0.0.1:2379'],
  ['etcd-prefix', 'string', '/coreos.com/network'],
  ['etcd-keyfile', 'string', ''],
  ['etcd-certfile', 'string', ''],
  ['etcd-cafile', 'string', ''],
  ['etcd-username', 'string', ''],
  ['etcd-password', 'string', ''],
  ['kube-subnet-mgr', 'bool', false],
  ['kube-api-url', 'string', ''],
  ['kubeconfig-file', 'string', ''],
  ['kube-annotation-prefix', 'string', 'flannel.alpha.coreos.com'],
  ['net-config-path', 'string', '/etc/kube-flannel/net-conf.json'],
  ['set-node-network-unavailable', 'bool', true],
  ['iface', 'list', []],
  ['iface-regex', 'list', []],
  ['iface-can-reach', 'string', ''],
  ['public-ip', 'string', ''],
  ['public-ipv6', 'string', ''],
  ['subnet-file', 'string', '/run/flannel/subnet.env'],
  ['subnet-lease-renew-margin', 'int', 60],
  ['ip-masq', 'bool', false],
  ['ip-masq-fully-random-disable', 'bool', false],
  ['iptables-resync', 'int', 5],
  ['iptables-forward-rules', 'bool', true],
  ['ip-blackhole-route', 'bool', false],
  ['healthz-ip', 'string', '0.0.0.0'],
  ['healthz-port', 'int', 0],
  ['version', 'bool', false],
  ['v', 'int', 0],
  ['vmodule', 'string', ''],
  ['log_backtrace_at', 'string', ''],
];

const OURS: readonly (readonly [name: string, type: string, fallback: FlagValue])[] = [
  ['lease-db', 'string', ''],
  ['kube-external-ip', 'bool', false],
  ['iptables', 'bool', false],
  ['fix-forward', 'bool', false],
  ['state-dir', 'string', '/var/lib/flannelette'],
  ['socket', 'string', '/run/flannelette/agent.sock'],
  ['log-format', 'string', 'logfmt'],
  ['install-cni', 'bool', true],
  ['cni-conf-dir', 'string', ''],
  ['cni-bin-dir', 'string', ''],
  ['cni-conf-file', 'string', ''],
];

describe('FLAGS', () => {
  test.each([...FLANNELD, ...OURS])('FLAGS has %s as %s with its default', (name, type, fallback) => {
    const flag = flagNamed(name);
    expect<unknown>(flag?.spec.type).toBe(type);
    expect(flag?.spec.fallback).toEqual(fallback);
  });

  test('FLAGS has no others, and none twice', () => {
    const names = FLAGS.map((flag) => flag.name);
    expect(names.toSorted()).toEqual([...FLANNELD, ...OURS].map(([name]) => name).toSorted());
  });

  test('FLAGS explains each in one line of words', () => {
    for (const { help, valueName, spec } of FLAGS) {
      expect(help).toMatch(/^[^\n.]{10,70}(\.env[^\n.]*)?$/);
      expect(valueName === '').toBe(spec.type === 'bool');
    }
  });

  test('flagNamed() finds nothing by the names of what objects inherit', () => {
    for (const name of ['__proto__', 'constructor', 'toString', '']) expect(flagNamed(name)).toBeUndefined();
  });
});

describe('environmentName()', () => {
  test.each([
    ['iface', 'FLANNELD_IFACE'],
    ['etcd-endpoints', 'FLANNELD_ETCD_ENDPOINTS'],
    ['v', 'FLANNELD_V'],
    ['log_backtrace_at', 'FLANNELD_LOG_BACKTRACE_AT'],
    ['subnet-lease-renew-margin', 'FLANNELD_SUBNET_LEASE_RENEW_MARGIN'],
  ])('environmentName() of %s is %s', (name, variable) => {
    const flag = flagNamed(name);
    expect(flag && environmentName(flag)).toBe(variable);
  });
});
