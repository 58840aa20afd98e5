import { describe, expect, test } from 'bun:test';
import { readEvents } from '../../../src/kernel/events.ts';
import { LinkTable } from '../../../src/kernel/link-table.ts';
import type { Mac } from '../../../src/model/ip.ts';
import { describe as describeObject } from '../../../src/model/objects.ts';
import type { Codec } from '../../../src/netlink/codec.ts';
import { ifinfomsg } from '../../../src/netlink/link-kinds.ts';
import {
  NETCONFA_IFINDEX_ALL,
  netconfMessage,
  netconfmsg,
  RTM_NEWNETCONF,
} from '../../../src/netlink/netconf.ts';
import {
  AF,
  addressMessage,
  IFF,
  ifaddrmsg,
  linkMessage,
  NTF_SELF,
  NUD_PERMANENT,
  ndmsg,
  neighbourMessage,
  RT_TABLE_MAIN,
  RTM,
  RTM_F_CLONED,
  RTN_UNICAST,
  routeMessage,
  rtmsg,
} from '../../../src/netlink/route.ts';
import { Writer } from '../../../src/netlink/wire.ts';
import { CLAIMS } from '../../contract/hands.ts';
import { ip, macOf } from '../../sim/samples.ts';
import { datagram } from '../netlink/fake-kernel.ts';

const FLANNEL = 7;
const ETH0 = 2;

/** What is told of a message, with the links as they are known. */
function told(type: number, payload: Uint8Array, links = knownLinks()): string[] {
  const lines: string[] = [];
  readEvents(
    datagram({ type, sequence: 0, payload }),
    { links, claims: CLAIMS },
    {
      moved: ({ object, owner }, gone) =>
        lines.push(`${gone ? 'gone ' : ''}${owner} ${describeObject(object)}`),
      look: (cause) => lines.push(`look: ${cause}`),
      underlay: (event) =>
        lines.push(
          event.kind === 'link'
            ? `link ${event.name} up=${event.up} gone=${event.gone}`
            : `${event.kind} ${event.link}`,
        ),
    },
  );
  return lines;
}

function knownLinks(): LinkTable {
  const links = new LinkTable();
  links.set({ index: ETH0, name: 'eth0', up: true });
  links.set({ index: FLANNEL, name: 'flannel.1', up: true });
  return links;
}

function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer(4_096);
  codec.write(writer, value);
  return writer.bytes.slice(0, writer.at);
}

function link(index: number, name: string, { up = true, family = 0, vxlan = true } = {}): Uint8Array {
  const data = { id: 1, port: 8472, local: ip('192.168.0.1'), link: ETH0, learning: false };
  return encode(linkMessage, {
    header: ifinfomsg.of({ index, family, flags: up ? IFF.UP : 0 }),
    attrs: {
      name,
      mtu: 1450,
      address: macOf(1, 4),
      linkInfo: vxlan ? ({ kind: 'vxlan', data } as const) : undefined,
    },
  });
}

function route(changes: Parameters<typeof rtmsg.of>[0] = {}, oif: number | undefined = FLANNEL): Uint8Array {
  const header = rtmsg.of({
    family: AF.INET,
    dstLength: 24,
    table: RT_TABLE_MAIN,
    protocol: 102,
    type: RTN_UNICAST,
    ...changes,
  });
  return encode(routeMessage, { header, attrs: { dst: ip('10.42.2.0'), gateway: ip('10.42.2.0'), oif } });
}

function neighbour(
  changes: Parameters<typeof ndmsg.of>[0] = {},
  lladdr: Mac | undefined = macOf(2, 4),
): Uint8Array {
  const header = ndmsg.of({ family: AF.INET, ifindex: FLANNEL, state: NUD_PERMANENT, ...changes });
  return encode(neighbourMessage, { header, attrs: { dst: ip('10.42.2.0'), lladdr } });
}

