import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promtool } from '../promtool.ts';
import { ALERTS_PATH, DASHBOARD_QUERIES } from '../unit/metrics/queries.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'flannelette-test-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** Has promtool judge a file; JSON is YAML. */
function judge(command: readonly string[], document: object): { status: number; said: string } {
  const path = join(directory, 'document.yaml');
  writeFileSync(path, JSON.stringify(document));
  return promtool([...command, path]);
}

test('promtool accepts the alert rules', () => {
  const { status, said } = promtool(['check', 'rules', ALERTS_PATH]);
  expect({ status, said }).toEqual({ status: 0, said: expect.stringMatching(/SUCCESS: \d+ rules found/) });
});

test('promtool accepts every query of the dashboard', () => {
  const rules = DASHBOARD_QUERIES.map((query, i) => ({
    record: `panel:${i}`,
    expr: query.replaceAll('$__rate_interval', '5m').replaceAll(/\$(job|instance)/g, '.*'),
  }));
  const { status, said } = judge(['check', 'rules'], { groups: [{ name: 'dashboard', rules }] });
  expect({ status, said }).toEqual({
    status: 0,
    said: expect.stringContaining(`${rules.length} rules found`),
  });
});

/** What fires after half an hour in which the series had these values, by the minute; time begins at 0. */
const CASES: readonly {
  what: string;
  series: Readonly<Record<string, string>>;
  fires: string | undefined;
}[] = [
  {
    what: 'all is well',
    fires: undefined,
    series: {
      'up{job="flannelette",instance="a"}': '1x40',
      'flannelette_ready{job="flannelette",instance="a"}': '1x40',
      'flannelette_peers{job="flannelette",instance="a",state="programmed"}': '9x40',
      'flannelette_peers{job="flannelette",instance="a",state="failed"}': '0x40',
      'flannelette_problems{job="flannelette",instance="a",code="fight"}': '0x40',
      'flannelette_lease_expiry_timestamp_seconds{job="flannelette",instance="a"}': '86400x40',
      'flannelette_repairs_total{job="flannelette",instance="a",kind="route",cause="removed"}': '7x40',
    },
  },
  {
    what: 'nobody answers',
    fires: 'FlanneletteDown',
    series: { 'up{job="flannelette",instance="a"}': '0x40' },
  },
  {
    what: 'the node is not ready',
    fires: 'FlanneletteNotReady',
    series: { 'flannelette_ready{job="flannelette",instance="a"}': '0x40' },
  },
  {
    what: 'a peer is missing',
    fires: 'FlannelettePeersMissing',
    series: { 'flannelette_peers{job="flannelette",instance="a",state="failed"}': '1x40' },
  },
  {
    what: 'the lease is not renewed',
    fires: 'FlanneletteLeaseNotRenewed',
    series: { 'flannelette_lease_expiry_timestamp_seconds{job="flannelette",instance="a"}': '2000x40' },
  },
];

test.each(CASES)('promtool sees what fires when $what: $fires', ({ series, fires }) => {
  const alerts = CASES.flatMap((each) => each.fires ?? []);
  const tests = [
    {
      interval: '1m',
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      // Which labels an alert carries is its own affair: what counts is whether it fires.
      promql_expr_test: alerts.map((alert) => ({
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
        eval_time: '30m',
        exp_samples: alert === fires ? [{ labels: '{}', value: 1 }] : [],
      })),
    },
  ];
  const document = { rule_files: [ALERTS_PATH], evaluation_interval: '1m', tests };
  expect(judge(['test', 'rules'], document)).toEqual({ status: 0, said: expect.stringContaining('SUCCESS') });
});
