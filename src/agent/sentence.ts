/**
 * How the agent is, in one sentence: what `systemctl status` shows.
 *
 * @module
 */
import type { Lease } from '../model/lease.ts';
import type { Problem } from '../model/problem.ts';

/** What the sentence is made of. */
export interface SentenceParts {
  readonly ready: boolean;
  /** The most important first. */
  readonly problems: readonly Problem[];
  readonly peers: number;
  readonly backend: string;
  readonly lease: Lease | undefined;
}

/** The sentence while there is no agent yet. */
export function waitingSentence(problems: readonly Problem[]): string {
  return stateSentence({ ready: false, problems, peers: 0, backend: '', lease: undefined });
}

/** `Ready: 12 peers, vxlan, 10.42.1.0/24`, or what stands in the way and what to do about it. */
export function stateSentence({ ready, problems, peers, backend, lease }: SentenceParts): string {
  const subnets = [lease?.ipv4?.subnet, lease?.ipv6?.subnet].filter((each) => each !== undefined);
  const count = `${peers} ${peers === 1 ? 'peer' : 'peers'}`;
  const well = ready
    ? `Ready: ${[count, backend, ...subnets].join(', ')}`
    : problems.length > 0
      ? 'Not ready'
      : 'Starting';
  const [first] = problems;
  if (first === undefined) return well;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return `${well}${ready ? '; but' : ':'} ${first.message}. ${first.remedy}${more}`;
}
