/**
 * Everything that is measured against a real Kubernetes API server.
 *
 * @module
 */
import { BinariesMissing } from '../../go-programs.ts';
import { findBinaries } from '../../kube/binaries.ts';
import { lacking, type Row } from '../row.ts';
import { kubeAwayRows } from './away.ts';
import { kubeChangeRows, kubeStormRows } from './change.ts';
import { KubeStage, type StageOptions } from './stage.ts';
import { kubeRestoredRows, kubeStartRows } from './start.ts';

/** What is measured in one cluster besides starts and changes. */
interface Plan extends StageOptions {
  /** Nodes that report: as kubelets do, which leave no thin Node. */
  readonly storm?: true;
  /** A server that is away for a while. */
  readonly away?: true;
}

const PLANS: readonly Plan[] = [
  { count: 3, fat: true },
  { count: 1_000, fat: false },
  { count: 1_000, fat: true, storm: true, away: true },
  { count: 5_000, fat: false },
  { count: 5_000, fat: true, storm: true },
];
const QUICK_PLANS: readonly Plan[] = [{ count: 50, fat: true, storm: true, away: true }];

/** How much of it. */
export interface KubeOptions {
  readonly quick: boolean;
  /** How long Nodes report that they are well. */
  readonly stormMinutes: number;
}

/** Sections of the bench; none in a hurry where the server is not built. */
export function kubeSections({ quick, stormMinutes }: KubeOptions): [string, () => Promise<Row[]>][] {
  const missing = whatIsMissing();
  if (missing !== undefined)
    return quick ? [] : [['kube', async () => [lacking('kube: everything', missing)]]];
  return (quick ? QUICK_PLANS : PLANS).map((plan) => {
    const { count, fat } = plan;
    const name = `kube, ${count} ${fat ? 'fat' : 'thin'} Nodes`;
    return [name, () => rowsOf(plan, { quick, stormMinutes })];
  });
}

async function rowsOf(plan: Plan, { quick, stormMinutes }: KubeOptions): Promise<Row[]> {
  await using stage = await KubeStage.start(plan);
  const rows = await kubeStartRows(stage, { runs: quick ? 1 : 3, quick });
  rows.push(...(await kubeChangeRows(stage, quick ? 2 : 20)));
  if (plan.storm) rows.push(...(await kubeStormRows(stage, { seconds: quick ? 1 : stormMinutes * 60 })));
  rows.push(...(await kubeRestoredRows(stage, quick ? 1 : 5)));
  if (plan.away)
    rows.push(...(await kubeAwayRows(stage, quick ? { seconds: 1, runs: 1 } : { seconds: 45, runs: 2 })));
  return rows;
}

function whatIsMissing(): string | undefined {
  try {
    findBinaries();
    return undefined;
  } catch (error) {
    if (error instanceof BinariesMissing) return error.message;
    throw error;
  }
}
