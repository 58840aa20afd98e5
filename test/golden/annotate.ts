/**
 * Writes a message as lines of four bytes, each attribute with the name that the kernel's headers give it.
 *
 * @module
 */
import { enumerationWith, type Names, readEnumerations } from './headers.ts';
import { hexLines } from './text.ts';

/** What stands in an attribute set, by a member of the enumeration that numbers it. */
interface Layout {
  readonly member: string;
  /** A fixed structure before the attributes. */
  readonly header?: { readonly name: string; readonly bytes: number };
  readonly nests?: Readonly<Record<string, Layout | ((kind: string) => Layout | undefined)>>;
}

const IFINFOMSG = { name: 'struct ifinfomsg', bytes: 16 };
const GENLMSGHDR = { name: 'struct genlmsghdr', bytes: 4 };
const PEER: Layout = { member: 'IFLA_IFNAME', header: IFINFOMSG };

const KINDS: Readonly<Record<string, Layout>> = {
  vxlan: { member: 'IFLA_VXLAN_ID' },
  bridge: { member: 'IFLA_BR_STP_STATE' },
  veth: { member: 'VETH_INFO_PEER', nests: { VETH_INFO_PEER: PEER } },
};

const LINK: Layout = {
  member: 'IFLA_IFNAME',
  header: IFINFOMSG,
  nests: {
    IFLA_LINKINFO: { member: 'IFLA_INFO_KIND', nests: { IFLA_INFO_DATA: (kind) => KINDS[kind] } },
  },
};
const ADDRESS: Layout = { member: 'IFA_LOCAL', header: { name: 'struct ifaddrmsg', bytes: 8 } };
const ROUTE: Layout = { member: 'RTA_DST', header: { name: 'struct rtmsg', bytes: 12 } };
const NEIGHBOUR: Layout = { member: 'NDA_DST', header: { name: 'struct ndmsg', bytes: 12 } };
const CONTROL: Layout = { member: 'CTRL_ATTR_FAMILY_ID', header: GENLMSGHDR };
const BITS: Layout = {
  member: 'ETHTOOL_A_BITSET_BITS_BIT',
  nests: { ETHTOOL_A_BITSET_BITS_BIT: { member: 'ETHTOOL_A_BITSET_BIT_NAME' } },
};
const BITSET: Layout = { member: 'ETHTOOL_A_BITSET_BITS', nests: { ETHTOOL_A_BITSET_BITS: BITS } };
const FEATURES: Layout = {
  member: 'ETHTOOL_A_FEATURES_WANTED',
  header: GENLMSGHDR,
  nests: {
    ETHTOOL_A_FEATURES_HEADER: { member: 'ETHTOOL_A_HEADER_DEV_NAME' },
    ETHTOOL_A_FEATURES_HW: BITSET,
    ETHTOOL_A_FEATURES_WANTED: BITSET,
    ETHTOOL_A_FEATURES_ACTIVE: BITSET,
    ETHTOOL_A_FEATURES_NOCHANGE: BITSET,
  },
};

const NFGENMSG = { name: 'struct nfgenmsg', bytes: 4 };
const DATA: Layout = {
  member: 'NFTA_DATA_VALUE',
  nests: { NFTA_DATA_VERDICT: { member: 'NFTA_VERDICT_CODE' } },
};
const EXPRESSIONS: Readonly<Record<string, Layout>> = {
  meta: { member: 'NFTA_META_KEY' },
  payload: { member: 'NFTA_PAYLOAD_DREG' },
  bitwise: { member: 'NFTA_BITWISE_SREG', nests: { NFTA_BITWISE_MASK: DATA, NFTA_BITWISE_XOR: DATA } },
  cmp: { member: 'NFTA_CMP_SREG', nests: { NFTA_CMP_DATA: DATA } },
  immediate: { member: 'NFTA_IMMEDIATE_DREG', nests: { NFTA_IMMEDIATE_DATA: DATA } },
  masq: { member: 'NFTA_MASQ_FLAGS' },
  counter: { member: 'NFTA_COUNTER_BYTES' },
  lookup: { member: 'NFTA_LOOKUP_SET' },
  nat: { member: 'NFTA_NAT_TYPE' },
  fib: { member: 'NFTA_FIB_DREG' },
  ct: { member: 'NFTA_CT_DREG' },
};
const EXPRESSION: Layout = {
  member: 'NFTA_EXPR_NAME',
  nests: { NFTA_EXPR_DATA: (kind) => EXPRESSIONS[kind] },
};
const EXPRESSION_LIST: Layout = { member: 'NFTA_LIST_ELEM', nests: { NFTA_LIST_ELEM: EXPRESSION } };
const ELEMENTS: Layout = {
  member: 'NFTA_LIST_ELEM',
  nests: {
    NFTA_LIST_ELEM: {
      member: 'NFTA_SET_ELEM_KEY',
      nests: { NFTA_SET_ELEM_KEY: DATA, NFTA_SET_ELEM_DATA: DATA },
    },
  },
};
const TUPLE: Layout = {
  member: 'CTA_TUPLE_IP',
  nests: { CTA_TUPLE_IP: { member: 'CTA_IP_V4_SRC' }, CTA_TUPLE_PROTO: { member: 'CTA_PROTO_NUM' } },
};

