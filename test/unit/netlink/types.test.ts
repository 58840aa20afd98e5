/**
 * What must not compile: the compiler complains of a `@ts-expect-error` that expects nothing.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import type { Infer } from '../../../src/netlink/codec.ts';
import type { linkAttributes, linkMessage, ndmsg } from '../../../src/netlink/route.ts';

type Link = Infer<typeof linkMessage>;
type LinkAttributes = Infer<typeof linkAttributes>;

const header: Link['header'] = { family: 0, type: 0, index: 0, flags: 0, change: 0 };

/** Values that the compiler refuses, each for the reason before it. */
const REFUSED: readonly unknown[] = [
  // @ts-expect-error no such kind
  { linkInfo: { kind: 'vxlna' } } satisfies LinkAttributes,
  // @ts-expect-error a number
  { mtu: '1450' } satisfies LinkAttributes,
  // @ts-expect-error no such attribute
  { mtuBytes: 1450 } satisfies LinkAttributes,
  // @ts-expect-error an attribute of another kind
  { linkInfo: { kind: 'bridge', data: { port: 8472 } } } satisfies LinkAttributes,
  // @ts-expect-error an address that nobody parsed
  { linkInfo: { kind: 'vxlan', data: { local: '10.0.0.1' } } } satisfies LinkAttributes,
  // @ts-expect-error a flag that is written to say no
  { linkInfo: { kind: 'vxlan', data: { gbp: false } } } satisfies LinkAttributes,
  // @ts-expect-error a message without header
  { attrs: {} } satisfies Link,
  // @ts-expect-error a member that is missing
  { family: 0, ifindex: 0, state: 0, flags: 0 } satisfies Infer<typeof ndmsg>,
];

const ACCEPTED: readonly Link[] = [
  { header, attrs: {} },
  { header, attrs: { mtu: 1450, name: undefined } },
  { header, attrs: { linkInfo: { kind: 'vxlan', data: { id: 1, gbp: true, port: 8472 } } } },
  { header, attrs: { linkInfo: { kind: 'bridge', data: { stpState: 0 } } } },
  { header, attrs: { linkInfo: { kind: 'veth', data: { peer: { header, attrs: { name: 'eth0' } } } } } },
  { header, attrs: { linkInfo: { kind: 'unknown', name: 'dummy' } } },
];

test('types of messages follow their tables', () => {
  expect([REFUSED.length, ACCEPTED.length]).toEqual([8, 6]);
});
