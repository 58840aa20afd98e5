/**
 * The socket filter, run by a small interpreter of classic BPF as `net/core/filter.c` understands it.
 *
 * @module
 */
import { describe, expect, test } from 'bun:test';
import { type EventFilterOptions, eventFilter } from '../../../src/netlink/event-filter.ts';
import { AF, RTM } from '../../../src/netlink/route.ts';
import type { FilterInstruction } from '../../../src/netlink/session.ts';

interface Announced {
  readonly type: number;
  readonly portId?: number;
  readonly family?: number;
  readonly ifindex?: number;
}

/** What a filter gives back for a datagram: how many bytes of it may stay. */
function run(program: readonly FilterInstruction[], datagram: Uint8Array): number {
  const view = new DataView(datagram.buffer);
  let accumulator = 0;
  for (let at = 0; at < program.length; at++) {
    const { code, jt, jf, k } = program[at] ?? { code: -1, jt: 0, jf: 0, k: 0 };
    const size = { 32: 4, 40: 2, 48: 1 }[code];
    if (size !== undefined && k + size > datagram.length) return 0;
    if (code === 0x20) accumulator = view.getUint32(k);
    else if (code === 0x28) accumulator = view.getUint16(k);
    else if (code === 0x30) accumulator = view.getUint8(k);
    else if (code === 0x15) at += accumulator === k ? jt : jf;
    else if (code === 0x06) return k;
    else throw new Error(`Not an instruction of ours: ${code}`);
  }
  throw new Error('The program has no end');
}

function passes(options: EventFilterOptions, announced: Announced): boolean {
  const { type, portId = 0, family = AF.INET, ifindex = 0 } = announced;
  const datagram = new Uint8Array(32);
  const view = new DataView(datagram.buffer);
  view.setUint32(0, datagram.length, true);
  view.setUint16(4, type, true);
  view.setUint32(12, portId, true);
  view.setUint8(16, family);
  view.setUint32(20, ifindex, true);
  const kept = run(eventFilter(options), datagram);
  expect([0, 0xffffffff]).toContain(kept);
  return kept !== 0;
}

const OWN_PORTS = [4711, 0xdeadbeef];
const LINKS = [3, 70_000];

for (const forwarding of ['all', 'removals'] as const) {
  const options = { ownPortIds: OWN_PORTS, links: LINKS, forwarding };

  describe(`eventFilter() with forwarding ${forwarding}`, () => {
    test('refuses what our own sockets brought about', () => {
      for (const portId of OWN_PORTS) {
        for (const type of Object.values(RTM))
          expect(passes(options, { type, portId, ifindex: 3 })).toBe(false);
      }
    });

    test('lets through links, addresses and routes of others and of the kernel', () => {
      for (const type of [RTM.NEWLINK, RTM.DELLINK, RTM.NEWADDR, RTM.DELADDR, RTM.NEWROUTE, RTM.DELROUTE]) {
        for (const portId of [0, 4710, 0xefbeadde])
          expect(passes(options, { type, portId, ifindex: 99 })).toBe(true);
      }
    });

    test('lets neighbours through only of our links', () => {
      for (const type of [RTM.NEWNEIGH, RTM.DELNEIGH]) {
        for (const family of [AF.INET, AF.INET6]) {
          for (const ifindex of LINKS) expect(passes(options, { type, family, ifindex })).toBe(true);
          for (const ifindex of [0, 2, 4, 0x03000000])
            expect(passes(options, { type, family, ifindex })).toBe(false);
        }
      }
    });

    test('lets removed forwarding entries of our links through', () => {
      const removed = { type: RTM.DELNEIGH, family: AF.BRIDGE };
      expect(passes(options, { ...removed, ifindex: 3 })).toBe(true);
      expect(passes(options, { ...removed, ifindex: 4 })).toBe(false);
    });

    test(`${forwarding === 'all' ? 'lets new forwarding entries of our links through' : 'is deaf to new ones'}`, () => {
      const made = { type: RTM.NEWNEIGH, family: AF.BRIDGE };
      expect(passes(options, { ...made, ifindex: 3 })).toBe(forwarding === 'all');
      expect(passes(options, { ...made, ifindex: 4 })).toBe(false);
    });
  });
}

test('eventFilter() works with no ports and no links', () => {
  const options = { ownPortIds: [], links: [], forwarding: 'all' } as const;
  expect(passes(options, { type: RTM.NEWROUTE })).toBe(true);
  expect(passes(options, { type: RTM.DELNEIGH, ifindex: 3 })).toBe(false);
});

test('eventFilter() of many ports and links has no jump that is too far', () => {
  const many = Array.from({ length: 1000 }, (_, i) => i + 1);
  const options = { ownPortIds: many, links: many, forwarding: 'removals' } as const;
  expect(eventFilter(options).every(({ jt, jf }) => jt < 256 && jf < 256)).toBe(true);
  expect(eventFilter(options).length).toBeLessThanOrEqual(4096);
  expect(passes(options, { type: RTM.DELNEIGH, ifindex: 1000, portId: 1001 })).toBe(true);
  expect(passes(options, { type: RTM.DELNEIGH, ifindex: 1001, portId: 1001 })).toBe(false);
});
