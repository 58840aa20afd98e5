/**
 * The text format of Prometheus, version 0.0.4.
 *
 * @module
 */
import { Histogram } from '../model/histogram.ts';
import type { Measures } from '../model/measures.ts';
import type { Metric } from './table.ts';

/** All metrics as a scraper reads them; some 10 kB, however many peers there are. */
export function formatMetrics(metrics: readonly Metric[], measures: Measures): string {
  let text = '';
  for (const metric of metrics) text += formatMetric(metric, measures);
  return text;
}

function formatMetric({ name, type, help, labels, read }: Metric, measures: Measures): string {
  let text = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
  for (const [value, ...labelValues] of read(measures)) {
    if (value === undefined) continue;
    const pairs = labels.map((label, at) => `${label}="${escapeLabel(labelValues[at] ?? '')}"`);
    text += value instanceof Histogram ? formatHistogram(name, pairs, value) : line(name, pairs, value);
  }
  return text;
}

function formatHistogram(name: string, pairs: readonly string[], histogram: Histogram): string {
  let text = '';
  let all = 0;
  for (const { bound, count } of histogram.cumulative()) {
    text += line(`${name}_bucket`, [...pairs, `le="${formatNumber(bound)}"`], count);
    all = count;
  }
  return text + line(`${name}_sum`, pairs, histogram.sum) + line(`${name}_count`, pairs, all);
}

function line(name: string, pairs: readonly string[], value: number): string {
  const labels = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  return `${name}${labels} ${formatNumber(value)}\n`;
}

/** Numbers as Go's ParseFloat takes them. */
function formatNumber(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN';
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
