/**
 * `flannelette run`: puts the agent together and keeps it running until it is told to stop.
 *
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { MemoryTrimmer } from '../arm/memory.ts';
import { sendDatagram } from '../ffi/notify.ts';
import { Agent } from './agent/agent.ts';
import { AgentJournal } from './agent/journal.ts';
import { waitingSentence } from './agent/sentence.ts';
import type { HostEvent } from './agent/underlay-follower.ts';
import { VERSION } from './cli/version.ts';
import { systemClock } from './clock.ts';
import { contradiction } from './config/contradictions.ts';
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
import { backOffMs } from './model/back-off.ts';
import { NOTHING_ASKED, NOTHING_DONE, StoreMeasures, type StoreObserver } from './model/measures.ts';
import type { NetworkConfig } from './model/network.ts';
import type { Problem } from './model/problem.ts';
import { fail, type Result } from './model/result.ts';
import type { Settings } from './model/settings.ts';
import { recall } from './recall.ts';
import { createNotifier } from './sd-notify.ts';
import { Service } from './service.ts';
import { SqliteLeaseSource } from './store/sqlite/source.ts';
import { digestOf, StateFile } from './store/state-file.ts';

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
  const contrary = contradiction({ given, settings, network: network.value.config });
  if (contrary !== undefined) return refuse(contrary);
  const log = createLogger({ format: settings.logFormat, verbosity: settings.verbosity });
  log.info('Starting', {
    version: VERSION,
    node: settings.nodeName,
    backend: network.value.config.backend.type,
  });
  for (const note of [...notes, ...network.value.notes]) log.info('Configuration', { note });
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
  const first = await Promise.race([signal, startAgent(prepared)]);
  if (typeof first !== 'string') return await stop(first, await signal);
  prepared.log.info('Stopping before the start was over', { signal: first });
  return 0;
}

async function startAgent(prepared: Prepared): Promise<Running> {
  const { settings, network, log } = prepared;
  const notifier = createNotifier({ env: process.env, pid: process.pid, send: sendDatagram });
  const service = new Service(notifier, systemClock);
  const journal = new AgentJournal({ log, limit: new LogLimit(log), onNews: () => service.changed() });
  const store = new StoreMeasures();
  let agent: Agent | undefined;
  let kernel: KernelAccess | undefined;
  const readiness = () => agent?.readiness() ?? { ready: false, problems: journal.problems };
  const metrics = () => metricsOf({ agent, kernel, store, problems: journal.problems });
  const health = new HealthServer({
    sources: { readiness, status: () => agent?.status(), metrics },
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
  kernel = await openKernel(journal, () => {
    service.seen('pass');
    void health.start();
  });
  agent = await makeAgent({ settings, network, log, journal, service, health, kernel, onUse: store.observe });
  listen(kernel, agent, journal);
  agent.start();
  await health.start();
  return { agent, kernel, health, service, log };
}

/** What an agent is made with. */
interface Surroundings extends Prepared {
  readonly journal: AgentJournal;
  readonly service: Service;
  readonly health: HealthServer;
  readonly kernel: KernelAccess;
  readonly onUse: StoreObserver;
}

async function makeAgent({
  settings,
  network,
  log,
  journal,
  service,
  health,
  kernel,
  onUse,
}: Surroundings): Promise<Agent> {
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
      return stateFile.save({ ...identity, links: [...claims.links].sort(), subnetEnvDigest });
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
    moved: (observed, gone) => agent.moved(observed, gone),
  });
  return agent;
}

/** What makes the text is loaded by the first who asks. */
async function metricsOf({ agent, kernel, store, problems }: Measured): Promise<string> {
  const { metricsText } = await import('./metrics/document.ts');
  return metricsText({
    version: VERSION,
    agent: agent?.measures() ?? { ...NOTHING_DONE, problems },
    kernel: kernel?.measures() ?? NOTHING_ASKED,
    store,
  });
}

/** What `/metrics` tells of; there is neither agent nor kernel while no netlink socket can be opened. */
interface Measured {
  readonly agent: Agent | undefined;
  readonly kernel: KernelAccess | undefined;
  readonly store: StoreMeasures;
  readonly problems: readonly Problem[];
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

/** Netlink sockets need no privilege; without them nothing can be done but to wait (file limit, no netlink). */
async function openKernel(journal: AgentJournal, onWait: () => void): Promise<KernelAccess> {
  for (let failures = 1; ; failures++) {
    const opened: Result<KernelAccess, Problem> = KernelAccess.open(systemClock);
    journal.problem('events', opened.ok ? undefined : opened.error);
    if (opened.ok) return opened.value;
    onWait();
    const delayMs = backOffMs(failures, { random: Math.random, firstMs: 1_000, longestMs: OPEN_MS_MAX });
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
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
