import { describe, expect, test } from 'bun:test';
import type { Lease } from '../../../src/model/lease.ts';
import { ok } from '../../../src/model/result.ts';
import type { RawLease } from '../../../src/store/accept.ts';
import { judgeLease } from '../../../src/store/accept.ts';
import { openBook, shown, take } from './books.ts';
import { ip, network, prefix, rawLease, sure, vtep } from './samples.ts';

function lease(raw: RawLease): Lease {
  return sure(judgeLease(raw, network()).lease, raw.node);
}

/** Lease `n` with the addresses and MACs of `m`. */
function disguised(n: number, m: number, different: Partial<RawLease> = {}): RawLease {
  return rawLease(n, { attributes: rawLease(m).attributes, ...different });
}

function ownLease(different: Partial<Lease> = {}): Lease {
  return { ...lease(rawLease(200)), node: 'me', ...different };
}

describe('LeaseBook', () => {
  test('tells everything at first, then what has changed', () => {
    const book = openBook(rawLease(1), rawLease(2));
    const first = take(book);
    expect(first.changed).toBe('all');
    expect(first.set.synced).toBe(true);
    expect(shown(first)).toEqual({
      peers: { 'node-1': lease(rawLease(1)), 'node-2': lease(rawLease(2)) },
      refused: [],
    });
    expect(book.take()).toBeUndefined();

    book.put(rawLease(3));
    book.put(rawLease(2));
    book.remove('node-1');
    book.remove('node-9');
    const second = take(book);
    expect(second.changed).toEqual(new Set(['node-1', 'node-3']));
    expect(Object.keys(shown(second).peers).sort()).toEqual(['node-2', 'node-3']);
    expect(book.take()).toBeUndefined();
  });

  test('tells an empty first list too', () => {
    expect(take(openBook())).toMatchObject({ changed: 'all', set: { refused: [], synced: true } });
  });

  test('tells everything again when asked to', () => {
    const book = openBook(rawLease(1));
    take(book);
    book.retell();
    expect(take(book)).toMatchObject({ changed: 'all' });
  });

  test('leaves the own node out', () => {
    const book = openBook(rawLease(1, { node: 'me' }));
    expect(shown(take(book))).toEqual({ peers: {}, refused: [] });
  });

  test('tells a change of one family only', () => {
    const book = openBook(rawLease(1), rawLease(2));
    take(book);
    book.put(rawLease(2, { subnetV6: undefined }));
    const change = take(book);
    expect(change.changed).toEqual(new Set(['node-2']));
    expect(change.set.peers.get('node-2')).toEqual({ ...lease(rawLease(2)), ipv6: undefined });
  });

  test('shows what is refused, in the order in which the leases were made', () => {
    const book = openBook(rawLease(3, { subnet: 'x' }), rawLease(1, { node: 'b c' }), rawLease(2));
    const { set } = take(book);
    expect(set.refused).toEqual([
      { node: 'b c', reason: "Node name 'b c' is not a name" },
      { node: 'node-3', reason: "IPv4: subnet 'x' is not a network" },
    ]);
    expect(set.peers.get('node-3')).toEqual({ ...lease(rawLease(3)), ipv4: undefined });
  });

  test('tells a refusal that comes, changes or goes, though no peer does', () => {
    const book = openBook(rawLease(1));
    take(book);
    book.put(rawLease(2, { node: 'b c' }));
    expect(take(book)).toMatchObject({ changed: new Set(), set: { refused: [{ node: 'b c' }] } });
    book.put(rawLease(2, { node: 'b c', subnet: undefined }));
    expect(book.take()).toBeUndefined();
    book.remove('b c');
    expect(take(book)).toMatchObject({ changed: new Set(), set: { refused: [] } });
  });
});

