/**
 * Command lines and environments: every one gives settings that keep the rules, or one line that says what is
 * wrong; the environment says the same as the command line; a secret is shown by nobody.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import { parseDemoArguments } from '../../../src/cli/demo/arguments.ts';
import { parseArguments } from '../../../src/config/arguments.ts';
import { CLEANUP_FLAGS, parseCleanupSettings } from '../../../src/config/cleanup-settings.ts';
import { type ConfigError, describeConfigError } from '../../../src/config/error.ts';
import { environmentName, FLAGS } from '../../../src/config/flags.ts';
import { parseSettings, type SettingsInput } from '../../../src/config/settings.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { isNodeName } from '../../../src/model/node-name.ts';
import type { Settings } from '../../../src/model/settings.ts';
import { pick, type Random } from '../random.ts';
import { type Json, spoilText, spoilValue } from '../spoil.ts';
import { inputFiles, jsonForm, mustHold, target, type Verdict } from '../target.ts';
import { mustBeLine } from './text-rules.ts';

/** What an agent is started with. */
interface Start {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly hostName: string;
}

const WORDS = [...FLAGS, ...CLEANUP_FLAGS].flatMap(({ name }) => [`--${name}`, `-${name}=`, `--${name}=`]);
/** The corpus has it where a password stands. */
const SECRET = 's3cr3t-w0rd';
const SECRET_PLACE = /^--?etcd-password=/;

const codec = jsonForm<Start>();

/** Arguments and environment of the agent. */
export const commandLine = target<Start>({
  name: 'command-line',
  samples: inputFiles('corpus', 'command-line').map(codec.decode),
  spoil: spoilStart,
  run: judge,
  ...codec,
});

function spoilStart(random: Random, { argv, env, hostName }: Start, other: Start): Start {
  let args: readonly string[] = random(3) === 0 ? [...argv, ...other.argv.slice(random(4))] : argv;
  for (let times = random(4); times > 0; times--) args = texts(spoilValue(random, args, WORDS), args);
  const name = random(8) === 0 ? spoilText(random, 'NODE_NAME') : variable(random);
  const value = random(2) === 0 ? spoilText(random, pick(random, ['true', '1', '10.1.2.3', 'eth0'])) : '8081';
  return {
    argv: args,
    env: random(2) === 0 ? env : { ...env, [name]: value },
    hostName: random(4) === 0 ? spoilText(random, hostName) : hostName,
  };
}

function variable(random: Random): string {
  const flag = FLAGS[random(FLAGS.length)];
  return flag === undefined || random(10) === 0 ? 'NODE_NAME' : environmentName(flag);
}

/** The texts of a list; what else came of it is written as JSON. */
function texts(value: Json, fallback: readonly string[]): readonly string[] {
  if (!Array.isArray(value)) return fallback;
  return value.map((item: Json) => (typeof item === 'string' ? item : JSON.stringify(item)));
}

function judge({ argv, env, hostName }: Start): Verdict {
  const input: SettingsInput = { argv, env, hostName, cwd: '/run' };
  const parsed = parseSettings(input);
  const demo = parseDemoArguments(argv);
  mustHold(demo.ok || demo.error.length > 0, 'The demo refuses without a word');
  judgeCleanup(input, parsed.ok && parsed.value.kind === 'settings' ? parsed.value.settings : undefined);
  if (!parsed.ok) {
    mustBeGood(parsed.error, input);
    return 'refused';
  }
  if (parsed.value.kind !== 'settings') return 'accepted';
  for (const note of parsed.value.notes) mustBeLine(note);
  mustKeepRules(parsed.value.settings);
  mustBeSameByEnvironment(input, parsed.value.settings);
  return 'accepted';
}

/** What an agent is started with says where things are to `cleanup` as well. */
function judgeCleanup(input: SettingsInput, agent: Settings | undefined): void {
  const parsed = parseCleanupSettings(input);
  mustHold(parsed.ok || agent === undefined, 'Cleanup refuses the command line of an agent');
  if (!parsed.ok) mustBeGood(parsed.error, input);
  if (!parsed.ok || agent === undefined || parsed.value.kind !== 'settings') return;
  const { dryRun, adopt, json, leaseDb, etcd, kube, ...places } = parsed.value.settings;
  const { leases } = agent;
  mustHold(etcd === undefined || isDeepStrictEqual(etcd, leases), 'Another etcd');
  mustHold(isDeepStrictEqual(kube, leases.kind === 'kube' ? leases : undefined), 'Another cluster');
  mustHold(leaseDb === (leases.kind === 'sqlite' ? leases.path : undefined), 'Another lease database');
  mustHold(!dryRun && !adopt && !json, 'A switch that nobody set');
  for (const [name, place] of Object.entries(places))
    mustHold(
      Object.entries(agent).some(([key, value]) => key === name && isDeepStrictEqual(value, place)),
      `Another ${name}`,
    );
}

