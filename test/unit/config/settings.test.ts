/** Settings from the command line and the environment. @module */
import { describe, expect, test } from 'bun:test';
import type { Environment } from '../../../src/config/environment.ts';
import { describeConfigError } from '../../../src/config/error.ts';
import { type ParsedSettings, parseSettings } from '../../../src/config/settings.ts';
import type { Settings } from '../../../src/model/settings.ts';

interface Told {
  readonly argv?: readonly string[];
  readonly env?: Environment;
  readonly hostName?: string;
  readonly cwd?: string;
}

function outcome({ argv = [], env = {}, hostName = 'pi-1', cwd = '/work' }: Told): ParsedSettings | string {
  const parsed = parseSettings({ argv: ['--lease-db=/l.db', ...argv], env, hostName, cwd });
  return parsed.ok ? parsed.value : describeConfigError(parsed.error);
}

function settings(told: Told): Partial<Settings> {
  const parsed = outcome(told);
  if (typeof parsed === 'string' || parsed.kind !== 'settings') throw new Error(JSON.stringify(parsed));
  return parsed.settings;
}

function notes(told: Told): readonly string[] {
  const parsed = outcome(told);
  return typeof parsed !== 'string' && parsed.kind === 'settings' ? parsed.notes : [];
}

test('parseSettings() has a default for everything', () => {
  expect(settings({})).toEqual({
    nodeName: 'pi-1',
    netConfigPath: '/etc/kube-flannel/net-conf.json',
    subnetFile: '/run/flannel/subnet.env',
    stateDir: '/var/lib/flannelette',
    socketPath: '/run/flannelette/agent.sock',
    cni: { confDir: undefined, binDir: undefined, confFile: undefined },
    leases: { kind: 'sqlite', path: '/l.db' },
    interfaceChoice: {
      names: [],
      patterns: [],
      canReach: undefined,
      publicIpv4: undefined,
      publicIpv6: undefined,
    },
    ipMasq: false,
    masqFullyRandom: true,
    forwardRules: true,
    iptables: false,
    fixForward: false,
    blackhole: false,
    renewMarginMinutes: 60,
    healthzIp: '0.0.0.0',
    healthzPort: 0,
    logFormat: 'logfmt',
    verbosity: 0,
  });
  expect(notes({})).toEqual([]);
});

test('parseSettings() takes everything from the command line', () => {
  const argv = [
    ...['-net-config-path', '/n.json', '-subnet-file=/s.env', '--state-dir=/state/', '--socket', '/a.sock'],
    ...[
      '-iface',
      'eth0',
      '-iface',
      '10.0.0.1',
      '-iface-regex',
      '^eth',
      '-iface-can-reach',
      '1.1.1.1',
      '-ip-masq',
      '-iptables-forward-rules=false',
      '-fix-forward',
      '-ip-blackhole-route',
    ],
    ...['-public-ip=192.0.2.1', '-public-ipv6=2001:DB8:0:0::1', '-subnet-lease-renew-margin=1439'],
    ...['-healthz-ip=::', '-healthz-port=8081', '-log-format=json', '-v=2'],
  ];
  expect<unknown>(settings({ argv })).toMatchObject({
    netConfigPath: '/n.json',
    subnetFile: '/s.env',
    stateDir: '/state/',
    socketPath: '/a.sock',
    interfaceChoice: {
      names: ['eth0', '10.0.0.1'],
      patterns: [/^eth/u],
      canReach: '1.1.1.1',
      publicIpv4: '192.0.2.1',
      publicIpv6: '2001:db8::1',
    },
    ipMasq: true,
    masqFullyRandom: true,
    forwardRules: false,
    iptables: false,
    fixForward: true,
    blackhole: true,
    renewMarginMinutes: 1439,
    healthzIp: '::',
    healthzPort: 8081,
    logFormat: 'json',
    verbosity: 2,
  });
});