describe('LeaseBook with disputes among peers', () => {
  test.each([1, 2])('gives a subnet to the lease that was made first, whoever comes first (%#)', (turn) => {
    const early = rawLease(1);
    const late = rawLease(2, { subnet: '10.3.1.0/24' });
    const book = openBook(...(turn === 1 ? [early, late] : [late, early]));
    expect(shown(take(book))).toEqual({
      peers: { 'node-1': lease(rawLease(1)), 'node-2': { ...lease(rawLease(2)), ipv4: undefined } },
      refused: [{ node: 'node-2', reason: "IPv4: subnet '10.3.1.0/24' overlaps that of 'node-1'" }],
    });
  });

  test.each([
    ['10.3.0.0/22', '10.3.2.0/24'],
    ['10.3.2.0/24', '10.3.0.0/22'],
    ['10.3.2.128/25', '10.3.2.0/24'],
  ])('finds that %s and %s overlap', (first, second) => {
    const book = openBook(rawLease(7), rawLease(1, { subnet: first }), rawLease(8, { subnet: second }));
    const { refused } = take(book).set;
    const reason = `IPv4: subnet '${second}' overlaps that of 'node-1'`;
    expect(refused).toEqual([{ node: 'node-8', reason }]);
    // And not any more once the first is gone, with lengths mixed in the book.
    book.remove('node-1');
    expect(take(book).set.refused).toEqual([]);
  });

  test('knows shorter and longer neighbours that came and went', () => {
    const book = openBook(rawLease(1, { subnet: '10.3.4.0/25' }), rawLease(2, { subnet: '10.3.4.128/25' }));
    book.put(rawLease(3, { subnet: '10.3.4.0/24' }));
    expect(take(book).set.refused).toHaveLength(1);
    book.put(rawLease(1, { subnet: '10.3.9.0/24' }));
    expect(take(book).set.refused).toEqual([
      { node: 'node-3', reason: "IPv4: subnet '10.3.4.0/24' overlaps that of 'node-2'" },
    ]);
    book.put(rawLease(2, { subnet: '10.3.10.0/24' }));
    expect(take(book).set.refused).toEqual([]);
  });

  test("refuses another's MAC, in either family", () => {
    const book = openBook(rawLease(1), disguised(2, 1), rawLease(3));
    expect(take(book).set.refused).toEqual([
      {
        node: 'node-2',
        reason:
          "IPv4: MAC '0a:58:00:00:00:01' is that of 'node-1'; IPv6: MAC '0a:58:00:00:80:01' is that of 'node-1'",
      },
    ]);
    const crossed = ok({
      backendType: 'vxlan',
      ipv4: { publicIp: ip('192.168.0.2'), vtep: vtep(0x8001), fault: undefined },
      ipv6: { publicIp: ip('2001:db8::2'), vtep: vtep(0x8002), fault: undefined },
    });
    expect(take(openBook(rawLease(1), rawLease(2, { attributes: crossed }))).set.refused).toEqual([
      { node: 'node-2', reason: "IPv4: MAC '0a:58:00:00:80:01' is that of 'node-1'" },
    ]);
  });

  test('lets one node use one MAC for both families', () => {
    const twice = ok({
      backendType: 'vxlan',
      ipv4: { publicIp: ip('192.168.0.1'), vtep: vtep(1), fault: undefined },
      ipv6: { publicIp: ip('2001:db8::1'), vtep: vtep(1), fault: undefined },
    });
    const book = openBook(rawLease(1, { attributes: twice }));
    expect(take(book).set.refused).toEqual([]);
    book.remove('node-1');
    book.put(rawLease(2, { attributes: twice }));
    expect(take(book).set.refused).toEqual([]);
  });

  test('lets the next in line have what the first gives up', () => {
    const book = openBook(rawLease(1), disguised(2, 1), disguised(3, 1));
    take(book);
    book.remove('node-1');
    const change = take(book);
    expect(change.changed).toEqual(new Set(['node-1', 'node-2']));
    expect(change.set.peers.get('node-2')).toEqual(lease(disguised(2, 1)));
    expect(change.set.refused.map(({ node }) => node)).toEqual(['node-3']);
  });

  test('takes from a later lease what an earlier one wants anew', () => {
    const book = openBook(rawLease(1), rawLease(2));
    take(book);
    book.put(disguised(1, 2));
    const change = take(book);
    expect(change.changed).toEqual(new Set(['node-1', 'node-2']));
    expect(change.set.peers.has('node-2')).toBe(false);
  });

  test('does not let a refused lease keep others from anything', () => {
    // node-2 wants the MAC of node-1 and the subnets that node-3 wants too.
    const clone = disguised(2, 1, { subnet: '10.3.3.0/24', subnetV6: 'fc00:0:0:3::/64' });
    const book = openBook(rawLease(1), clone, rawLease(3));
    expect(take(book).set.peers.has('node-3')).toBe(true);
    // Now node-2 is free to use them, and came first.
    book.remove('node-1');
    expect(take(book).changed).toEqual(new Set(['node-1', 'node-2', 'node-3']));
  });

  test('lets a demoted lease keep what nobody else wants', () => {
    const book = openBook(rawLease(1), rawLease(2));
    take(book);
    book.demote('node-1');
    book.demote('node-9');
    expect(book.take()).toBeUndefined();
    book.put(rawLease(9, { subnet: '10.3.1.0/24' }));
    const change = take(book);
    expect(change.changed).toEqual(new Set(['node-1', 'node-9']));
    expect(change.set.peers.get('node-1')).toEqual({ ...lease(rawLease(1)), ipv4: undefined });
  });
});

