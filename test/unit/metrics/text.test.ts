import { describe, expect, test } from 'bun:test';
import { METRICS, type Metric } from '../../../src/metrics/table.ts';
import { formatMetrics } from '../../../src/metrics/text.ts';
import { DURATION_BOUNDS } from '../../../src/model/histogram.ts';
import { histogramOf, sampleMeasures } from './measures.ts';

const measures = sampleMeasures();
const text = formatMetrics(METRICS, measures);
const lines = text.trimEnd().split('\n');
const samples = lines.filter((line) => !line.startsWith('#'));

function format(metric: Partial<Metric>): string[] {
  const whole: Metric = { name: 'm', type: 'gauge', help: 'Help.', labels: [], read: () => {}, ...metric };
  return formatMetrics([whole], measures).trimEnd().split('\n');
}

describe('formatMetrics()', () => {
  test('writes the help, the type and a line for each value', () => {
    const read: Metric['read'] = (_, tell) => {
      tell(1, 'a', 'b');
      tell(2.5, 'c', 'd');
    };
    expect(format({ type: 'counter', labels: ['x', 'y'], read })).toEqual([
      '# HELP m Help.',
      '# TYPE m counter',
      'm{x="a",y="b"} 1',
      'm{x="c",y="d"} 2.5',
    ]);
  });

  test('escapes what would end a line or a value', () => {
    const read: Metric['read'] = (_, tell) => tell(1, 'a\\b"c"\nd');
    expect(format({ help: 'back\\slash\nand "quotes"', labels: ['x'], read })).toEqual([
      '# HELP m back\\\\slash\\nand "quotes"',
      '# TYPE m gauge',
      'm{x="a\\\\b\\"c\\"\\nd"} 1',
    ]);
  });

  test('writes numbers as Go reads them, and leaves out what is not known', () => {
    const values = [0, 1e21, 1e-7, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, undefined];
    const read: Metric['read'] = (_, tell) => {
      for (const value of values) tell(value);
    };
    const written = format({ read }).slice(2);
    expect(written).toEqual(['m 0', 'm 1e+21', 'm 1e-7', 'm +Inf', 'm -Inf', 'm NaN']);
  });

  test('writes a histogram with cumulative buckets, of which the last has all', () => {
    const read: Metric['read'] = (_, tell) => tell(histogramOf(0.001, 0.0011, 0.3, 60), 'full');
    const written = format({ type: 'histogram', labels: ['scope'], read }).slice(2);
    const buckets = written.slice(0, -2);
    expect(buckets.length).toBe(DURATION_BOUNDS.length + 1);
    expect(buckets.slice(0, 2)).toEqual([
      'm_bucket{scope="full",le="0.001"} 1',
      'm_bucket{scope="full",le="0.0025"} 2',
    ]);
    expect(buckets.slice(-6)).toEqual([
      'm_bucket{scope="full",le="0.5"} 3',
      'm_bucket{scope="full",le="1"} 3',
      'm_bucket{scope="full",le="2.5"} 3',
      'm_bucket{scope="full",le="5"} 3',
      'm_bucket{scope="full",le="10"} 3',
      'm_bucket{scope="full",le="+Inf"} 4',
    ]);
    expect(written.slice(-2)).toEqual(['m_sum{scope="full"} 60.3021', 'm_count{scope="full"} 4']);
  });
});

describe('METRICS', () => {
  test('no name and no series comes twice', () => {
    const names = METRICS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const series = samples.map((line) => line.slice(0, line.lastIndexOf(' ')));
    expect(new Set(series).size).toBe(series.length);
  });

  test('names say the unit, and counters that they are totals', () => {
    for (const { name, type, help, labels } of METRICS) {
      expect(name).toMatch(/^(flannelette|process)_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      expect(help).toMatch(/^[A-Z].*\.$/);
      for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
    }
  });

  test('what is known comes out, under the labels that belong to it', () => {
    for (const line of [
      'flannelette_build_info{version="1.2.3+abc"} 1',
      'flannelette_ready 0',
      'flannelette_problems{code="object-failed"} 2',
      'flannelette_problems{code="fight"} 1',
      'flannelette_problems{code="starting"} 0',
      'flannelette_peers{state="programmed"} 10',
      'flannelette_refused_leases 2',
      'flannelette_held_removals 4',
      'flannelette_lease_start_timestamp_seconds 1799999000.25',
      'flannelette_lease_expiry_timestamp_seconds 1800000000.5',
      'flannelette_store_heard_timestamp_seconds 1800000000.25',
      'flannelette_pass_duration_seconds_count{scope="full"} 2',
      'flannelette_pass_duration_seconds_bucket{scope="partial",le="0.001"} 1',
      'flannelette_changes_total{result="created"} 30',
      'flannelette_repairs_total{kind="route",cause="removed"} 3',
      'flannelette_repairs_total{kind="route",cause="added"} 0',
      'flannelette_repairs_total{kind="link",cause="changed"} 1',
      'flannelette_netlink_requests_total 99',
      'flannelette_netlink_errors_total{errno="ENODEV"} 2',
      'flannelette_netlink_event_losses_total 1',
      'flannelette_store_operation_duration_seconds_count{operation="read"} 1',
      'flannelette_store_operation_duration_seconds_sum{operation="acquire"} 5.2',
      'flannelette_store_failures_total{operation="read"} 0',
      'flannelette_store_failures_total{operation="acquire"} 1',
      'flannelette_anonymous_memory_bytes 6291456',
      'process_cpu_seconds_total 0.25',
      'process_start_time_seconds 1799999000.12',
      'process_open_fds 21',
    ])
      expect(samples).toContain(line);
  });

  test('what is not known is left out, and the rest stays', () => {
    const { agent, ownProcess } = measures;
    const unknown = {
      ...measures,
      agent: { ...agent, leaseSinceMs: undefined, leaseExpiresMs: undefined, storeHeardMs: undefined },
    };
    const short = formatMetrics(METRICS, { ...unknown, ownProcess: { ...ownProcess, openFiles: undefined } });
    const missing = samples.filter((line) => !short.includes(`\n${line}\n`));
    expect(missing.map((line) => line.split(' ')[0])).toEqual([
      'flannelette_lease_start_timestamp_seconds',
      'flannelette_lease_expiry_timestamp_seconds',
      'flannelette_store_heard_timestamp_seconds',
      'process_open_fds',
    ]);
  });
});
