/**
 * Lets the agent hear what the kernel announces.
 *
 * @module
 */
import type { Agent } from './agent/agent.ts';
import type { HostPortKeeper } from './agent/host-port-keeper.ts';
import type { AgentJournal } from './agent/journal.ts';
import type { HostEvent } from './agent/underlay-follower.ts';
import type { UnderlayEvent } from './kernel/events.ts';
import type { KernelAccess } from './kernel-access.ts';

/** Who is told besides the agent. */
export interface Hearers {
  readonly journal: AgentJournal;
  readonly hostPorts: Pick<HostPortKeeper, 'heard'>;
  /** If rules are kept in iptables. */
  readonly iptables: { heard(): void } | undefined;
}

/** See the module. */
export function listen(kernel: KernelAccess, agent: Agent, { journal, hostPorts, iptables }: Hearers): void {
  kernel.listen({
    moved: (observed, gone) => agent.moved(observed, gone),
    look: (cause) => {
      agent.look(cause);
      iptables?.heard();
    },
    underlay: (event) => agent.hostEvent(event.kind === 'link' ? linkEvent(event) : event),
    hostPorts: () => hostPorts.heard(),
    ...(iptables === undefined ? {} : { iptables: () => iptables.heard() }),
    onProblem: (trouble) => journal.problem('events', trouble),
    onPassage: () => journal.problem('passage', kernel.passageProblems()[0]),
  });
}

function linkEvent({ name, index, mtuBytes, up, gone }: UnderlayEvent & { kind: 'link' }): HostEvent {
  return { kind: 'link', link: name, index, gone, state: `${name} ${index} ${mtuBytes} ${up} ${gone}` };
}