describe('LeaseBook with disputes with the own node', () => {
  test.each<[Partial<Lease>, string]>([
    [
      { ipv4: { subnet: prefix('10.3.1.0/24'), publicIp: ip('192.168.9.9'), vtep: undefined } },
      "IPv4: subnet '10.3.1.0/24' overlaps ours ('10.3.1.0/24')",
    ],
    [
      { ipv4: { subnet: prefix('10.3.0.0/23'), publicIp: ip('192.168.9.9'), vtep: undefined } },
      "IPv4: subnet '10.3.1.0/24' overlaps ours ('10.3.0.0/23')",
    ],
    [
      { ipv4: { subnet: prefix('10.3.9.0/24'), publicIp: ip('192.168.0.1'), vtep: undefined } },
      "IPv4: public address '192.168.0.1' is our own",
    ],
    [
      { ipv6: { subnet: prefix('fc00:0:0:9::/64'), publicIp: ip('fd00::9'), vtep: vtep(1) } },
      "IPv4: MAC '0a:58:00:00:00:01' is our own",
    ],
  ])('refuses what is ours (%#), and takes it back when it is not', (own, reason) => {
    const book = openBook(rawLease(1), rawLease(2));
    take(book);
    book.setOwn(ownLease(own));
    const change = take(book);
    expect(change.changed).toEqual(new Set(['node-1']));
    expect(change.set.refused).toEqual([{ node: 'node-1', reason }]);
    expect(change.set.peers.get('node-1')).toEqual({ ...lease(rawLease(1)), ipv4: undefined });
    book.setOwn(ownLease());
    expect(take(book)).toMatchObject({ changed: new Set(['node-1']), set: { refused: [] } });
  });

  test('does nothing for an own lease that says the same', () => {
    const book = openBook(rawLease(1));
    book.setOwn(ownLease());
    take(book);
    book.setOwn(ownLease());
    expect(book.take()).toBeUndefined();
  });
});

describe('LeaseBook told of many at once', () => {
  test('settles what waits, and tells the same as without', () => {
    const late = rawLease(2, { subnet: '10.3.1.0/24' });
    const book = openBook(late, rawLease(1));
    book.settle();
    book.settle();
    book.put(rawLease(3));
    expect(book.nodes().sort()).toEqual(['node-1', 'node-2', 'node-3']);
    expect(shown(take(book))).toEqual(shown(take(openBook(rawLease(1), late, rawLease(3)))));
  });
});

describe('LeaseBook names who claims what is ours', () => {
  test('by what they hold themselves, with their places in the order', () => {
    const book = openBook(rawLease(1), rawLease(2), rawLease(3, { subnet: 'x' }));
    book.settle();
    expect(book.rivals()).toEqual([]);
    const own = ownLease({ ipv4: lease(rawLease(1)).ipv4 });
    book.setOwn(own);
    book.settle();
    expect(book.rivals()).toMatchObject([{ node: 'node-1', order: 1 }]);
    book.remove('node-1');
    take(book);
    expect(book.rivals()).toEqual([]);
  });
});
