/**
 * Spoiled rules of nf_tables: they are read as rules of ours or as foreign ones, and what is read as one of ours is
 * that when it is written.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import { isOwn, ownText, stepOf } from '../../../src/kernel/chain-rules.ts';
import { expressionsOf, ruleOf } from '../../../src/kernel/rule-expressions.ts';
import { FAMILIES } from '../../../src/model/ip.ts';
import { ruleMessage } from '../../../src/netlink/nftables.ts';
import { DecodeError, Reader } from '../../../src/netlink/wire.ts';
import { spoilBytes } from '../spoil.ts';
import { jsonForm, mustHold, target, type Verdict } from '../target.ts';
import { capturedMessages } from './captured.ts';

/** The payload of a message, as hex. */
interface Rule {
  readonly hex: string;
}

/** Rules as the kernel shows them. */
export const rules = target<Rule>({
  name: 'rules',
  samples: capturedMessages()
    .filter(({ codec }) => codec === ruleMessage.name)
    .map(({ bytes }) => ({ hex: bytes.toHex() })),
  spoil: (random, { hex }, other) => ({
    hex: spoilBytes(random, Uint8Array.fromHex(hex), Uint8Array.fromHex(other.hex)).toHex(),
  }),
  run: ({ hex }) => read(Uint8Array.fromHex(hex)),
  ...jsonForm<Rule>(),
});

function read(bytes: Uint8Array): Verdict {
  try {
    const { attrs } = ruleMessage.read(new Reader(bytes));
    const { expressions = [] } = attrs;
    const text = ownText(expressions, FAMILIES);
    if (isOwn(expressions, attrs.userData)) mustHold(text !== '', 'A rule of ours has no text');
    for (const family of FAMILIES) {
      const step = stepOf(expressions, family);
      mustHold(step?.kind !== 'jump' || step.chain !== undefined, 'A jump leads nowhere');
      const rule = ruleOf(attrs.expressions ?? [], family);
      if ('foreign' in rule) continue;
      const again = ruleOf(expressionsOf(rule, family), family);
      mustHold(isDeepStrictEqual(again, rule), `Written and read again it is ${JSON.stringify(again)}`);
    }
    return 'accepted';
  } catch (error) {
    if (error instanceof DecodeError) return 'refused';
    throw error;
  }
}
