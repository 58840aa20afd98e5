/**
 * What ends an answer: an acknowledgement or the end of a dump, with the kernel's own words if it has any.
 *
 * @module
 */
import { attrs } from './attributes.ts';
import { str, u32 } from './codec.ts';
import { align4, NLMSG_HDRLEN, type Reader } from './wire.ts';

/** `linux/netlink.h`: types of messages that end an answer. */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
/** Types below this (NLMSG_MIN_TYPE) belong to netlink itself, not to a family. */
export const NLMSG_MIN_TYPE = 0x10;

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

/** linux/netlink.h: NLMSGERR_ATTR_* */
const extendedAck = attrs('extack', { message: [1, str], offset: [2, u32] });

/** How a request ended. */
export interface Acknowledgement {
  /** Positive, or 0 for success. */
  readonly errno: number;
  /** The kernel's words. */
  readonly text?: string | undefined;
  /** Where in the request, counted from its header, the attribute begins that the kernel blames. */
  readonly offset?: number | undefined;
}

const SUCCESS: Acknowledgement = { errno: 0 };

/**
 * Reads the payload of an NLMSG_ERROR (`struct nlmsgerr`) or NLMSG_DONE.
 *
 * The first echoes the request: its header only if NETLINK_CAP_ACK is on, else all of it. Old kernels end a
 * dump without an errno.
 */
export function readAcknowledgement(
  payload: Reader,
  { type, flags }: { readonly type: number; readonly flags: number },
): Acknowledgement {
  if (type === NLMSG_DONE && payload.end - payload.at < 4) return SUCCESS;
  const errno = -payload.view.getInt32(payload.take(4), true);
  if (errno === 0) return SUCCESS;
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno };
  if (type === NLMSG_ERROR) {
    const echoed = payload.view.getUint32(payload.take(4), true);
    payload.take((flags & NLM_F_CAPPED) !== 0 ? NLMSG_HDRLEN - 4 : align4(echoed) - 4);
  }
  const { message: text, offset } = extendedAck.read(payload);
  return { errno, text, offset };
}
