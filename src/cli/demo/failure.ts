/**
 * Why the demo, or a laboratory built from its parts, cannot go on.
 *
 * @module
 */

/** Thrown where laying out or running the network fails, and caught in one place, which shows it. */
export class DemoFailure extends Error {
  override readonly name = 'DemoFailure';
  /** What the reader may want to know beyond the message: an agent's last log lines, a remedy. */
  readonly details: readonly string[];

  constructor(message: string, details: readonly string[] = []) {
    super(message);
    this.details = details;
  }
}