/** The layouts by the type of message; of generic families by the family's name. */
const LAYOUTS: Readonly<Record<string, Layout>> = {
  LINK,
  ADDR: ADDRESS,
  ROUTE,
  NEIGH: NEIGHBOUR,
  nlctrl: CONTROL,
  ethtool: FEATURES,
  BATCH_BEGIN: { member: 'NFNL_BATCH_GENID', header: NFGENMSG },
  BATCH_END: { member: 'NFNL_BATCH_GENID', header: NFGENMSG },
  GEN: { member: 'NFTA_GEN_ID', header: NFGENMSG },
  TABLE: { member: 'NFTA_TABLE_NAME', header: NFGENMSG },
  CHAIN: {
    member: 'NFTA_CHAIN_TABLE',
    header: NFGENMSG,
    nests: { NFTA_CHAIN_HOOK: { member: 'NFTA_HOOK_HOOKNUM' } },
  },
  RULE: { member: 'NFTA_RULE_TABLE', header: NFGENMSG, nests: { NFTA_RULE_EXPRESSIONS: EXPRESSION_LIST } },
  SET: {
    member: 'NFTA_SET_TABLE',
    header: NFGENMSG,
    nests: { NFTA_SET_DESC: { member: 'NFTA_SET_DESC_SIZE' } },
  },
  SETELEM: {
    member: 'NFTA_SET_ELEM_LIST_TABLE',
    header: NFGENMSG,
    nests: { NFTA_SET_ELEM_LIST_ELEMENTS: ELEMENTS },
  },
  CT: {
    member: 'CTA_TUPLE_ORIG',
    header: NFGENMSG,
    nests: { CTA_TUPLE_ORIG: TUPLE, CTA_TUPLE_REPLY: TUPLE, CTA_FILTER: { member: 'CTA_FILTER_ORIG_FLAGS' } },
  },
};

/** linux/netlink.h: NLM_F_*; 0x100 and above mean one thing when asking and another when changing. */
const FLAGS = { 1: 'REQUEST', 2: 'MULTI', 4: 'ACK', 8: 'ECHO', 16: 'DUMP_INTR', 32: 'DUMP_FILTERED' };
const CHANGE_FLAGS = { 256: 'REPLACE', 512: 'EXCL', 1024: 'CREATE', 2048: 'APPEND' };

/** Names and numbers as the head line of a message has them. */
export function headLine(kind: string, { type, flags }: { type: number; flags: number }): string {
  const words = Object.entries({ ...FLAGS, ...CHANGE_FLAGS })
    .filter(([bit]) => (flags & Number(bit)) !== 0)
    .map(([, word]) => word);
  return `${kind} (${type}), flags ${words.join('|') || 'none'} (0x${flags.toString(16)})`;
}

/** `NFT_MSG_NEWRULE` or `NFNL_MSG_BATCH_BEGIN`; NFNL_SUBSYS_CTNETLINK is 1 and NFNL_SUBSYS_NFTABLES is 10. */
export function kindOfNetfilter(type: number): string | undefined {
  if (type === 0x10) return 'NFNL_MSG_BATCH_BEGIN';
  if (type === 0x11) return 'NFNL_MSG_BATCH_END';
  const first = { 1: 'IPCTNL_MSG_CT_NEW', 10: 'NFT_MSG_NEWTABLE' }[type >> 8];
  return first === undefined ? undefined : enumerationWith(readEnumerations(), first).get(type & 0xff);
}

/** The lines of one message's payload. `kind` is as `RTM_NEWLINK`, or the name of a generic family. */
export function annotate(bytes: Uint8Array, kind: string): string[] {
  const layout = LAYOUTS[kind.replace(/^(NFNL_MSG_|IPCTNL_MSG_|(RTM_|NFT_MSG_)(NEW|DEL|GET))|_GET$/g, '')];
  if (layout === undefined) throw new Error(`No layout for ${kind}`);
  const labels = new Map<number, string>();
  label(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), {
    layout,
    at: 0,
    end: bytes.length,
    depth: 0,
    all: readEnumerations(),
    labels,
  });
  const lines: { text: string; count: number }[] = [];
  hexLines(bytes).forEach((hex, i) => {
    const name = labels.get(i * 4);
    const text = name === undefined ? hex : `${hex.padEnd(11)}   # ${name}`;
    const last = lines.at(-1);
    if (last !== undefined && name === undefined && last.text === text) last.count++;
    else lines.push({ text, count: 1 });
  });
  return lines.map(({ text, count }) => (count === 1 ? text : `${text} * ${count}`));
}

interface Place {
  readonly layout: Layout;
  readonly at: number;
  readonly end: number;
  readonly depth: number;
  readonly all: readonly Names[];
  readonly labels: Map<number, string>;
}

function label(view: DataView, { layout, at, end, depth, all, labels }: Place): void {
  const names = enumerationWith(all, layout.member);
  const indent = '  '.repeat(depth);
  if (layout.header !== undefined) labels.set(at, indent + layout.header.name);
  let kind = '';
  let next = at + (layout.header?.bytes ?? 0);
  while (next + 4 <= end) {
    const start = next;
    const length = view.getUint16(start, true);
    if (length < 4) throw new Error(`Attribute length ${length} at ${start}`);
    const id = view.getUint16(start + 2, true) & 0x3fff;
    const name = names.get(id) ?? `${id}, which the headers do not know`;
    labels.set(start, indent + name);
    if (name === 'IFLA_INFO_KIND' || name === 'NFTA_EXPR_NAME')
      kind = text(view, { from: start + 4, to: start + length });
    const nest = layout.nests?.[name];
    const below = typeof nest === 'function' ? nest(kind) : nest;
    if (below !== undefined)
      label(view, { layout: below, at: start + 4, end: start + length, depth: depth + 1, all, labels });
    next = start + ((length + 3) & ~3);
  }
}

function text(view: DataView, { from, to }: { from: number; to: number }): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + from, to - from);
  return new TextDecoder().decode(bytes).replace(/\0.*$/, '');
}
