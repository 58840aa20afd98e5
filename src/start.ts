/**
 * Starts the agent: waits for what it cannot be without, puts its parts together and connects them.
 *
 * @module
 */
import { collect, MemoryTrimmer } from '../arm/memory.ts';
import { lockFile } from '../ffi/file-lock.ts';
import { sendDatagram } from '../ffi/notify.ts';
import { Agent } from './agent/agent.ts';
import { waitingDocument } from './agent/document.ts';
import { AgentJournal } from './agent/journal.ts';
import { waitingSentence } from './agent/sentence.ts';
import { VERSION } from './cli/version.ts';
import { systemClock } from './clock.ts';
import type { GivenFlags } from './config/flag-values.ts';
import { HealthServer } from './http/server.ts';
import { type Keepers, makeKeepers } from './keepers.ts';
import { FileWatch } from './kernel/file-watch.ts';
import { processAtPort } from './kernel/process.ts';
import { KernelAccess } from './kernel-access.ts';
import { listen } from './listen.ts';
import type { Logger } from './log.ts';
import { LogLimit } from './log-limit.ts';
import type { LeaseStore } from './model/lease-store.ts';
import { StoreMeasures } from './model/measures.ts';
import type { NetworkConfig } from './model/network.ts';
import { problem } from './model/problem.ts';
import { fail, ok } from './model/result.ts';
import type { Settings } from './model/settings.ts';
import type { AgentStatus } from './model/status.ts';
import { judgeStored } from './network.ts';
import { recall } from './recall.ts';
import { createNotifier } from './sd-notify.ts';
import { Service } from './service.ts';
import { openStore } from './store/open.ts';
import { digestOf, StateFile } from './store/state-file.ts';
import { StateLock } from './store/state-lock.ts';
import { untilDone, type Waits } from './until-done.ts';
import { WaitingNotes } from './waiting-note.ts';

/** What is known at the start. */
export interface Prepared {
  readonly settings: Settings;
  /** Where the settings came from. */
  readonly given: GivenFlags;
  /** `undefined` if it is kept with the leases. */
  readonly network: NetworkConfig | undefined;
  /** The text of a conflist to install in place of ours. */
  readonly conflist: string | undefined;
  readonly log: Logger;
}

/** A started agent and what is around it. */
export interface Running {
  readonly agent: Agent;
  readonly kernel: KernelAccess;
  readonly health: HealthServer;
  readonly service: Service;
  readonly notes: WaitingNotes;
  readonly log: Logger;
}

/**
 * See the module.
 *
 * @param onServing gets what ends the start if it is not over when the process is to stop
 */
