/**
 * Fuzzes everything that reads what comes from outside, a line for each kind of input:
 *
 *     bun test/fuzz/run.ts                                      a million inputs of every kind
 *     bun test/fuzz/run.ts --seed 7 --count 1000 --only netlink
 *
 * The same seed gives the same inputs. An input after which something did not hold is saved; once that is put
 * right it belongs into `test/fuzz/regressions`, which `npm test` tries again. Ends with status 1 on any finding.
 *
 * @module
 */
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import type { Counts } from './fuzz.ts';
import { saveInput } from './target.ts';
import { TARGETS } from './targets.ts';
import { fuzzWatched } from './watch.ts';

const ROOT = join(import.meta.dir, '../..');
const FINDINGS = join(ROOT, 'dist/fuzz');
const COUNT = '1000000';

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
      count: { type: 'string', default: COUNT },
      only: { type: 'string', multiple: true },
    },
  });
  const [seed, count] = [Number(values.seed), Number(values.count)];
  const targets = TARGETS.filter(({ name }) => values.only?.includes(name) ?? true);
  if (!Number.isInteger(seed) || !Number.isInteger(count) || count < 1 || targets.length === 0) {
    console.error(`Expected whole numbers, and some of: ${TARGETS.map(({ name }) => name).join(', ')}`);
    return 1;
  }
  console.log(`seed ${seed}`);
  console.log(row(['target', 'inputs', 'accepted', 'refused', 'per second', 'findings']));
  let findings = 0;
  for (const target of targets) {
    const counts = await fuzzWatched(target, { seed, count });
    findings += counts.findings.length;
    report(target.name, counts);
  }
  console.log(findings === 0 ? 'No finding' : `${findings} findings; their inputs are in dist/fuzz`);
  return findings === 0 ? 0 : 1;
}

function report(name: string, { inputs, accepted, refused, milliseconds, findings }: Counts): void {
  const perSecond = Math.round((inputs * 1000) / milliseconds);
  const numbers = [inputs, accepted, refused, perSecond, findings.length];
  console.log(row([name, ...numbers.map((number) => number.toLocaleString('en'))]));
  for (const { seed, index, what, bytes } of findings) {
    const path = saveInput(FINDINGS, { name, bytes });
    console.log(
      `  input ${index} of seed ${seed}, saved as ${relative(ROOT, path)}\n  ${what.replaceAll('\n', '\n  ')}`,
    );
  }
}

function row([name = '', ...cells]: readonly string[]): string {
  return name.padEnd(14) + cells.map((cell) => cell.padStart(12)).join('');
}

process.exit(await main(process.argv.slice(2)));
