/**
 * `flannelette run`: puts the agent together and keeps it running until it is told to stop.
 *
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { MemoryTrimmer } from '../arm/memory.ts';
import { lockFile } from '../ffi/file-lock.ts';
import { sendDatagram } from '../ffi/notify.ts';
import { Agent } from './agent/agent.ts';
import { waitingDocument } from './agent/document.ts';
import { AgentJournal } from './agent/journal.ts';
import { waitingSentence } from './agent/sentence.ts';
import type { HostEvent } from './agent/underlay-follower.ts';
import { VERSION } from './cli/version.ts';
import { systemClock } from './clock.ts';
import { contradiction, unusedAddresses } from './config/contradictions.ts';
import { type ConfigError, describeConfigError } from './config/error.ts';
import { formatHelp } from './config/help.ts';
import { parseNetConf } from './config/net-conf.ts';
import { parseSettings } from './config/settings.ts';
import { HealthServer } from './http/server.ts';
import type { UnderlayEvent } from './kernel/events.ts';
import { FileWatch } from './kernel/file-watch.ts';
import { processAtPort } from './kernel/process.ts';
import { KernelAccess } from './kernel-access.ts';
import { createLogger, type Logger } from './log.ts';
import { LogLimit } from './log-limit.ts';
import { StoreMeasures, type StoreObserver } from './model/measures.ts';
import type { NetworkConfig } from './model/network.ts';
import { fail, ok } from './model/result.ts';
import type { Settings } from './model/settings.ts';
import { recall } from './recall.ts';
import { createNotifier } from './sd-notify.ts';
import { Service } from './service.ts';
import { SqliteLeaseSource } from './store/sqlite/source.ts';
import { digestOf, StateFile } from './store/state-file.ts';
import { StateLock } from './store/state-lock.ts';
import { untilDone, type Waits } from './until-done.ts';

/**
 * Runs the agent.
 *
 * @returns the exit status: 0 after a signal to stop, 1 for bad configuration
 */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseSettings({ argv, env: process.env, hostName: hostname(), cwd: process.cwd() });
  if (!parsed.ok) return refuse(parsed.error);
  if (parsed.value.kind === 'help') {
    console.log(formatHelp());
    return 0;
  }
  if (parsed.value.kind === 'version') return (await import('./cli/version.ts')).versionCommand([]);
  const { settings, given, notes } = parsed.value;
  const network = readNetConf(settings.netConfigPath);
  if (!network.ok) return refuse(network.error);
  const told = { given, settings, network: network.value.config };
  const contrary = contradiction(told);
  if (contrary !== undefined) return refuse(contrary);
  const log = createLogger({ format: settings.logFormat, verbosity: settings.verbosity });
  log.info('Starting', {
    version: VERSION,
    node: settings.nodeName,
    backend: network.value.config.backend.type,
  });
  const remarks = [...notes, ...network.value.notes, ...unusedAddresses(told)];
  for (const note of remarks) log.info('Configuration', { note });
  return await runAgent({ settings, network: network.value.config, log });
}

function refuse(error: ConfigError): number {
  console.error(describeConfigError(error));
  return 1;
}

function readNetConf(path: string): ReturnType<typeof parseNetConf> {
  let text: string;
  try {
    // What is no file may have no end, or never begin.
    if (!statSync(path).isFile()) throw new Error('not a regular file');
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const value = `${path} (${error instanceof Error ? error.message : String(error)})`;
    return fail({ kind: 'invalid', key: 'net-config-path', value, expected: 'a readable net-conf.json' });
  }
  const parsed = parseNetConf(text);
  return parsed.ok ? parsed : fail({ ...parsed.error, expected: `${parsed.error.expected} (in ${path})` });
}

interface Prepared {
  readonly settings: Settings;
  readonly network: NetworkConfig;
  readonly log: Logger;
}

async function runAgent(prepared: Prepared): Promise<number> {
  // Before anything that may take time: the first process of a container gets no signal that it does not handle.
  const signal = untilSignal();
  let endEarly = () => Promise.resolve();
  const started = startAgent(prepared, (end) => {
    endEarly = end;
  });
  const first = await Promise.race([signal, started]);
  if (typeof first !== 'string') return await stop(first, await signal);
  prepared.log.info('Stopping before the start was over', { signal: first });
  await endEarly();
  return 0;
}

async function startAgent(
  prepared: Prepared,
  onServing: (end: () => Promise<void>) => void,
): Promise<Running> {
  const { settings, network, log } = prepared;
  const notifier = createNotifier({ env: process.env, pid: process.pid, send: sendDatagram });
  const service = new Service(notifier, systemClock);
  const limit = new LogLimit(log);
  const journal = new AgentJournal({ log, limit, onNews: () => service.changed() });
  const store = new StoreMeasures();
  let agent: Agent | undefined;
  let kernel: KernelAccess | undefined;
  const readiness = () => agent?.readiness() ?? { ready: false, problems: journal.problems };
  const startedMs = systemClock.nowMs();
  const waiting = () =>
    waitingDocument({ version: VERSION, settings, network, startedMs, problems: journal.problems });
  const metrics = async () => {
    const { metricsText } = await import('./metrics/document.ts');
    return metricsText({ version: VERSION, agent, kernel, store, problems: journal.problems });
  };
  const health = new HealthServer({
    sources: {
      readiness,
      status: () => agent?.status() ?? waiting(),
      metrics,
      onError: ({ message }) => limit.for('answer').error('Cannot answer', { reason: message }),
    },
    clock: systemClock,
    socketPath: settings.socketPath,
    healthzIp: settings.healthzIp,
    healthzPort: settings.healthzPort,
    onAnswer: () => service.seen('answer'),
    onProblem: (listener, trouble) => journal.problem(listener, trouble),
  });
  service.begin({
    isReady: () => readiness().ready,
    sentence: () => agent?.sentence() ?? waitingSentence(journal.problems),
    prove: (proof) => void (proof === 'pass' ? agent?.prove() : health.probe()),
  });
  onServing(async () => {
    service.stopping();
    await health.close();
  });
  const waits = {
    journal,
    clock: systemClock,
    random: Math.random,
    onWait: () => {
      service.seen('pass');
      void health.start();
    },
  };
  const lock = await takeNode(prepared, waits);
  kernel = await openKernel(waits);
  agent = await makeAgent({ ...prepared, lock, journal, service, health, kernel, onUse: store.observe });
  listen(kernel, agent, journal);
  agent.start();
  await health.start();
  return { agent, kernel, health, service, log };
}