export async function startAgent(
  prepared: Prepared,
  onServing: (end: () => Promise<void>) => void,
): Promise<Running> {
  const { settings, log } = prepared;
  const notifier = createNotifier({ env: process.env, pid: process.pid, send: sendDatagram });
  const service = new Service(notifier, systemClock);
  let agent: Agent | undefined;
  let kernel: KernelAccess | undefined;
  const readiness = () => agent?.readiness() ?? { ready: false, problems: journal.problems };
  const limit = new LogLimit(log);
  const notes = new WaitingNotes(settings.subnetFile);
  const onNews = () => {
    service.changed();
    notes.update(readiness().problems);
  };
  const journal = new AgentJournal({ log, limit, onNews });
  const measures = new StoreMeasures();
  const trimmer = new MemoryTrimmer(systemClock.schedule);
  const store = await openLeases(prepared, { measures, trimmer });
  const startedMs = systemClock.nowMs();
  const health = new HealthServer({
    sources: {
      readiness,
      status: () => agent?.status() ?? waiting(prepared, { store, startedMs, journal }),
      metrics: async () => {
        const { metricsText } = await import('./metrics/document.ts');
        return metricsText({ version: VERSION, agent, kernel, store: measures, problems: journal.problems });
      },
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
    notes.clear();
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
  const known = await settle(prepared, { store, waits });
  const lock = await takeNode(known, waits);
  kernel = await openKernel(waits);
  const keepers = await makeKeepers({ ...known, journal, kernel, agent: () => agent });
  agent = await makeAgent({ ...known, store, trimmer, lock, journal, service, health, kernel, keepers });
  listen(kernel, agent, { journal, ...keepers });
  agent.start();
  await health.start();
  return { agent, kernel, health, service, notes, log };
}

function openLeases(
  { settings, log }: Prepared,
  { measures, trimmer }: { readonly measures: StoreMeasures; readonly trimmer: MemoryTrimmer },
): Promise<LeaseStore> {
  return openStore({
    settings,
    clock: systemClock,
    random: Math.random,
    log: (text) => log.info('Lease store', { event: text }),
    onUse: measures.observe,
    onBulk: () => trimmer.worked(),
    collect,
  });
}

interface Waiting {
  readonly store: LeaseStore;
  readonly startedMs: number;
  readonly journal: AgentJournal;
}

/** The status before there is an agent. */
function waiting({ settings, network }: Prepared, { store, startedMs, journal }: Waiting): AgentStatus {
  return waitingDocument({
    version: VERSION,
    node: settings.nodeName,
    network,
    store: store.name,
    startedMs,
    problems: journal.problems,
  });
}

/** {@link Prepared}, when nothing is missing any more. */
interface Settled extends Prepared {
  readonly network: NetworkConfig;
}

/** Waits for what only the store knows. */
async function settle(
  prepared: Prepared,
  { store, waits }: { readonly store: LeaseStore; readonly waits: Waits },
): Promise<Settled> {
  const { given, log } = prepared;
  const patience = { ...waits, firstMs: 500, longestMs: 5_000 };
  const { readNodeName, readNetwork } = store;
  let { settings, network } = prepared;
  if (readNodeName !== undefined) {
    const nodeName = await untilDone('node', patience, readNodeName);
    settings = { ...settings, nodeName };
    log.info('Node found', { node: nodeName });
  }
  network ??= await untilDone('network', patience, async () => {
    const text = (await readNetwork?.()) ?? fail(NO_NETWORK);
    if (!text.ok) return text;
    const judged = judgeStored(text.value, store.name, { settings, given });
    if (!judged.ok) return judged;
    for (const note of judged.value.notes) log.info('Configuration', { note });
    return ok(judged.value.network);
  });
  return { ...prepared, settings, network };
}

/** A store without a network's configuration goes with net-conf.json, which has been read by now. */
const NO_NETWORK = problem('network-missing', 'Nothing says what the network is');

/** What an agent is made with. */
interface Surroundings extends Settled {
  readonly store: LeaseStore;
  readonly trimmer: MemoryTrimmer;
  readonly lock: StateLock;
  readonly journal: AgentJournal;
  readonly service: Service;
  readonly health: HealthServer;
  readonly kernel: KernelAccess;
  readonly keepers: Keepers;
}

async function makeAgent(surroundings: Surroundings): Promise<Agent> {
  const { settings, network, log, store, trimmer, lock, journal, service, health, kernel, keepers } =
    surroundings;
  const source = store.source({ node: settings.nodeName, network });
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
    forwarding: (settings) => kernel.forwarding(settings),
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
    otherProblems: () => [...health.problems(), ...keepers.problems(), ...kernel.passageProblems()],
    otherHindrances: () => keepers.hindrances(),
    onIptables: (tables) => keepers.wantIptables(tables),
    onWork: (changes) => {
      trimmer.changed(changes);
      void health.ensure();
      subnetFile.ensure();
      keepers.ensure();
      journal.problem('passage', kernel.passageProblems()[0]);
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

/** A node is one agent's at a time. What cannot be locked is used all the same: the network comes first. */
async function takeNode({ settings, log }: Settled, waits: Waits): Promise<StateLock> {
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
