/**
 * Reads `/metrics` as a scraper would.
 *
 * @module
 */
import type { LabNode } from './lab.ts';

/** The text of the node's metrics. */
export async function metricsText(node: LabNode): Promise<string> {
  const answer = await node.agent.get('/metrics');
  if (answer?.status !== 200) throw new Error(`The agent of ${node.name} tells no metrics`);
  return answer.text;
}

/** The values by their series, written as in the text: `name{label="value"}`. */
export async function readMetrics(node: LabNode): Promise<ReadonlyMap<string, number>> {
  const lines = (await metricsText(node)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))] as const;
    }),
  );
}
