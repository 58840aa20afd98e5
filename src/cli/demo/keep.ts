/**
 * How to look around in a network that `--keep` leaves up.
 *
 * @module
 */
import type { Netns } from '../../../ffi/netns.ts';
import type { Agent } from './agents.ts';
import type { Inside } from './isolate.ts';
import type { Pod } from './pods.ts';

/** Says how to enter a node and a pod from outside, how to ask an agent, and how to end it all. */
export function keepHints(inside: Inside, { agent, pod }: { agent: Agent; pod: Pod }): string {
  const peer = [...pod.ips.values()][0];
  return [
    'It stays up until Ctrl-C. To look around, in another terminal:',
    '',
    `  enter ${agent.node.name}        ${enterCommand(inside, agent.node.netns)}`,
    `  enter its pod       ${enterCommand(inside, pod.netns)}`,
    `  ask its agent       ${process.execPath} status --socket ${agent.socketPath}`,
    `  end it all          kill ${inside.outerPid}`,
    '',
    ...(peer === undefined
      ? []
      : [`The pod's address is ${peer}; leases, logs and sockets are in ${inside.directory}.`]),
  ].join('\n');
}

/**
 * The command of util-linux that starts a shell in a namespace. The demo holds its namespaces by descriptors;
 * an ordinary user has to enter the user namespace that owns them first.
 */
export function enterCommand({ pid, mapped }: Inside, netns: Netns): string {
  const user = mapped ? `--user --preserve-credentials --target ${pid} ` : '';
  return `nsenter ${user}--net=/proc/${pid}/fd/${netns.fd}`;
}