describe('parseSettings() names the node', () => {
  test.each([
    [{ hostName: 'Pi-One.LAN\n' }, 'pi-one.lan'],
    [{ hostName: 'host', env: { NODE_NAME: '' } }, 'host'],
    [{ hostName: 'host', env: { NODE_NAME: 'Node_A' } }, 'Node_A'],
    [{ hostName: '', env: { NODE_NAME: 'x'.repeat(253) } }, 'x'.repeat(253)],
  ])('parseSettings() of %j', (told, name) => {
    expect(settings(told).nodeName).toBe(name);
  });

  test.each([
    [{ hostName: '' }, 'host name: no value given'],
    [{ hostName: ' \n' }, 'host name: no value given'],
    [{ env: { NODE_NAME: 'a\nb' } }, "NODE_NAME: invalid value 'a\\nb'"],
    [{ env: { NODE_NAME: '\u001b[31m' } }, "NODE_NAME: invalid value '\\u{1b}[31m'"],
    [{ env: { NODE_NAME: 'x\u2028' } }, "NODE_NAME: invalid value 'x\\u{2028}'"],
    [{ env: { NODE_NAME: '\ud800' } }, "NODE_NAME: invalid value '\\u{d800}'"],
    [{ env: { NODE_NAME: '  ' } }, "NODE_NAME: invalid value '  '"],
    [{ env: { NODE_NAME: 'x'.repeat(254) } }, `NODE_NAME: invalid value '${'x'.repeat(100)}…'`],
  ])('parseSettings() refuses %j', (told, start) => {
    expect(outcome(told)).toStartWith(start);
  });
});

describe('parseSettings() makes paths absolute', () => {
  test.each([
    [['--lease-db=a.db'], '/srv', '/srv/a.db'],
    [['--lease-db=./a.db'], '/srv/', '/srv/a.db'],
    [['--lease-db=././/a.db'], '/', '/a.db'],
    [['--lease-db=../a.db'], '/srv', '/srv/../a.db'],
    [['--lease-db=.a.db'], '/srv', '/srv/.a.db'],
    [['--lease-db=/x/../a.db'], '/work', '/x/../a.db'],
  ])('parseSettings(%j) in %s', (argv, cwd, path) => {
    expect(settings({ argv, cwd }).leases).toEqual({ kind: 'sqlite', path });
  });

  test('parseSettings() allows a socket path of 107 bytes after it was made absolute', () => {
    const name = 'ö'.repeat(50);
    expect(settings({ argv: [`--socket=${name}`], cwd: '/12345' }).socketPath).toBe(`/12345/${name}`);
    expect(outcome({ argv: [`--socket=${name}`], cwd: '/123456' })).toContain('of at most 107 bytes');
  });
});

describe('parseSettings() refuses', () => {
  const cases: readonly (readonly [argv: string[], line: string])[] = [
    [['--lease-db=/x/'], "lease-db: invalid value '/x/', expected the path of a file"],
    [['--subnet-file=.'], "subnet-file: invalid value '.', expected the path of a file"],
    [['--net-config-path=x/..'], "net-config-path: invalid value 'x/..', expected the path of a file"],
    [['--socket=\0'], "socket: invalid value '\\u{0}', expected a path"],
    [['--state-dir='], "state-dir: invalid value '', expected a path"],
    [['-public-ip=::1'], "public-ip: invalid value '::1', expected an IPv4 address of a host"],
    [['-public-ip=010.0.0.1'], "public-ip: invalid value '010.0.0.1', expected an IPv4 address of a host"],
    [['-public-ip=0.0.0.0'], "public-ip: invalid value '0.0.0.0', expected an IPv4 address of a host"],
    [['-public-ip=224.0.0.1'], "public-ip: invalid value '224.0.0.1', expected an IPv4 address of a host"],
    [['-public-ip=host'], "public-ip: invalid value 'host', expected an IPv4 address of a host"],
    [['-public-ipv6=10.0.0.1'], "public-ipv6: invalid value '10.0.0.1', expected an IPv6 address of a host"],
    [
      ['-public-ipv6=fe80::1%eth0'],
      "public-ipv6: invalid value 'fe80::1%eth0', expected an IPv6 address of a host",
    ],
    [['-public-ipv6=ff02::1'], "public-ipv6: invalid value 'ff02::1', expected an IPv6 address of a host"],
    [
      ['-iface-can-reach=x'],
      "iface-can-reach: invalid value 'x', expected an IPv4 or IPv6 address of a host",
    ],
    [['-healthz-ip=localhost'], "healthz-ip: invalid value 'localhost', expected an IPv4 or IPv6 address"],
    [
      ['-iface-regex=eth', '-iface-regex=['],
      "iface-regex: invalid value '[', expected a regular expression that Go and JavaScript both know",
    ],
  ];
  test.each(cases)('parseSettings() refuses %j', (argv, line) => {
    expect(outcome({ argv })).toBe(line);
  });

  test('parseSettings() names the variable of a bad value', () => {
    const env = { FLANNELD_PUBLIC_IP: 'fd00::1' };
    expect(outcome({ env })).toBe(
      "FLANNELD_PUBLIC_IP: invalid value 'fd00::1', expected an IPv4 address of a host",
    );
  });
});

