/**
 * `flannelette run`: puts the agent together and keeps it running until it is told to stop.
 *
 * @module
 */
import { hostname } from 'node:os';
import { VERSION } from './cli/version.ts';
import { type ConfigError, describeConfigError } from './config/error.ts';
import { keyOf } from './config/flag-values.ts';
import { formatHelp } from './config/help.ts';
import { parseSettings } from './config/settings.ts';
import { createLogger } from './log.ts';
import { ok, type Result } from './model/result.ts';
import { type NetworkContext, type ReadNetwork, readNetConf } from './network.ts';
import { type Prepared, type Running, startAgent } from './start.ts';

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
  const read = networkOf({ settings, given });
  if (!read.ok) return refuse(read.error);
  const conflist = await givenConflist({ settings, given });
  if (!conflist.ok) return refuse(conflist.error);
  const log = createLogger({ format: settings.logFormat, verbosity: settings.verbosity });
  log.info('Starting', {
    version: VERSION,
    node: settings.nodeName === '' ? undefined : settings.nodeName,
    backend: read.value?.network.backend.type,
  });
  for (const note of [...notes, ...(read.value?.notes ?? [])]) log.info('Configuration', { note });
  return await runAgent({ settings, given, network: read.value?.network, conflist: conflist.value, log });
}

/** flanneld has it in etcd where the leases are there, and in a file where they are in Kubernetes. */
function networkOf(context: NetworkContext): Result<ReadNetwork | undefined, ConfigError> {
  return context.settings.leases.kind === 'etcd' ? ok(undefined) : readNetConf(context);
}

async function givenConflist({
  settings,
  given,
}: NetworkContext): Promise<Result<string | undefined, ConfigError>> {
  const { confFile } = settings.cni ?? {};
  if (confFile === undefined) return ok(undefined);
  const { readGivenConflist } = await import('./install/given-conflist.ts');
  return readGivenConflist(confFile, keyOf(given, 'cni-conf-file'));
}

function refuse(error: ConfigError): number {
  console.error(describeConfigError(error));
  return 1;
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

function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}

async function stop(
  { agent, kernel, health, service, notes, log }: Running,
  signal: string,
): Promise<number> {
  service.stopping();
  log.info('Stopping; links, routes and pods stay as they are', { signal });
  agent.stop();
  notes.clear();
  kernel.close();
  await health.close();
  return 0;
}