const OUR_LINK =
  'link flannel.1 address 02:00:00:04:00:01 mtu 1450 type vxlan id 1 local 192.168.0.1 dev eth0 dstport 8472 nolearning';

describe('readEvents() of links', () => {
  test('tells of ours as objects, and whether they are up', () => {
    expect(told(RTM.NEWLINK, link(FLANNEL, 'flannel.1'))).toEqual([
      `ours ${OUR_LINK}`,
      'ours link flannel.1 up',
    ]);
    expect(told(RTM.NEWLINK, link(FLANNEL, 'flannel.1', { up: false }))).toEqual([
      `ours ${OUR_LINK}`,
      'gone ours link flannel.1 up',
    ]);
    expect(told(RTM.DELLINK, link(FLANNEL, 'flannel.1'))).toEqual([`gone ours ${OUR_LINK}`]);
  });

  test('tells of others as what may be the underlay', () => {
    expect(told(RTM.NEWLINK, link(9, 'eth9', { vxlan: false }))).toEqual(['link eth9 up=true gone=false']);
    expect(told(RTM.DELLINK, link(9, 'eth9', { vxlan: false }))).toEqual(['link eth9 up=true gone=true']);
  });

  test('notices that ours was made again, or was renamed', () => {
    expect(told(RTM.NEWLINK, link(8, 'flannel.1'))[0]).toBe('look: link flannel.1 was made again');
    expect(told(RTM.NEWLINK, link(FLANNEL, 'mine'))).toEqual([
      'look: link flannel.1 was renamed mine',
      'link mine up=true gone=false',
    ]);
  });

  test('keeps the table of links up to date', () => {
    const links = knownLinks();
    told(RTM.NEWLINK, link(9, 'eth9', { vxlan: false, up: false }), links);
    expect(links.byName('eth9')).toEqual({ index: 9, name: 'eth9', up: false });
    told(RTM.NEWLINK, link(9, 'lan0', { vxlan: false }), links);
    expect([links.byName('eth9'), links.nameOf(9)]).toEqual([undefined, 'lan0']);
    told(RTM.DELLINK, link(FLANNEL, 'flannel.1'), links);
    expect(links.byName('flannel.1')).toBeUndefined();
  });

  test('gives nothing to do on a device that only has the name of ours', () => {
    const links = knownLinks();
    const lines = told(RTM.NEWLINK, link(8, 'flannel.1', { vxlan: false }), links);
    expect(lines.at(-1)).toBe('alien link flannel.1 address 02:00:00:04:00:01 mtu 1450 type hardware');
    expect(links.byName('flannel.1')).toBeUndefined();
  });

  test('does not take a bridge port for a link', () => {
    const links = knownLinks();
    expect(told(RTM.DELLINK, link(FLANNEL, 'flannel.1', { family: AF.BRIDGE }), links)).toEqual([]);
    expect(links.byName('flannel.1')).toBeDefined();
  });
});

describe('readEvents() of addresses', () => {
  const address = (index: number, text: string) =>
    encode(addressMessage, {
      header: ifaddrmsg.of({ family: AF.INET, prefixLength: 32, index }),
      attrs: { local: ip(text), address: ip(text) },
    });

  test('tells of those on our links, and of the others that there was one', () => {
    expect(told(RTM.NEWADDR, address(FLANNEL, '10.42.1.0'))).toEqual([
      'ours address 10.42.1.0/32 dev flannel.1',
    ]);
    expect(told(RTM.DELADDR, address(FLANNEL, '10.42.1.0'))).toEqual([
      'gone ours address 10.42.1.0/32 dev flannel.1',
    ]);
    expect(told(RTM.NEWADDR, address(FLANNEL, '172.16.0.1'))).toEqual([
      'alien address 172.16.0.1/32 dev flannel.1',
    ]);
    expect(told(RTM.NEWADDR, address(ETH0, '192.168.0.1'))).toEqual(['address eth0']);
    expect(told(RTM.NEWADDR, address(99, '192.168.0.1'))).toEqual([]);
  });
});