describe('parseSettings() notes', () => {
  test.each([
    [['-iptables-resync=7'], ['iptables-resync: not used by this version']],
    [
      ['-vmodule=a=1', '-log_backtrace_at=x:1'],
      ['vmodule: not used by this version', 'log_backtrace_at: not used by this version'],
    ],
    [['-ip-masq', '-ip-masq-fully-random-disable'], []],
    [['-iface=', '-iface=eth0'], ['iface: an empty value is skipped']],
    [['-iface-regex='], ['iface-regex: an empty value is skipped']],
    [['-public-ip=', '-healthz-ip='], []],
  ])('parseSettings(%j) notes %j', (argv, expected) => {
    expect(notes({ argv })).toEqual(expected);
  });
});

test('parseSettings() notes a variable that is misspelt, and not those of other programs', () => {
  const env = { FLANNELD_IFCAE: 'eth0', FLANNELD_SERVICE_HOST: '10.43.0.9', FLANNELD_IFACE: 'eth1' };
  expect(notes({ env })).toEqual([
    "FLANNELD_IFCAE: unknown variable, skipped; did you mean 'FLANNELD_IFACE'?",
  ]);
});

const DEVICE = "expected an IP address or an interface name of at most 15 bytes without '/', ':' and spaces";

describe('parseSettings() refuses what can never be there', () => {
  test.each([
    ['--iface=sixteen-letters-', `iface: invalid value 'sixteen-letters-', ${DEVICE}`],
    ['--iface=eth 0', `iface: invalid value 'eth 0', ${DEVICE}`],
    ['--iface=eth0:1', `iface: invalid value 'eth0:1', ${DEVICE}`],
    ['--iface=..', `iface: invalid value '..', ${DEVICE}`],
    [
      '--iface=127.0.0.1',
      "iface: invalid value '127.0.0.1', expected an address of an interface between the nodes",
    ],
    ['--iface=::', "iface: invalid value '::', expected an address of an interface between the nodes"],
    ['--public-ip=127.0.0.1', "public-ip: invalid value '127.0.0.1', expected an IPv4 address of a host"],
    ['--public-ipv6=::1', "public-ipv6: invalid value '::1', expected an IPv6 address of a host"],
    [
      '--iface-can-reach=127.0.0.1',
      "iface-can-reach: invalid value '127.0.0.1', expected an IPv4 or IPv6 address of a host",
    ],
  ])('parseSettings() refuses %s', (flag, line) => {
    expect(outcome({ argv: [flag] })).toBe(line);
  });

  test('parseSettings() takes every name that a device can have', () => {
    const names = ['eth0', 'enp0s31f6', 'eth0.100', 'wlan-%d', 'fifteen-letters', '10.0.0.1', 'fd77::1'];
    expect(settings({ argv: names.map((name) => `--iface=${name}`) }).interfaceChoice?.names).toEqual(names);
  });
});

describe('parseSettings() tells of', () => {
  test('the version before it looks at the environment or checks anything', () => {
    expect(outcome({ argv: ['-version', '-public-ip=x'], env: { FLANNELD_V: 'x' } })).toEqual({
      kind: 'version',
    });
    expect(outcome({ argv: ['--version=false'] })).toMatchObject({ kind: 'settings' });
    expect(outcome({ argv: ['--version', '--nope'] })).toStartWith('nope: unknown flag');
  });

  test.each(['-h', '-help', '--help'])('the help with %s', (flag) => {
    expect(outcome({ argv: [flag, '--version'], env: { FLANNELD_V: 'x' } })).toEqual({ kind: 'help' });
  });
});
