/**
 * What the node was before this start, as its files and the store tell it.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { chooseIdentity } from './agent/identity.ts';
import type { AgentParts } from './agent/parts.ts';
import { readSubnetEnv } from './config/subnet-env.ts';
import type { Logger } from './log.ts';
import type { Lease } from './model/lease.ts';
import type { LeaseSource } from './model/lease-source.ts';
import type { Settings } from './model/settings.ts';
import type { StateFile } from './store/state-file.ts';

/** Where the past is written down. */
export interface RecallOptions {
  readonly settings: Settings;
  readonly log: Logger;
  readonly stateFile: StateFile;
  readonly source: LeaseSource;
}

/** See the module. What cannot be read is as if it had not been. */
export async function recall({
  settings,
  log,
  stateFile,
  source,
}: RecallOptions): Promise<Pick<AgentParts, 'formerLinks' | 'published' | 'identity' | 'previous'>> {
  const { state, warning } = stateFile.load();
  if (warning !== undefined) log.warn('State file set aside', { reason: warning });
  const { nodeName } = settings;
  const published = await readPublished(source, nodeName);
  const machineId = readOr('/etc/machine-id', '');
  const identity = chooseIdentity({ published, remembered: state, nodeName, machineId });
  const { ipv4, ipv6 } = readPrevious(settings.subnetFile);
  const previous = { ipv4: ipv4.subnet, ipv6: ipv6.subnet };
  return { formerLinks: state.links, published, identity, previous };
}

/** What peers have been told of this node; what the state directory remembers serves if the store cannot be read. */
async function readPublished(source: LeaseSource, node: string): Promise<Lease | undefined> {
  const own = await source.own(node);
  return own.ok ? own.value : undefined;
}

function readPrevious(path: string): ReturnType<typeof readSubnetEnv> {
  return readSubnetEnv(readOr(path, ''));
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return otherwise;
  }
}
