/** Flags from the environment. @module */
import { describe, expect, test } from 'bun:test';
import { parseArguments } from '../../../src/config/arguments.ts';
import { addEnvironment, type Environment } from '../../../src/config/environment.ts';
import { describeConfigError } from '../../../src/config/error.ts';
import { environmentName, FLAGS, type FlagValue } from '../../../src/config/flags.ts';

/** The flags given by both, or the error's line. */
function outcome(argv: string[], env: Environment): string | Record<string, FlagValue> {
  const parsed = parseArguments(argv);
  if (!parsed.ok || parsed.value.kind === 'help') return 'a bad test';
  const all = addEnvironment(parsed.value.given, env);
  if (!all.ok) return describeConfigError(all.error);
  return Object.fromEntries([...all.value].map(([name, { value }]) => [name, value]));
}

describe('addEnvironment()', () => {
  const cases: readonly (readonly [argv: string[], env: Environment, given: Record<string, FlagValue>])[] = [
    [[], {}, {}],
    [[], { FLANNELD_IFACE: 'eth0' }, { iface: ['eth0'] }],
    [[], { FLANNELD_IFACE: 'eth0,eth1' }, { iface: ['eth0,eth1'] }],
    [['-iface', 'a', '-iface', 'b'], { FLANNELD_IFACE: 'c' }, { iface: ['a', 'b'] }],
    [[], { FLANNELD_IP_MASQ: 'true' }, { 'ip-masq': true }],
    [['-ip-masq=false'], { FLANNELD_IP_MASQ: 'true' }, { 'ip-masq': false }],
    [[], { FLANNELD_IP_MASQ: '' }, {}],
    [[], { FLANNELD_IP_MASQ: undefined }, {}],
    [[], { FLANNELD_HEALTHZ_PORT: '0x10' }, { 'healthz-port': 16 }],
    [[], { FLANNELD_V: '4', FLANNELD_LOG_BACKTRACE_AT: 'x' }, { v: 4, log_backtrace_at: 'x' }],
    [
      [],
      { FLANNELD_LEASE_DB: '/x', FLANNELD_LOG_FORMAT: 'json' },
      { 'lease-db': '/x', 'log-format': 'json' },
    ],
    // The version is printed before flanneld looks at the environment.
    [[], { FLANNELD_VERSION: 'true' }, {}],
    [[], { FLANNELD_VERSION: 'v0.28.9' }, {}],
    // Kubernetes sets such variables for a service called flanneld.
    [[], { FLANNELD_SERVICE_HOST: '10.0.0.1', FLANNELD_PORT: 'tcp://10.0.0.1:1' }, {}],
    [[], { flanneld_iface: 'x', FLANNEL_IFACE: 'x', IFACE: 'x' }, {}],
  ];
  test.each(cases)('addEnvironment() to %j from %j', (argv, env, given) => {
    expect(outcome(argv, env)).toEqual(given);
  });

  test('addEnvironment() names the variable of a bad value', () => {
    expect(outcome([], { FLANNELD_HEALTHZ_PORT: 'abc' })).toBe(
      "FLANNELD_HEALTHZ_PORT: invalid value 'abc', expected an integer from 0 to 65535",
    );
    expect(outcome([], { FLANNELD_IP_MASQ: 'yes' })).toBe(
      "FLANNELD_IP_MASQ: invalid value 'yes', expected true or false",
    );
  });

  test('addEnvironment() does not look at a bad value that the command line overrides', () => {
    expect(outcome(['-healthz-port=1'], { FLANNELD_HEALTHZ_PORT: 'abc' })).toEqual({ 'healthz-port': 1 });
  });

  test('addEnvironment() can set every flag but the version', () => {
    const examples = { bool: 'true', int: '7', string: 'x', list: 'x' };
    for (const flag of FLAGS) {
      const text = flag.name === 'log-format' ? 'json' : examples[flag.spec.type];
      const given = outcome([], { [environmentName(flag)]: text });
      expect(Object.keys(given)).toEqual(flag.name === 'version' ? [] : [flag.name]);
    }
  });
});
