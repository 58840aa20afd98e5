/**
 * The text format of Prometheus, version 0.0.4.
 *
 * What is made on the way to the text stays until the next collection, and a node is scraped four times a minute: hence
 * no lists of lines, values or labels, which were half of it.
 *
 * @module
 */
import { DURATION_BOUNDS, Histogram } from '../model/histogram.ts';
import type { Measures } from '../model/measures.ts';
import type { Metric } from './table.ts';

/** All metrics as a scraper reads them; some 12 kB, however many peers there are. */
export function formatMetrics(metrics: readonly Metric[], measures: Measures): string {
  let text = '';
  for (const { name, type, help, labels, read } of metrics) {
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    read(measures, (value, first, second) => {
      if (value === undefined) return;
      const pairs = pair(labels[0], first) + (second === undefined ? '' : `,${pair(labels[1], second)}`);
      if (value instanceof Histogram) text += formatHistogram(name, pairs, value);
      else text += `${name}${braced(pairs)} ${formatNumber(value)}\n`;
    });
  }
  return text;
}

const BOUNDS: readonly string[] = [...DURATION_BOUNDS.map(String), '+Inf'];

function formatHistogram(name: string, pairs: string, histogram: Histogram): string {
  const begin = `${name}_bucket{${pairs}${pairs === '' ? '' : ','}le="`;
  let text = '';
  let count = 0;
  for (let place = 0; place < BOUNDS.length; place++) {
    count += histogram.countAt(place);
    text += `${begin}${BOUNDS[place]}"} ${count}\n`;
  }
  const labels = braced(pairs);
  return `${text}${name}_sum${labels} ${formatNumber(histogram.sum)}\n${name}_count${labels} ${count}\n`;
}

function pair(label: string | undefined, value: string | undefined): string {
  return label === undefined || value === undefined ? '' : `${label}="${escapeLabel(value)}"`;
}

function braced(pairs: string): string {
  return pairs === '' ? '' : `{${pairs}}`;
}

/** Numbers as Go's ParseFloat takes them. */
function formatNumber(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN';
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return /[\\\n"]/.test(text) ? escapeHelp(text).replaceAll('"', '\\"') : text;
}