/** What an agent is made with. */
interface Surroundings extends Prepared {
  readonly lock: StateLock;
  readonly journal: AgentJournal;
  readonly service: Service;
  readonly health: HealthServer;
  readonly kernel: KernelAccess;
  readonly onUse: StoreObserver;
}

async function makeAgent(surroundings: Surroundings): Promise<Agent> {
  const { settings, network, log, lock, journal, service, health, kernel, onUse } = surroundings;
  const source = new SqliteLeaseSource({
    path: settings.leaseDb,
    network,
    node: settings.nodeName,
    renewMarginMinutes: settings.renewMarginMinutes,
    log: (text) => log.info('Lease store', { event: text }),
    onUse,
  });
  const trimmer = new MemoryTrimmer(systemClock.schedule);
  trimmer.worked();
  const stateFile = new StateFile(settings.stateDir);
  const { formerLinks, published, identity, previous } = await recall({ settings, log, stateFile, source });
  const agent: Agent = new Agent({
    version: VERSION,
    uptimeMs: () => performance.now(),
    settings,
    network,
    target: kernel.target,
    readHost: (canReach) => kernel.readHost(canReach),
    source,
    identity,
    previous,
    published,
    formerLinks,
    clock: systemClock,
    random: Math.random,
    whoIs: processAtPort,
    yieldNow: () => new Promise((resolve) => setImmediate(resolve)),
    journal,
    onClaims: (claims, [subnetEnv]) => {
      kernel.setClaims(claims);
      const subnetEnvDigest = subnetEnv && digestOf(subnetEnv.text);
      const links = [...claims.links].sort();
      // A directory that could not be locked at the start may be there by now.
      return stateFile.save({ ...identity, links, subnetEnvDigest }) ?? lock.problem();
    },
    otherProblems: () => health.problems(),
    onWork: (changes) => {
      trimmer.changed(changes);
      void health.ensure();
      subnetFile.ensure();
    },
    onAlive: () => service.seen('pass'),
  });
  const subnetFile = new FileWatch({
    path: settings.subnetFile,
    clock: systemClock,
    moved: (observed, gone) => agent.moved(observed, gone),
  });
  return agent;
}

/** Lets the agent hear what the kernel announces. */
function listen(kernel: KernelAccess, agent: Agent, journal: AgentJournal): void {
  kernel.listen({
    moved: (observed, gone) => agent.moved(observed, gone),
    look: (cause) => agent.look(cause),
    underlay: (event) => agent.hostEvent(event.kind === 'link' ? linkEvent(event) : event),
    onProblem: (trouble) => journal.problem('events', trouble),
  });
}

/** A node is one agent's at a time. What cannot be locked is used all the same: the network comes first. */
async function takeNode({ settings, log }: Prepared, waits: Waits): Promise<StateLock> {
  const lock = new StateLock({ directory: settings.stateDir, nodeName: settings.nodeName, lockFile });
  await untilDone('lock', { ...waits, firstMs: 100, longestMs: 1_000 }, () => {
    const outcome = lock.take();
    if (outcome.kind === 'impossible') log.warn('State directory not locked', { reason: outcome.reason });
    return outcome.kind === 'taken' ? fail(outcome.problem) : ok(undefined);
  });
  return lock;
}

/** Netlink sockets need no privilege; without them nothing can be done but to wait (file limit, no netlink). */
function openKernel(waits: Waits): Promise<KernelAccess> {
  return untilDone('events', { ...waits, firstMs: 1_000, longestMs: OPEN_MS_MAX }, () =>
    KernelAccess.open(systemClock),
  );
}

/** Each try is a sign of life, so they must not be far apart. */
const OPEN_MS_MAX = 10_000;

function linkEvent({ name, index, mtuBytes, up, gone }: UnderlayEvent & { kind: 'link' }): HostEvent {
  return { kind: 'link', link: name, index, gone, state: `${name} ${index} ${mtuBytes} ${up} ${gone}` };
}

function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}

interface Running {
  readonly agent: Agent;
  readonly kernel: KernelAccess;
  readonly health: HealthServer;
  readonly service: Service;
  readonly log: Logger;
}

async function stop({ agent, kernel, health, service, log }: Running, signal: string): Promise<number> {
  service.stopping();
  log.info('Stopping; links, routes and pods stay as they are', { signal });
  agent.stop();
  kernel.close();
  await health.close();
  return 0;
}
