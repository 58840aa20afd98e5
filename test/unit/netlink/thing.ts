/**
 * A message that no kernel has, to ask a fake one about.
 *
 * @module
 */
import { attrs, message, struct } from '../../../src/netlink/attributes.ts';
import { type Infer, str, u32 } from '../../../src/netlink/codec.ts';
import { NLM_F, type Request } from '../../../src/netlink/session.ts';
import type { Received } from './fake-kernel.ts';

/** A header with a number, and attributes. */
export const thingMessage = message(
  'thing',
  struct('head', { id: u32 }),
  attrs('thing', { name: [1, str], inner: [2, attrs('inner', { size: [5, u32], colour: [6, str] })] }),
);
/** The type of its requests and replies. */
export const TYPE = 40;
/** Where its first attribute begins, from the message's header on. */
export const NAME_OFFSET = 20;

/** Its value. */
export type Thing = Infer<typeof thingMessage>;

/** A request about the thing with a number. */
export function thing(id: number, name = 'thing'): Request<Thing> {
  return { type: TYPE, flags: 0, codec: thingMessage, value: { header: { id }, attrs: { name } } };
}

/** The number in the header of a request or reply. */
export function idOf({ bytes }: Received): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(16, true);
}

/** A reply of a dump. */
export function item(request: Received, id: number, flags: number = NLM_F.MULTI) {
  return { type: TYPE, flags, sequence: request.sequence, payload: Uint8Array.of(id & 255, id >> 8, 0, 0) };
}
