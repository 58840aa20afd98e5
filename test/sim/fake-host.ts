/**
 * The fake kernel as the choice of the underlay interface sees it (`src/kernel/underlay.ts`).
 *
 * @module
 */
import { familyOf, type Ip, prefixContains, prefixLength } from '../../src/model/ip.ts';
import { ROUTE_PROTOCOL } from '../../src/model/objects.ts';
import type { HostPath, HostSnapshot } from '../../src/underlay/snapshot.ts';
import type { FakeKernel } from './fake-kernel.ts';

/** Everything at this moment, with the way to `canReach`. */
export function hostOf({ links, routes }: FakeKernel, canReach?: Ip): HostSnapshot {
  const found = routes.all().flatMap(({ dst, gateway, link, metric = 0, protocol }) => {
    const index = links.get(link)?.index;
    return protocol === ROUTE_PROTOCOL || index === undefined
      ? []
      : [{ dst, direct: gateway === undefined, index, metric, advertised: false }];
  });
  return {
    links: links.all().map(({ index, name, mtuBytes, up }) => ({
      index,
      name,
      mtuBytes,
      up,
      loopback: name === 'lo',
      hardware: false,
    })),
    addresses: links.all().flatMap(({ index, addresses }) =>
      [...addresses.values()].map(({ ip }) => ({
        index,
        ip,
        deprecated: false,
        permanent: true,
        temporary: false,
      })),
    ),
    routes: found,
    reach: canReach === undefined ? undefined : pathTo(canReach, found),
  };
}

function pathTo(ip: Ip, routes: HostSnapshot['routes']): HostPath | undefined {
  const [best] = routes
    .filter(({ dst }) => familyOf(dst) === familyOf(ip) && prefixContains(dst, ip))
    .sort((a, b) => prefixLength(b.dst) - prefixLength(a.dst));
  return best && { index: best.index, source: undefined };
}
