/**
 * The queries of the dashboard and of the alert rules.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';

const K3S = join(import.meta.dir, '../../../k3s');

/** The alert rules. */
export const ALERTS_PATH = join(K3S, 'alerts.yaml');

/** The variable that every panel takes its data source from. */
export const DATASOURCE = `\${datasource}`;

const datasourceSchema = v.object({ uid: v.literal(DATASOURCE) });
const dashboardSchema = v.object({
  templating: v.object({
    list: v.array(v.object({ name: v.string(), type: v.string(), definition: v.optional(v.string(), '') })),
  }),
  panels: v.array(
    v.object({
      id: v.number(),
      type: v.string(),
      title: v.pipe(v.string(), v.nonEmpty()),
      gridPos: v.object({ x: v.number(), y: v.number(), w: v.number(), h: v.number() }),
      datasource: v.optional(datasourceSchema),
      targets: v.optional(v.array(v.object({ expr: v.string(), datasource: datasourceSchema })), []),
    }),
  ),
});

/** `k3s/grafana-dashboard.json`, as far as it is tested. */
export const DASHBOARD = v.parse(
  dashboardSchema,
  JSON.parse(readFileSync(join(K3S, 'grafana-dashboard.json'), 'utf8')),
);

/** The queries of all panels. */
export const DASHBOARD_QUERIES: readonly string[] = DASHBOARD.panels.flatMap(({ targets }) =>
  targets.map(({ expr }) => expr),
);

/** The queries of all alerts. */
export const ALERT_QUERIES: readonly string[] = [
  ...readFileSync(ALERTS_PATH, 'utf8').matchAll(/^ +expr: (.+)$/gm),
].map(([, expr = '']) => expr);
