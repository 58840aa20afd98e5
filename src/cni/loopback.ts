/**
 * The plugin `loopback`: sets up the loopback device of a container, as the reference plugin of that name.
 *
 * @module
 */
import { readFile } from '../../ffi/files.ts';
import { Interface } from '../../ffi/interface.ts';
import { inNetns, type Netns } from '../../ffi/netns.ts';
import { parseIp } from '../model/ip.ts';
import { errnoName } from '../netlink/error.ts';
import { CniAbort, cniFailure, thrownText } from './failure.ts';
import type { JsonObject } from './json.ts';
import { findNamespace, openNamespace } from './namespace.ts';
import type { CniRequest, Plugin } from './request.ts';
import { formatResult, previousResult, type ResultIp } from './result.ts';

/** Whatever CNI_IFNAME says. */
const LOOPBACK = 'lo';
/** `linux/if.h`. */
const IFF_UP = 0x1;
/** Every address of IPv6 in the namespace of the thread, a line each (`net/ipv6/addrconf.c`). */
const ADDRESSES_V6 = '/proc/thread-self/net/if_inet6';
/** How one of the loopback device begins there: its address without colons, its index, its length. */
const LOOPBACK_V6 = /^0{31}1 [0-9a-f]+ 80 /m;

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
  const ips = inside(netns, (device) => {
    setUp(device, true);
    return addressesOf(device);
  });
  const previous = previousResult(request.config);
  if (previous !== undefined) return { ...previous, cniVersion: request.version };
  const interfaces = [{ name: LOOPBACK, mac: '00:00:00:00:00:00', sandbox: request.netns }];
  return formatResult(request.version, { interfaces, ips, routes: [], dns: {} });
}

function remove(request: CniRequest): undefined {
  using netns = findNamespace(request);
  if (netns !== undefined) inside(netns, (device) => setUp(device, false));
}

function check(request: CniRequest): undefined {
  using netns = openNamespace(request);
  if ((inside(netns, flagsOf) & IFF_UP) === 0) {
    throw new CniAbort(cniFailure('OWN', 'loopback interface is down', `In the namespace ${request.netns}`));
  }
}

/** Throws {@link CniAbort} if it is no namespace of a network. */
function inside<T>(netns: Netns, work: (device: Interface) => T): T {
  try {
    return inNetns(netns, () => {
      using device = new Interface(LOOPBACK);
      return work(device);
    });
  } catch (thrown) {
    if (thrown instanceof CniAbort) throw thrown;
    const msg = 'CNI_NETNS: cannot enter the network namespace';
    throw new CniAbort(cniFailure('INVALID_ENVIRONMENT', msg, thrownText(thrown)));
  }
}

function flagsOf(device: Interface): number {
  const flags = device.flags();
  if (flags >= 0) return flags;
  const msg = "there is no interface 'lo' in the namespace";
  throw new CniAbort(cniFailure('OWN', msg, errnoName(-flags)));
}

function setUp(device: Interface, up: boolean): void {
  const flags = flagsOf(device);
  const error = device.setFlags(up ? flags | IFF_UP : flags & ~IFF_UP);
  if (error === 0) return;
  const msg = `cannot set the loopback interface ${up ? 'up' : 'down'}`;
  throw new CniAbort(cniFailure('OWN', msg, errnoName(-error)));
}

/** IPv4 first. */
function addressesOf(device: Interface): ResultIp[] {
  const v4 = device.address();
  const v6 = readFile(ADDRESSES_V6);
  const found = [
    ...(v4 === undefined ? [] : [v4]),
    ...(typeof v6 === 'string' && LOOPBACK_V6.test(v6) ? [{ ip: '::1', length: 128 }] : []),
  ];
  return found.flatMap(({ ip, length }) => {
    const parsed = parseIp(ip);
    return parsed === undefined ? [] : [{ ip: parsed, length, interface: 0 }];
  });
}