function mustBeGood(error: ConfigError, { argv, env }: SettingsInput): void {
  const line = describeConfigError(error);
  mustBeLine(line);
  // A password that no flag stands before is not known for one.
  const isMisplaced = argv.some(
    (argument, i) =>
      argument.includes(SECRET) && !(argument === SECRET ? isAlone(argv, i) : SECRET_PLACE.test(argument)),
  );
  const isElsewhere = Object.entries(env).some(
    ([name, value]) => value?.includes(SECRET) && name !== 'FLANNELD_ETCD_PASSWORD',
  );
  mustHold(isMisplaced || isElsewhere || !line.includes(SECRET), 'It shows a password');
}

/** Whether the argument before is the password's flag, and not the value of one before that. */
function isAlone(argv: readonly string[], i: number): boolean {
  return /^--?etcd-password$/.test(argv[i - 1] ?? '') && !/^--?[^=]+$/.test(argv[i - 2] ?? '');
}

function filesOf(leases: Settings['leases']): readonly string[] {
  switch (leases.kind) {
    case 'sqlite':
      return [leases.path];
    case 'etcd':
      return [leases.keyFile, leases.certFile, leases.caFile].filter((path) => path !== undefined);
    case 'kube':
      return leases.kubeconfig === undefined ? [] : [leases.kubeconfig];
  }
}

function mustKeepRules(settings: Settings): void {
  const { netConfigPath, subnetFile, stateDir, socketPath, leases, cni } = settings;
  const ofCni = Object.values(cni ?? {}).filter((path) => path !== undefined);
  for (const path of [netConfigPath, subnetFile, stateDir, socketPath, ...filesOf(leases), ...ofCni])
    mustHold(path.startsWith('/') && !path.includes('\0'), `Path ${JSON.stringify(path)}`);
  mustHold(Buffer.byteLength(socketPath) <= 107, `Socket of ${socketPath.length} characters`);
  const isLater = leases.kind === 'kube' && leases.pod !== undefined;
  mustHold(isLater || isNodeName(settings.nodeName), `Node ${JSON.stringify(settings.nodeName)}`);
  mustHold(isWithin(settings.healthzPort, 0, 65535), `Port ${settings.healthzPort}`);
  mustHold(isWithin(settings.renewMarginMinutes, 1, 1439), `Margin ${settings.renewMarginMinutes}`);
  mustHold(isWithin(settings.verbosity, 0, 2 ** 31 - 1), `Verbosity ${settings.verbosity}`);
  const { names, canReach, publicIpv4, publicIpv6 } = settings.interfaceChoice;
  mustHold(!names.includes(''), 'An interface without a name');
  for (const ip of [canReach, publicIpv4, publicIpv6, settings.healthzIp])
    mustHold(ip === undefined || parseIp(ip) === ip, `Address ${ip}`);
  mustHold(publicIpv4 === undefined || !publicIpv4.includes(':'), 'The IPv4 address is none');
  mustHold(publicIpv6 === undefined || publicIpv6.includes(':'), 'The IPv6 address is none');
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

/** The same flags as variables, as far as variables can say them: not empty, and a list of one entry at most. */
function mustBeSameByEnvironment(input: SettingsInput, settings: Settings): void {
  const parsed = parseArguments(input.argv);
  if (!parsed.ok || parsed.value.kind !== 'flags') throw new Error('The arguments are read in two ways');
  const env: Record<string, string | undefined> = { ...input.env };
  for (const { flag, value } of parsed.value.given.values()) {
    const text = typeof value === 'object' ? value.join() : String(value);
    const isOne = typeof value !== 'object' || value.length === 1;
    if (text === '' || !isOne || flag.name === 'version') return;
    env[environmentName(flag)] = text;
  }
  const again = parseSettings({ ...input, argv: [], env });
  mustHold(
    again.ok && again.value.kind === 'settings',
    'The environment is refused where the arguments are not',
  );
  mustHold(isDeepStrictEqual(again.value.settings, settings), 'The environment gives other settings');
}
