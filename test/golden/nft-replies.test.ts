/** Captured dumps of nftables: what our codecs read from them, beside what nft printed at the same moment. */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import type { Codec } from '../../src/netlink/codec.ts';
import { chainMessage, NF_INET, NFPROTO, ruleMessage, tableMessage } from '../../src/netlink/nftables.ts';
import { Reader } from '../../src/netlink/wire.ts';
import { parseGolden } from './text.ts';

const DIRECTORY = `${import.meta.dir}/replies`;
const place = { family: v.string(), table: v.string() };

const rulesetSchema = v.object({
  nftables: v.array(
    v.object({
      table: v.optional(v.object({ family: v.string(), name: v.string() })),
      chain: v.optional(
        v.object({
          ...place,
          name: v.string(),
          type: v.string(),
          hook: v.string(),
          prio: v.number(),
          policy: v.string(),
        }),
      ),
      rule: v.optional(v.object({ ...place, chain: v.string(), expr: v.array(v.looseObject({})) })),
    }),
  ),
});

const theirs = v.parse(
  rulesetSchema,
  JSON.parse(readFileSync(`${DIRECTORY}/nft-ruleset.json`, 'utf8')),
).nftables;

/** nft's names of the hooks. */
const HOOKS: Readonly<Record<string, number>> = {
  prerouting: NF_INET.PRE_ROUTING,
  forward: NF_INET.FORWARD,
  postrouting: NF_INET.POST_ROUTING,
};

function ours<T>(file: string, codec: Codec<T>): T[] {
  const { messages } = parseGolden(readFileSync(`${DIRECTORY}/${file}.txt`, 'utf8'));
  return messages.map(({ bytes }) => codec.read(new Reader(bytes)));
}

function familyName(family: number): string {
  return family === NFPROTO.IPV4 ? 'ip' : 'ip6';
}

test('tables', () => {
  const read = ours('nft-tables', tableMessage).map(({ header, attrs }) => ({
    family: familyName(header.family),
    name: attrs.name ?? '',
  }));
  expect(read).toEqual(theirs.flatMap(({ table }) => table ?? []));
});

test('chains with their hooks, negative priorities and policies', () => {
  const read = ours('nft-chains', chainMessage).map(({ header, attrs }) => ({
    ...attrs.hook,
    priority: (attrs.hook?.priority ?? 0) | 0,
    family: familyName(header.family),
    table: attrs.table,
    name: attrs.name,
    type: attrs.type,
    policy: attrs.policy,
  }));
  const expected = theirs.flatMap(({ chain }) => {
    if (chain === undefined) return [];
    const { hook, prio: priority, policy, ...rest } = chain;
    return [{ ...rest, number: HOOKS[hook], priority, policy: policy === 'accept' ? 1 : 0 }];
  });
  expect(read).toEqual(expected);
});

test('rules in their order, each with the expressions that make what nft prints', () => {
  const LENGTHS: Readonly<Record<string, number>> = { match: 2, counter: 1, masquerade: 1, accept: 1 };
  const read = ours('nft-rules', ruleMessage);
  const expected = theirs.flatMap(({ rule }) => rule ?? []);
  expect(read.map(({ attrs }) => [attrs.table, attrs.chain])).toEqual(
    expected.map(({ table, chain }) => [table, chain]),
  );
  for (const [i, { attrs }] of read.entries()) {
    const kinds = (attrs.expressions ?? []).map(({ kind }) => kind).filter((kind) => kind !== 'bitwise');
    const names = (expected[i]?.expr ?? []).flatMap((each) => Object.keys(each));
    const length = names.reduce((sum, name) => sum + (LENGTHS[name] ?? 1), 0);
    expect([names, kinds.length]).toEqual([names, length]);
    expect(kinds).not.toContain('unknown');
  }
});
