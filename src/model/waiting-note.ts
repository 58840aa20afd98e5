/**
 * What the agent leaves beside subnet.env while that is not there, so that the CNI plugin can say what is waited for
 * without asking anybody: a JSON object with `message`, `remedy` and `since`.
 *
 * @module
 */
import type { Problem } from './problem.ts';

/** What is waited for. */
export interface WaitingNote extends Pick<Problem, 'message' | 'remedy'> {
  /** Since when, in seconds from the boot of the node: its clock may be set meanwhile. */
  readonly since: number;
}

/** Where it is. */
export function waitingPathOf(subnetFile: string): string {
  return `${subnetFile}.waiting`;
}
