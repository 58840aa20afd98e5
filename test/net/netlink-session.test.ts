/**
 * The session against the real kernel: what it accepts, what it says when it refuses, and dumps.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import { ERRNO } from '../../src/netlink/error.ts';
import { ifinfomsg } from '../../src/netlink/link-kinds.ts';
import {
  AF,
  linkMessage,
  NETLINK_ROUTE,
  ndmsg,
  neighbourMessage,
  RTM,
  routeMessage,
  rtmsg,
} from '../../src/netlink/route.ts';
import { NLM_F, Session } from '../../src/netlink/session.ts';
import {
  BRIDGE_INDEX,
  ip,
  mac,
  NetlinkLab,
  peerForwarding,
  peerNeighbour,
  peerRoute,
  VXLAN_INDEX,
} from './netlink-lab.ts';

type LinkAttributes = Parameters<typeof linkMessage.write>[1]['attrs'];

function newLink(attrs: LinkAttributes) {
  const value = { header: ifinfomsg.of({}), attrs };
  return { type: RTM.NEWLINK, flags: NLM_F.CREATE | NLM_F.EXCL, codec: linkMessage, value };
}

function newVxlan(id: number, more: LinkAttributes = {}) {
  const data = { link: BRIDGE_INDEX, id, local: ip('192.168.1.1'), learning: false, port: 8472 };
  return newLink({ name: `vxlan${id}`, linkInfo: { kind: 'vxlan', data }, ...more });
}

const dumpRoutes = {
  type: RTM.GETROUTE,
  flags: 0,
  codec: routeMessage,
  value: { header: rtmsg.of({ family: AF.INET }), attrs: {} },
};

function countRoutes(session: Session): number {
  let count = 0;
  const error = session.dump(dumpRoutes, routeMessage, {
    visit: ({ header, attrs }) => {
      if (header.dstLength === 24 && attrs.oif === VXLAN_INDEX) count++;
    },
    restart: () => {
      count = 0;
    },
  });
  if (error !== undefined) throw new Error(error.message);
  return count;
}

test('a batch makes what it can and says which requests failed', () => {
  using lab = new NetlinkLab();
  const { session } = lab;
  for (let id = 0; id < 200; id++) {
    const request = peerRoute(id);
    const { header, attrs } = request.value;
    // Every fiftieth names a link that does not exist.
    const oif = id % 50 === 7 ? 99 : VXLAN_INDEX;
    session.queue(id, { ...request, value: { header, attrs: { ...attrs, oif } } });
  }
  const failed = session.finish();
  expect([...failed.keys()]).toEqual([7, 57, 107, 157]);
  for (const { errno } of failed.values()) expect(errno).toBe(ERRNO.ENODEV);
  expect(countRoutes(session)).toBe(196);
  expect(session.counters.errorsByErrno).toEqual(new Map([[ERRNO.ENODEV, 4]]));
});

test('an error repeats the words of the kernel', () => {
  using lab = new NetlinkLab();
  const { session } = lab;
  const route = peerRoute(1);
  const offLink = { ...route.value, header: { ...route.value.header, flags: 0 } };
  const refused = session.execute({ ...route, value: offLink });
  expect(refused?.errno).toBe(ERRNO.ENETUNREACH);
  expect(refused?.message).toBe('ENETUNREACH "Nexthop has invalid gateway"');
  const neighbour = peerNeighbour(1);
  const { dst } = neighbour.value.attrs;
  const noAddress = { header: neighbour.value.header, attrs: { dst } };
  expect(session.execute({ ...neighbour, value: noAddress })?.errno).toBe(ERRNO.EINVAL);
  const gone = session.execute({ ...peerForwarding(1), type: RTM.DELNEIGH, flags: 0 });
  expect(gone?.errno).toBe(ERRNO.ENOENT);
});

test('an error names the attribute that the kernel blames, however deep', () => {
  using lab = new NetlinkLab();
  const { session } = lab;
  const blamed = (request: ReturnType<typeof newLink>) =>
    session.execute(request)?.message.replace(/ "[^"]*"/, '');
  expect(blamed(newVxlan(2 ** 24))).toBe('ERANGE at link.linkInfo.vxlan.id');
  expect(blamed(newVxlan(2, { mtu: 60 }))).toBe('EINVAL at link.mtu');
  expect(blamed(newVxlan(2, { address: mac(0) }))).toBeUndefined();
  const unknown = newLink({ name: 'x', linkInfo: { kind: 'unknown', name: 'nosuchkind' } });
  expect(session.execute(unknown)?.message).toBe('EOPNOTSUPP "Unknown device type"');
});

test('a dump of 5,000 routes gives every one once', () => {
  using lab = new NetlinkLab();
  const { session } = lab;
  for (let id = 0; id < 5000; id++) session.queue(id, peerRoute(id));
  expect(session.finish().size).toBe(0);
  const seen = new Set<string>();
  let messages = 0;
  const visit = ({
    header,
    attrs,
  }: {
    header: { dstLength: number };
    attrs: { dst?: string | undefined };
  }) => {
    if (header.dstLength !== 24 || attrs.dst === undefined) return;
    messages++;
    seen.add(attrs.dst);
  };
  expect(session.dump(dumpRoutes, routeMessage, { visit, restart: () => seen.clear() })).toBeUndefined();
  expect([messages, seen.size]).toEqual([5000, 5000]);
});

test('a dump that broke off does not hold up the next one', () => {
  using lab = new NetlinkLab();
  const { session } = lab;
  for (let id = 0; id < 3000; id++) session.queue(id, peerRoute(id));
  session.finish();
  const visit = () => {
    throw new Error('enough');
  };
  expect(() => session.dump(dumpRoutes, routeMessage, { visit, restart: () => undefined })).toThrow('enough');
  expect(countRoutes(session)).toBe(3000);
});

test('a receive buffer that overflows fails requests, and the session goes on', () => {
  using lab = new NetlinkLab();
  const small = new Session(lab.open({ protocol: NETLINK_ROUTE, receiveBufferBytes: 2304 }));
  const removed = (id: number) => ({ ...peerForwarding(id), type: RTM.DELNEIGH, flags: 0 });
  for (let id = 0; id < 64; id++) small.queue(id, removed(id));
  const failed = small.finish();
  expect(failed.size).toBe(64);
  const errnos = new Set([...failed.values()].map(({ errno }) => errno));
  expect(errnos).toEqual(new Set([ERRNO.ENOENT, ERRNO.ENOBUFS]));
  expect(small.execute(peerForwarding(1))).toBeUndefined();
  expect(small.execute(removed(1))).toBeUndefined();
});

test('a dump of forwarding entries is that of one link', () => {
  using lab = new NetlinkLab();
  const { session } = lab;
  for (let id = 1; id <= 300; id++) session.queue(id, peerForwarding(id));
  expect(session.finish().size).toBe(0);
  const seen = new Map<string, string | undefined>();
  const request = {
    type: RTM.GETNEIGH,
    flags: 0,
    codec: neighbourMessage,
    value: { header: ndmsg.of({ family: AF.BRIDGE, ifindex: VXLAN_INDEX }), attrs: {} },
  };
  const error = session.dump(request, neighbourMessage, {
    visit: ({ header, attrs }) => {
      if (header.ifindex === VXLAN_INDEX && attrs.dst !== undefined) seen.set(attrs.lladdr ?? '', attrs.dst);
    },
    restart: () => seen.clear(),
  });
  expect(error).toBeUndefined();
  expect(seen.size).toBe(300);
  expect(seen.get(mac(258))).toBe(ip('192.168.1.2'));
});

test('ask() gives one link by its name, and ENODEV for none', () => {
  using lab = new NetlinkLab();
  const ask = (name: string, visit: (index: number) => void) =>
    lab.session.ask(
      {
        type: RTM.GETLINK,
        flags: 0,
        codec: linkMessage,
        value: { header: ifinfomsg.of({}), attrs: { name } },
      },
      linkMessage,
      ({ header }) => visit(header.index),
    );
  const indexes: number[] = [];
  expect(ask('flannel.1', (index) => indexes.push(index))).toBeUndefined();
  expect(indexes).toEqual([VXLAN_INDEX]);
  expect(ask('nosuchlink', (index) => indexes.push(index))?.errno).toBe(ERRNO.ENODEV);
  expect(indexes.length).toBe(1);
});
