/**
 * What all changes of nf_tables have in common.
 *
 * @module
 */
import type { Family } from '../model/ip.ts';
import {
  batchMessage,
  NFNL_MSG_BATCH,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO,
  nfgenmsg,
} from '../netlink/nftables.ts';
import type { Request } from '../netlink/session.ts';

/** The header of a message about a table of a family. */
export function headerOf(family: Family) {
  return nfgenmsg.of({ family: family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6 });
}

/** What begins or ends a transaction, which may be good for one generation only. */
export function batch(edge: keyof typeof NFNL_MSG_BATCH, generation?: number): Request<unknown> {
  const value = { header: nfgenmsg.of({ resourceId: NFNL_SUBSYS_NFTABLES }), attrs: { generation } };
  return request(NFNL_MSG_BATCH[edge], 0, { codec: batchMessage, value });
}

/** A request among others of other kinds. */
export function request<T>(
  type: number,
  flags: number,
  { codec, value }: Pick<Request<T>, 'codec' | 'value'>,
): Request<unknown> {
  return { type, flags, codec, value };
}

/** libnftnl's user data: type, length and value in bytes; type 0 is the comment with its NUL. */
export function userDataOf(comment: string | undefined): string | undefined {
  if (comment === undefined) return undefined;
  const text = new TextEncoder().encode(`${comment}\0`);
  return new Uint8Array([0, text.length, ...text]).toHex();
}

/** The comment in user data, if there is one. */
export function commentOf(userData: string | undefined): string | undefined {
  const data = Uint8Array.fromHex(userData ?? '');
  for (let at = 0; at + 2 <= data.length; at += 2 + (data[at + 1] ?? 0)) {
    if (data[at] !== 0) continue;
    const text = data.subarray(at + 2, at + 2 + (data[at + 1] ?? 0));
    return new TextDecoder().decode(text).replace(/\0.*$/s, '');
  }
  return undefined;
}
