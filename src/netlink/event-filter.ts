/**
 * A socket filter for the route events of an agent: its own doings and other links' neighbours, of which pod
 * traffic makes many, are refused before they take room in the receive buffer.
 *
 * Classic BPF (`linux/filter.h`) over the datagram from its `nlmsghdr` on. Its loads are big-endian while
 * netlink is in host order, so the constants are swapped here.
 *
 * @module
 */
import { AF, RTM } from './route.ts';
import type { FilterInstruction } from './session.ts';

/** What {@link eventFilter} lets through. */
export interface EventFilterOptions {
  /** Of the sockets whose requests are our own: what they bring about is not news. */
  readonly ownPortIds: readonly number[];
  /** The indexes of the links whose neighbours and forwarding entries matter. */
  readonly links: readonly number[];
  /**
   * Which changes of those links' forwarding entries pass. The kernel announces them in nobody's name
   * (`vxlan_fdb_notify` has port 0), so writing many of one's own is heard as `all`; `removals` is deaf to
   * new and changed ones.
   */
  readonly forwarding: 'all' | 'removals';
}

// linux/bpf_common.h: a load of a word, half or byte at a fixed offset; a comparison; a verdict.
const LD_W = 0x20;
const LD_H = 0x28;
const LD_B = 0x30;
const JEQ = 0x15;
const RET = 0x06;

/** Keeps the whole datagram. */
const ACCEPT: FilterInstruction = { code: RET, jt: 0, jf: 0, k: 0xffffffff };
const REFUSE: FilterInstruction = { code: RET, jt: 0, jf: 0, k: 0 };

// Offsets in struct nlmsghdr and, behind it, struct ndmsg.
const NLMSG_TYPE = 4;
const NLMSG_PID = 12;
const NDM_FAMILY = 16;
const NDM_IFINDEX = 20;

/** The filter's program. It needs two instructions a port and a link; the kernel takes 4,096 in all. */
export function eventFilter({ ownPortIds, links, forwarding }: EventFilterOptions): FilterInstruction[] {
  const deaf =
    forwarding === 'removals' ? [load(LD_B, NDM_FAMILY), ifEqual(AF.BRIDGE, { yes: 0, no: 1 }), REFUSE] : [];
  return [
    load(LD_W, NLMSG_PID),
    ...ownPortIds.flatMap((portId) => [ifEqual(swap32(portId), { yes: 0, no: 1 }), REFUSE]),
    load(LD_H, NLMSG_TYPE),
    ifEqual(swap16(RTM.DELNEIGH), { yes: 2 + deaf.length, no: 0 }),
    ifEqual(swap16(RTM.NEWNEIGH), { yes: 1, no: 0 }),
    ACCEPT,
    ...deaf,
    load(LD_W, NDM_IFINDEX),
    ...links.flatMap((index) => [ifEqual(swap32(index), { yes: 0, no: 1 }), ACCEPT]),
    REFUSE,
  ];
}

function load(code: number, offset: number): FilterInstruction {
  return { code, jt: 0, jf: 0, k: offset };
}

function ifEqual(value: number, skip: { readonly yes: number; readonly no: number }): FilterInstruction {
  return { code: JEQ, jt: skip.yes, jf: skip.no, k: value };
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}

function swap32(value: number): number {
  return ((swap16(value & 0xffff) << 16) | swap16(value >>> 16)) >>> 0;
}
