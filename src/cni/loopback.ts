/**
 * The plugin `loopback`: sets up the loopback device of a container, as the reference plugin of that name.
 *
 * @module
 */
import { familyOf } from '../model/ip.ts';
import { ifinfomsg } from '../netlink/link-kinds.ts';
import { IFF, linkMessage, RTM } from '../netlink/route.ts';
import { CniAbort, cniFailure } from './failure.ts';
import type { JsonObject } from './json.ts';
import { findNamespace, openNamespace } from './namespace.ts';
import type { CniRequest, Plugin } from './request.ts';
import { formatResult, previousResult, type ResultIp } from './result.ts';
import { type LinkMessage, Rtnl } from './rtnl.ts';

/** Whatever CNI_IFNAME says. */
const LOOPBACK = 'lo';

/** The plugin's answers. For GC nothing is kept that could be left over, for STATUS nothing is needed that could be missing. */
export const loopback: Plugin = {
  ADD: add,
  DEL: remove,
  CHECK: check,
  GC: () => undefined,
  STATUS: () => undefined,
};

function add(request: CniRequest): JsonObject {
  using netns = openNamespace(request);
  using rtnl = new Rtnl(netns);
  const { header } = needLoopback(rtnl);
  setUp(rtnl, header.index, true);
  const previous = previousResult(request.config);
  if (previous !== undefined) return { ...previous, cniVersion: request.version };
  const ips: ResultIp[] = rtnl.addresses(header.index).flatMap(({ header: { prefixLength }, attrs }) => {
    const ip = attrs.local ?? attrs.address;
    return ip === undefined ? [] : [{ ip, length: prefixLength, interface: 0 }];
  });
  ips.sort((a, b) => familyOf(a.ip) - familyOf(b.ip));
  const interfaces = [{ name: LOOPBACK, mac: '00:00:00:00:00:00', sandbox: request.netns }];
  return formatResult(request.version, { interfaces, ips, routes: [], dns: {} });
}

function remove(request: CniRequest): undefined {
  using netns = findNamespace(request);
  if (netns === undefined) return;
  using rtnl = new Rtnl(netns);
  setUp(rtnl, needLoopback(rtnl).header.index, false);
}

function check(request: CniRequest): undefined {
  using netns = openNamespace(request);
  using rtnl = new Rtnl(netns);
  if ((needLoopback(rtnl).header.flags & IFF.UP) === 0) {
    throw new CniAbort(cniFailure('OWN', 'loopback interface is down', `In the namespace ${request.netns}`));
  }
}

function needLoopback(rtnl: Rtnl): LinkMessage {
  const link = rtnl.link(LOOPBACK);
  if (link === undefined)
    throw new CniAbort(cniFailure('OWN', "there is no interface 'lo' in the namespace"));
  return link;
}

function setUp(rtnl: Rtnl, index: number, up: boolean): void {
  const header = ifinfomsg.of({ index, flags: up ? IFF.UP : 0, change: IFF.UP });
  const request = { type: RTM.NEWLINK, flags: 0, codec: linkMessage, value: { header, attrs: {} } };
  rtnl.execute(`set the loopback interface ${up ? 'up' : 'down'}`, request);
}
