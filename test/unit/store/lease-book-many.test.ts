import { describe, expect, test } from 'bun:test';
import type { LeaseChange } from '../../../src/model/lease-source.ts';
import type { RawLease } from '../../../src/store/accept.ts';
import { type Random, seededRandom } from '../../fuzz/random.ts';
import { openBook, shown, take } from './books.ts';
import { rawLease } from './samples.ts';

/** The verdict: of two good reasons for a refusal, either may be told. */
function verdict(change: LeaseChange) {
  const { peers, refused } = shown(change);
  return { peers, refused: refused.map(({ node, reason }) => [node, reason.match(/IPv[46]:/g)]) };
}

/** A lease of one of 40 nodes that often claims what others claim, and is often unsound. */
function anyLease(random: Random, order: number): RawLease {
  const n = 1 + random(40);
  const subnets = ['10.3.%.0/24', '10.3.%.0/25', '10.3.%.0/23', '10.3.%.128/26', '10.4.%.0/24'];
  const subnet = (subnets[random(subnets.length)] ?? '').replace('%', String(random(40)));
  return rawLease(n, {
    order,
    subnet: random(5) === 0 ? undefined : subnet,
    subnetV6: random(3) === 0 ? undefined : `fc00:0:0:${random(40).toString(16)}::/64`,
    attributes: rawLease(1 + random(60)).attributes,
  });
}

describe('LeaseBook under random changes', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);

  test(`comes to the same verdict as a book made anew, step by step (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const book = openBook();
    const known = new Map<string, RawLease>();
    let before = verdict(take(book));
    for (let step = 1; step <= 3_000; step++) {
      const raw = anyLease(random, step);
      if (random(4) === 0) {
        known.delete(raw.node);
        book.remove(raw.node);
      } else {
        // A lease keeps its place while it changes.
        const entered = { ...raw, order: known.get(raw.node)?.order ?? raw.order };
        known.set(raw.node, entered);
        book.put(entered);
      }
      if (random(3) === 0) continue;
      const change = book.take();
      const fresh = verdict(take(openBook(...known.values())));
      const after = change === undefined ? before : verdict(change);
      expect(after).toEqual(fresh);
      const names = new Set([...Object.keys(before.peers), ...Object.keys(after.peers)]);
      const differing = [...names].filter((node) => !Bun.deepEquals(before.peers[node], after.peers[node]));
      const told = change?.changed ?? new Set();
      expect(differing.filter((node) => told !== 'all' && !told.has(node))).toEqual([]);
      before = after;
    }
    // As long as a busy machine may need; it takes a second.
  }, 60_000);
});

describe('LeaseBook of 5,000', () => {
  test('takes one change at the price of a few look-ups', () => {
    const attributes = (n: number) => rawLease(n).attributes;
    const many = Array.from({ length: 5_000 }, (_, i) =>
      rawLease(i + 1, {
        subnet: `10.3.${i >> 5}.${(i & 31) << 3}/29`,
        subnetV6: `fc00:0:0:${(i + 1).toString(16)}::/64`,
        attributes: attributes(i + 1),
      }),
    );
    const book = openBook(...many);
    expect(take(book)).toMatchObject({ set: { refused: [] } });
    const startedMs = performance.now();
    for (let i = 0; i < 1_000; i++) {
      book.put(rawLease(7, { subnet: '10.3.0.48/29', attributes: attributes(6_000 + (i & 1)) }));
      expect(book.take()?.changed).toEqual(new Set(['node-7']));
    }
    // Some 20 µs each; going through all leases takes 10 ms each.
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });
});
