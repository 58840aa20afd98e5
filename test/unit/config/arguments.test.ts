/** Go's command line syntax. @module */
import { describe, expect, test } from 'bun:test';
import { parseArguments } from '../../../src/config/arguments.ts';
import { describeConfigError } from '../../../src/config/error.ts';
import type { FlagValue } from '../../../src/config/flags.ts';

/** The flags given, or the error's line, or `help`. */
function outcome(...argv: string[]): string | Record<string, FlagValue> {
  const parsed = parseArguments(argv);
  if (!parsed.ok) return describeConfigError(parsed.error);
  if (parsed.value.kind === 'help') return 'help';
  return Object.fromEntries([...parsed.value.given].map(([name, { value }]) => [name, value]));
}

describe('parseArguments() reads', () => {
  const cases: readonly (readonly [argv: string[], given: Record<string, FlagValue>])[] = [
    [[], {}],
    [['-iface', 'eth0'], { iface: ['eth0'] }],
    [['--iface', 'eth0'], { iface: ['eth0'] }],
    [['-iface=eth0'], { iface: ['eth0'] }],
    [['--iface=eth0'], { iface: ['eth0'] }],
    [['-iface=a=b'], { iface: ['a=b'] }],
    [['-iface='], { iface: [''] }],
    [['-iface', ''], { iface: [''] }],
    [['-iface==x'], { iface: ['=x'] }],
    [['--iface=a,b', '-iface', 'c'], { iface: ['a,b', 'c'] }],
    [['--iface', '-x'], { iface: ['-x'] }],
    [['-iface', '--ip-masq'], { iface: ['--ip-masq'] }],
    [['-iface', '-ip-masq', '-ip-masq'], { iface: ['-ip-masq'], 'ip-masq': true }],
    [['-iface', '--'], { iface: ['--'] }],
    [['-iface', '-h'], { iface: ['-h'] }],
    [['--ip-masq'], { 'ip-masq': true }],
    [['-ip-masq=false'], { 'ip-masq': false }],
    [['--ip-masq=0'], { 'ip-masq': false }],
    [['--ip-masq=T'], { 'ip-masq': true }],
    [['--ip-masq', '--ip-masq=f'], { 'ip-masq': false }],
    [['--version=false'], { version: false }],
    [['-healthz-port', '8081'], { 'healthz-port': 8081 }],
    [['-healthz-port=0x50'], { 'healthz-port': 80 }],
    [['-healthz-port=1', '--healthz-port=2'], { 'healthz-port': 2 }],
    [['-v=3', '-vmodule', 'a=1', '-log_backtrace_at=x:1'], { v: 3, vmodule: 'a=1', log_backtrace_at: 'x:1' }],
    [['-public-ip', '1.2.3.4', '--'], { 'public-ip': '1.2.3.4' }],
    [['--log-format=json'], { 'log-format': 'json' }],
  ];
  test.each(cases)('parseArguments() reads %j', (argv, given) => {
    expect(outcome(...argv)).toEqual(given);
  });
});

describe('parseArguments() refuses', () => {
  const cases: readonly (readonly [argv: string[], line: string])[] = [
    [['-ip-masq=yes'], "ip-masq: invalid value 'yes', expected true or false"],
    [['-ip-masq='], "ip-masq: invalid value '', expected true or false"],
    [
      ['-ip-masq', 'true'],
      "argument: invalid value 'true', expected '--ip-masq=true' if it is the value of that flag",
    ],
    [['-ip-masq', 'eth0'], "argument: invalid value 'eth0', expected nothing but flags after the command"],
    [
      ['-ip-masq=true', 'false'],
      "argument: invalid value 'false', expected nothing but flags after the command",
    ],
    [['run', '--ip-masq'], "argument: invalid value 'run', expected nothing but flags after the command"],
    [
      ['-iface', 'eth0', 'eth1'],
      "argument: invalid value 'eth1', expected nothing but flags after the command",
    ],
    [['-'], "argument: invalid value '-', expected nothing but flags after the command"],
    [[''], "argument: invalid value '', expected nothing but flags after the command"],
    [['--', '-iface', 'x'], "argument: invalid value '-iface', expected nothing but flags after the command"],
    [['-iface'], "iface: no value given, expected '--iface NAME|IP'"],
    [['-healthz-port=abc'], "healthz-port: invalid value 'abc', expected an integer from 0 to 65535"],
    [['-healthz-port='], "healthz-port: invalid value '', expected an integer from 0 to 65535"],
    [['-healthz-port=65536'], "healthz-port: invalid value '65536', expected an integer from 0 to 65535"],
    [['-healthz-port', '-1'], "healthz-port: invalid value '-1', expected an integer from 0 to 65535"],
    [
      ['--subnet-lease-renew-margin=0'],
      "subnet-lease-renew-margin: invalid value '0', expected an integer from 1 to 1439",
    ],
    [
      ['--subnet-lease-renew-margin=1440'],
      "subnet-lease-renew-margin: invalid value '1440', expected an integer from 1 to 1439",
    ],
    [['-v=0x2'], "v: invalid value '0x2', expected an integer from 0 to 2147483647"],
    [['--log-format=xml'], "log-format: invalid value 'xml', expected logfmt or json"],
    [['--ifcae=eth0'], "ifcae: unknown flag, expected a flag that --help lists; did you mean 'iface'?"],
    [['-Iface=eth0'], "Iface: unknown flag, expected a flag that --help lists; did you mean 'iface'?"],
    [
      ['--no-ip-masq'],
      "no-ip-masq: unknown flag, expected a flag that --help lists; did you mean 'ip-masq'?",
    ],
    [['--frobnicate'], 'frobnicate: unknown flag, expected a flag that --help lists'],
    [['-v2'], 'v2: unknown flag, expected a flag that --help lists'],
    [['---iface'], "-iface: unknown flag, expected a flag that --help lists; did you mean 'iface'?"],
    [['--=x'], '=x: unknown flag, expected a flag that --help lists'],
    [['--__proto__=1'], '__proto__: unknown flag, expected a flag that --help lists'],
  ];
  test.each(cases)('parseArguments() refuses %j', (argv, line) => {
    expect(outcome(...argv)).toBe(line);
  });

  test('parseArguments() tells of the first of several mistakes', () => {
    expect(outcome('-healthz-port=x', '-nope', 'stray')).toStartWith('healthz-port:');
  });
});

test.each([
  [['-h']],
  [['-help']],
  [['--help']],
  [['-h=1']],
  [['--iface', 'x', '-h']],
  [['--nope', '--help']],
  [['x', '-h']],
])('parseArguments() gives help for %j', (argv) => {
  expect(outcome(...argv)).toBe('help');
});

test('parseArguments() takes what follows -- for no request for help', () => {
  expect(outcome('--', '--help')).toStartWith('argument:');
});
