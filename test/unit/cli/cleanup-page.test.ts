/** What `flannelette cleanup` prints. @module */
import { expect, test } from 'bun:test';
import { cleanupJson, formatDone, formatPlanned } from '../../../src/cli/cleanup/page.ts';
import { CLEANUP_USAGE } from '../../../src/cli/cleanup/usage.ts';
import { styleOf } from '../../../src/cli/style.ts';
import { printable } from '../../../src/model/printable.ts';
import type { Left } from '../../../src/removal/findings.ts';
import type { Step } from '../../../src/removal/step.ts';
import { prefix } from '../../sim/samples.ts';

const PLAIN = styleOf(false);

const STEPS: readonly Step[] = [
  { kind: 'file', path: '/run/flannel/subnet.env', part: 'network' },
  { kind: 'lease', database: '/srv/leases.db', node: 'pi-1', subnets: [prefix('10.42.1.0/24')] },
  { kind: 'directory', path: "/var/it's here" },
];

const LEFT: readonly Left[] = [
  { what: 'the lease', why: 'no database was named', whose: 'maybe' },
  ...[1, 2, 3, 4, 5, 6, 7].map((n): Left => ({ what: `route ${n}`, why: 'of flanneld', whose: 'others' })),
  { what: '/state', why: 'EROFS', whose: 'ours' },
];

test('a dry run is a script: all but its commands are comments', () => {
  expect(
    formatPlanned({ node: 'pi-1', steps: STEPS, left: LEFT, agent: 'An agent runs here (process 4711)' }),
  ).toBe(`\
# An agent runs here (process 4711): it has to be stopped before, or it puts everything back
# What cleanup would remove from node pi-1, in this order; nothing was changed
rm /run/flannel/subnet.env
# the lease 10.42.1.0/24 of node pi-1 in /srv/leases.db
rmdir '/var/it'\\''s here'
# Left, and flannelette's:
#   /state: EROFS
# Left, and perhaps flannelette's:
#   the lease: no database was named
# Left, not flannelette's to remove:
#   route 1, route 2, route 3, route 4, route 5 and 2 more: of flanneld
`);
});

test('what was done is the same list with what became of it', () => {
  const outcomes = STEPS.map((step, i) => ({ step, error: i === 1 ? 'it is locked' : undefined }));
  expect(formatDone({ node: 'pi-1', outcomes, left: LEFT.slice(0, 1) }, PLAIN)).toBe(`\
✓ rm /run/flannel/subnet.env
✗ the lease 10.42.1.0/24 of node pi-1 in /srv/leases.db: it is locked
✓ rmdir '/var/it'\\''s here'
Left, and perhaps flannelette's:
  the lease: no database was named
Removed 2 from node pi-1; 2 left, see above
`);
});

test.each([
  [[], 'Nothing to remove'],
  [[{ what: 'x', why: 'y', whose: 'others' } as const], 'Nothing to remove'],
  [[{ what: 'x', why: 'y', whose: 'ours' } as const], 'Nothing was removed; 1 left, see above'],
])('the last line for nothing done and %j left', (left, last) => {
  expect(formatDone({ node: 'pi-1', outcomes: [], left }, PLAIN).trimEnd().split('\n').at(-1)).toBe(last);
  const planned = formatPlanned({ node: 'pi-1', steps: [], left, agent: undefined });
  expect(planned.split('\n')[0]).toBe('# Nothing to remove');
});

test('names cannot move the cursor, nor end a comment', () => {
  const hostile = 'a\u001b[2J\nreboot\u202e';
  const left: Left[] = [{ what: hostile, why: hostile, whose: 'others' }];
  const steps: Step[] = [
    { kind: 'lease', database: hostile, node: hostile, subnets: [] },
    { kind: 'file', path: hostile, part: 'state' },
  ];
  const planned = formatPlanned({ node: hostile, steps, left, agent: undefined });
  const done = formatDone(
    { node: hostile, outcomes: steps.map((step) => ({ step, error: hostile })), left },
    PLAIN,
  );
  for (const text of [planned, done]) {
    expect(text.replaceAll('\n', '')).toBe(printable(text.replaceAll('\n', '')));
    expect(text.split('\n').filter((line) => line.startsWith('reboot'))).toEqual([]);
  }
});

test('cleanupJson() is one line with every step and everything left', () => {
  const text = cleanupJson({
    node: 'pi-1',
    outcomes: STEPS.map((step) => ({ step, error: undefined })),
    left: LEFT,
  });
  expect(text.trimEnd()).not.toContain('\n');
  const parsed: unknown = JSON.parse(text);
  expect(parsed).toMatchObject({
    node: 'pi-1',
    dryRun: false,
    steps: [
      { kind: 'file', what: 'rm /run/flannel/subnet.env', outcome: 'removed' },
      { kind: 'lease', outcome: 'removed' },
      { kind: 'directory', outcome: 'removed' },
    ],
    left: [...LEFT],
  });
});

test('the help fits a terminal of 100 columns', () => {
  expect(CLEANUP_USAGE.split('\n').filter((line) => line.length > 100)).toEqual([]);
});
