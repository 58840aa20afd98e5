/**
 * Captured dumps: what our codecs read from them, beside what iproute2 and bridge printed at the same moment.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import type { Codec, Infer } from '../../src/netlink/codec.ts';
import type { linkInfo } from '../../src/netlink/link-kinds.ts';
import {
  AF,
  addressMessage,
  IFA_F,
  IFF,
  linkMessage,
  NTF_SELF,
  NUD_PERMANENT,
  neighbourMessage,
  RTNH_F_ONLINK,
  routeMessage,
} from '../../src/netlink/route.ts';
import { Reader } from '../../src/netlink/wire.ts';
import { parseGolden } from './text.ts';

const DIRECTORY = `${import.meta.dir}/replies`;

// How iproute2 writes the kernel's numbers: linux/if.h, rtnetlink.h, neighbour.h.
const OPER_STATES = ['UNKNOWN', 'NOTPRESENT', 'DOWN', 'LOWERLAYERDOWN', 'TESTING', 'DORMANT', 'UP'];
const SCOPES = new Map([
  [0, 'global'],
  [253, 'link'],
  [254, 'host'],
]);
const TABLES = new Map([
  [254, 'main'],
  [255, 'local'],
]);
const PROTOCOLS = new Map([
  [2, 'kernel'],
  [3, 'boot'],
]);
const ROUTE_TYPES = ['unspec', 'unicast', 'local', 'broadcast', 'anycast', 'multicast'];
const NEIGHBOUR_STATES = new Map([
  [0x40, 'NOARP'],
  [0x80, 'PERMANENT'],
]);

type Json = Readonly<Record<string, unknown>>;

function ours<T>(file: string, codec: Codec<T>): T[] {
  const { messages } = parseGolden(readFileSync(`${DIRECTORY}/${file}.txt`, 'utf8'));
  return messages.map(({ bytes }) => codec.read(new Reader(bytes)));
}

function theirs(file: string): Json[] {
  const items: unknown = JSON.parse(readFileSync(`${DIRECTORY}/${file}.json`, 'utf8'));
  return objects(items);
}

function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.map((item: unknown) => object(item)) : [];
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function same(got: readonly object[], want: readonly object[]): void {
  const lines = (items: readonly object[]) => items.map((item) => JSON.stringify(item)).sort();
  expect(want.length).toBeGreaterThan(0);
  expect(lines(got)).toEqual(lines(want));
}

const NAMES = new Map(
  ours('links', linkMessage).map(({ header, attrs }) => [header.index, attrs.name ?? '']),
);

function nameOf(index: number | undefined): string {
  return index === undefined ? '' : (NAMES.get(index) ?? `${index}`);
}

function kindOf(info: Infer<typeof linkInfo> | undefined): object {
  if (info?.kind === 'vxlan') {
    const { id, local, local6, link, port, learning, ttl, gbp, proxy, udpZeroCsum6Tx, udpZeroCsum6Rx } =
      info.data ?? {};
    const flags = { learning, gbp: gbp ?? false, proxy, udpZeroCsum6Tx, udpZeroCsum6Rx };
    return { kind: 'vxlan', id, local: local ?? local6, dev: nameOf(link), port, ttl, ...flags };
  }
  if (info?.kind === 'bridge') return { kind: 'bridge', ...info.data };
  return info === undefined ? {} : { kind: info.kind };
}

function kindOfJson({ info_kind: kind, info_data: data }: Json): object {
  const { id, local, local6, link, port, learning, ttl, gbp, proxy } = object(data);
  const { udp_zero_csum6_tx: udpZeroCsum6Tx, udp_zero_csum6_rx: udpZeroCsum6Rx } = object(data);
  const { stp_state: stpState, vlan_filtering: vlanFiltering } = object(data);
  const flags = { learning, gbp: gbp ?? false, proxy: proxy ?? false, udpZeroCsum6Tx, udpZeroCsum6Rx };
  if (kind === 'vxlan') return { kind, id, local: local ?? local6, dev: link, port, ttl, ...flags };
  if (kind === 'bridge') return { kind, stpState, vlanFiltering };
  return { kind };
}

test('read() sees links as ip link does', () => {
  const got = ours('links', linkMessage).map(({ header, attrs }) => ({
    index: header.index,
    name: attrs.name,
    up: (header.flags & IFF.UP) !== 0,
    mtu: attrs.mtu,
    txQueueLength: attrs.txQueueLength,
    operState: OPER_STATES[attrs.operState ?? 0],
    address: attrs.address,
    master: nameOf(attrs.master),
    link: nameOf(attrs.link),
    info: kindOf(attrs.linkInfo),
  }));
  const want = theirs('links').map(
    ({ ifindex, ifname, flags, mtu, txqlen, operstate, address, master, link, linkinfo }) => ({
      index: ifindex,
      name: ifname,
      up: Array.isArray(flags) && flags.includes('UP'),
      mtu,
      txQueueLength: txqlen ?? 0,
      operState: operstate,
      address,
      master: master ?? '',
      link: link ?? '',
      info: kindOfJson(object(linkinfo)),
    }),
  );
  same(got, want);
});

for (const family of [4, 6]) {
  test(`read() sees IPv${family} addresses as ip address does`, () => {
    const got = ours(`ipv${family}-addresses`, addressMessage).map(({ header, attrs }) => ({
      dev: nameOf(header.index),
      local: attrs.local ?? attrs.address,
      length: header.prefixLength,
      scope: SCOPES.get(header.scope),
      nodad: ((attrs.flags ?? 0) & IFA_F.NODAD) !== 0,
    }));
    const want = theirs(`ipv${family}-addresses`).flatMap(({ ifname, addr_info: addresses }) =>
      objects(addresses).map(({ local, prefixlen, scope, nodad }) => ({
        dev: ifname,
        local,
        length: prefixlen,
        scope,
        nodad: nodad ?? false,
      })),
    );
    same(got, want);
  });

  test(`read() sees IPv${family} routes as ip route does`, () => {
    const hostLength = family === 4 ? 32 : 128;
    const got = ours(`ipv${family}-routes`, routeMessage).map(({ header, attrs }) => ({
      type: ROUTE_TYPES[header.type],
      dst: header.dstLength === hostLength ? attrs.dst : `${attrs.dst}/${header.dstLength}`,
      gateway: attrs.gateway,
      dev: nameOf(attrs.oif),
      table: TABLES.get(attrs.table ?? header.table),
      protocol: PROTOCOLS.get(header.protocol) ?? `${header.protocol}`,
      scope: SCOPES.get(header.scope),
      metric: attrs.priority,
      prefsrc: attrs.prefSrc,
      onlink: (header.flags & RTNH_F_ONLINK) !== 0,
    }));
    const want = theirs(`ipv${family}-routes`).map(
      ({ type, dst, gateway, dev, table, protocol, scope, metric, prefsrc, flags }) => ({
        type,
        dst,
        gateway,
        dev,
        table,
        protocol,
        scope,
        metric,
        prefsrc,
        onlink: Array.isArray(flags) && flags.includes('onlink'),
      }),
    );
    same(got, want);
  });

  test(`read() sees IPv${family} neighbours as ip neighbour does`, () => {
    const got = ours(`ipv${family}-neighbours`, neighbourMessage).map(({ header, attrs }) => ({
      dst: attrs.dst,
      dev: nameOf(header.ifindex),
      lladdr: attrs.lladdr,
      state: [NEIGHBOUR_STATES.get(header.state)],
    }));
    const want = theirs(`ipv${family}-neighbours`).map(({ dst, dev, lladdr, state }) => ({
      dst,
      dev,
      lladdr,
      state,
    }));
    same(got, want);
  });
}

test('read() sees forwarding entries as bridge fdb does', () => {
  const entries = ours('forwarding', neighbourMessage);
  expect(entries.every(({ header }) => header.family === AF.BRIDGE)).toBe(true);
  const got = entries.map(({ header, attrs }) => ({
    mac: attrs.lladdr,
    dev: nameOf(header.ifindex),
    dst: attrs.dst,
    self: (header.flags & NTF_SELF) !== 0,
    master: nameOf(attrs.master),
    permanent: (header.state & NUD_PERMANENT) !== 0,
  }));
  const want = theirs('forwarding').map(({ mac, ifname, dst, flags, master, state }) => ({
    mac,
    dev: ifname,
    dst,
    self: Array.isArray(flags) && flags.includes('self'),
    master: master ?? '',
    permanent: state === 'permanent',
  }));
  same(got, want);
});
