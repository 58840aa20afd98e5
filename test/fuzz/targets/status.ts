/**
 * What `flannelette status` reads from whoever answers on the socket: it is refused in one line, or shown as
 * printable lines.
 *
 * @module
 */
import { parseStatus } from '../../../src/cli/status-document.ts';
import { formatStatusPage } from '../../../src/cli/status-page.ts';
import { agentStatus, manyPeers, NOW_MS, troubledStatus } from '../../unit/cli/agent-status.ts';
import type { Random } from '../random.ts';
import { spoilText } from '../spoil.ts';
import { mustHold, target, textForm, type Verdict } from '../target.ts';
import { mustBeLine, mustBePrintable } from './text-rules.ts';

const WORDS = [
  ...[
    '"node":"x"',
    '"ready":true',
    '"ready":false',
    '"problems":[]',
    '"peers":[]',
    '"lastPass":',
    '"repairs":',
  ],
  ...['"state":"failed"', '"expiresAt":"2026-11-24T08:48:00.000Z"', '"at":"x"', '"durationMs":', '"pid":'],
  ...['"2026-11-23T08:48:00.000Z"', '"275760-09-13T00:00:00.000Z"', '"vtepMacs":{"a":"b"}', '"\\u001b[31m"'],
];

/** What no person wants to read, unless the document itself says so. */
const NONSENSE = /NaN|undefined|Infinity|\[object /;

/** The body of an agent's answer. */
export const status = target<string>({
  name: 'status',
  samples: [agentStatus(), troubledStatus(), manyPeers(12)].map((each) => JSON.stringify(each)),
  spoil: (random, text, other) => spoilText(random, text, { words: WORDS, other }),
  run: judge,
  ...textForm,
});

function judge(body: string, random: Random): Verdict {
  const parsed = parseStatus(body);
  if (!parsed.ok) {
    mustBeLine(parsed.error);
    return 'refused';
  }
  const page = { nowMs: NOW_MS, colour: random(4) === 0, allPeers: random(2) === 0 };
  const text = formatStatusPage(parsed.value, page);
  mustBePrintable(page.colour ? Bun.stripANSI(text) : text);
  mustHold(text.endsWith('\n'), 'The last line has no end');
  if (!NONSENSE.test(body)) mustHold(!NONSENSE.test(text), `It says '${NONSENSE.exec(text)?.[0]}'`);
  return 'accepted';
}