describe('readEvents() of routes', () => {
  test('tells of all of table main, and of those that are not ours twice', () => {
    expect(told(RTM.NEWROUTE, route())).toEqual(['ours route 10.42.2.0/24 via 10.42.2.0 dev flannel.1']);
    expect(told(RTM.DELROUTE, route())).toEqual(['gone ours route 10.42.2.0/24 via 10.42.2.0 dev flannel.1']);
    expect(told(RTM.NEWROUTE, route({ protocol: 3 }, ETH0))).toEqual([
      'alien route 10.42.2.0/24 via 10.42.2.0 dev eth0',
      'route eth0',
    ]);
  });

  test('does not see other tables, cached routes, local ones, and those for a type of service', () => {
    for (const changes of [{ table: 255 }, { flags: RTM_F_CLONED }, { type: 2 }, { tos: 0x10 }])
      expect(told(RTM.NEWROUTE, route(changes))).toEqual([]);
    expect(told(RTM.NEWROUTE, route({}, 99))).toEqual([]);
  });

  test('sees a route that leads nowhere in the place of ours', () => {
    const [line] = told(RTM.NEWROUTE, route({ type: 6, protocol: 3 }));
    expect(line).toStartWith('alien route 10.42.2.0/24');
  });
});

describe('readEvents() of neighbours and forwarding entries', () => {
  const fdb = { family: AF.BRIDGE, flags: NTF_SELF };

  test('tells of those on our links', () => {
    expect(told(RTM.NEWNEIGH, neighbour())).toEqual([
      'ours neighbour 10.42.2.0 lladdr 02:00:00:04:00:02 dev flannel.1 nud permanent',
    ]);
    expect(told(RTM.DELNEIGH, neighbour(fdb))).toEqual([
      'gone ours fdb 02:00:00:04:00:02 dev flannel.1 dst 10.42.2.0 self permanent',
    ]);
    expect(told(RTM.NEWNEIGH, neighbour({ ifindex: ETH0 }))).toEqual([]);
  });

  test('takes one that is not permanent any more for gone', () => {
    const STALE = 4;
    expect(told(RTM.NEWNEIGH, neighbour({ state: STALE }))[0]).toStartWith('gone ours neighbour 10.42.2.0 ');
    expect(told(RTM.NEWNEIGH, neighbour({ ...fdb, state: STALE }))[0]).toStartWith('gone ours fdb ');
  });
});

describe('readEvents() of settings', () => {
  function setting(family: number, attrs: { ifindex?: number; forwarding?: number }): Uint8Array {
    return encode(netconfMessage, { header: netconfmsg.of({ family }), attrs });
  }

  test('tells whether all links forward', () => {
    const all = { ifindex: NETCONFA_IFINDEX_ALL };
    expect(told(RTM_NEWNETCONF, setting(AF.INET, { ...all, forwarding: 0 }))).toEqual([
      'kernel sysctl net.ipv4.ip_forward=0',
    ]);
    expect(told(RTM_NEWNETCONF, setting(AF.INET6, { ...all, forwarding: 1 }))).toEqual([
      'kernel sysctl net.ipv6.conf.all.forwarding=1',
    ]);
    expect(told(RTM_NEWNETCONF, setting(AF.INET, all))).toEqual([]);
    expect(told(RTM_NEWNETCONF, setting(AF.INET, { ifindex: ETH0, forwarding: 0 }))).toEqual([]);
    expect(told(RTM_NEWNETCONF, setting(28, { ...all, forwarding: 0 }))).toEqual([]);
  });
});

describe('readEvents() of what does not parse', () => {
  test('asks for a look', () => {
    const [line] = told(RTM.NEWROUTE, new Uint8Array([1, 2, 3, 4]));
    expect(line).toStartWith('look: unreadable event: ');
  });

  test('knows nothing of other messages', () => {
    expect(told(999, new Uint8Array([1, 2, 3, 4]))).toEqual([]);
  });
});
