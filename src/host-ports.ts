/**
 * The agent's look after the pods' hostPorts, put together.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { HostPortKeeper } from './agent/host-port-keeper.ts';
import type { AgentJournal } from './agent/journal.ts';
import { systemClock } from './clock.ts';
import { PORT_FOLDER, type PortsLook } from './model/host-ports.ts';

/** Makes the keeper of this node. */
export function keepHostPorts(journal: AgentJournal): HostPortKeeper {
  return new HostPortKeeper({ clock: systemClock, random: Math.random, journal, look });
}

/** A node without hostPorts loads nothing for them. */
async function look(): Promise<PortsLook> {
  if (!existsSync(PORT_FOLDER)) return 'right';
  return (await import('./cni/portmap/restore.ts')).restoreHostPorts(PORT_FOLDER);
}
