import { expect, test } from 'bun:test';
import { METRICS } from '../../../src/metrics/table.ts';
import { ALERT_QUERIES, DASHBOARD, DASHBOARD_QUERIES, DATASOURCE } from './queries.ts';

/** What the dashboard does not show: limits that hardly change, and what says nothing of the agent. */
const LEFT_OUT = ['process_virtual_memory_bytes', 'process_max_fds'];

const { panels, templating } = DASHBOARD;

const histograms = METRICS.filter(({ type }) => type === 'histogram').map(({ name }) => name);

/** The metrics that a query names, whichever of a histogram's series it takes. */
function metricsIn(query: string): string[] {
  return [...query.matchAll(/\b(?:flannelette|process)_\w+/g)].map(([series]) => {
    const base = series.replace(/_(bucket|sum|count)$/, '');
    return histograms.includes(base) && base !== series ? base : series;
  });
}

/** The labels that a query selects or groups by. */
function labelsIn(query: string): string[] {
  const groups = [...query.matchAll(/\b(?:by|without|on) \(([^)]*)\)/g)].map(([, list = '']) =>
    list.split(', '),
  );
  const matchers = [...query.matchAll(/([a-z_]+)(?:=~|!=|=)"/g)].map(([, label = '']) => label);
  return [...groups.flat(), ...matchers];
}

test('the dashboard shows every metric that there is, and no other', () => {
  const queries = [...DASHBOARD_QUERIES, ...templating.list.map(({ definition }) => definition)];
  const shown = new Set(queries.flatMap(metricsIn));
  const names = METRICS.map(({ name }) => name);
  expect([...shown, ...LEFT_OUT].sort()).toEqual(names.sort());
});

test('the dashboard takes its data source, and which agents, from variables', () => {
  expect(templating.list.map(({ name }) => name)).toEqual(['datasource', 'job', 'instance']);
  expect(templating.list[0]?.type).toBe('datasource');
  for (const expr of DASHBOARD_QUERIES) expect(expr).toContain('{job=~"$job", instance=~"$instance"}');
  const charts = panels.filter(({ type }) => type !== 'row');
  for (const { datasource, targets } of charts)
    expect([datasource, targets.length > 0]).toEqual([{ uid: DATASOURCE }, true]);
});

test('the panels have room of their own', () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
});

test('alerts name only metrics that there are', () => {
  const names = METRICS.map(({ name }) => name);
  expect(ALERT_QUERIES.length).toBeGreaterThan(5);
  for (const expr of ALERT_QUERIES) for (const name of metricsIn(expr)) expect(names).toContain(name);
});

test('queries use only labels that their metrics have', () => {
  const common = ['job', 'instance', 'le'];
  for (const expr of [...DASHBOARD_QUERIES, ...ALERT_QUERIES]) {
    const used = metricsIn(expr);
    const known = METRICS.filter(({ name }) => used.includes(name)).flatMap(({ labels }) => labels);
    for (const label of labelsIn(expr))
      expect({ expr, label, known: [...common, ...known].includes(label) }).toEqual({
        expr,
        label,
        known: true,
      });
  }
});
