/**
 * `--ip-blackhole-route`: what is sent to a pod of this node that is not there goes nowhere, instead of out again by the
 * default route. The connected route of the pods' bridge, of the same prefix, comes first by its metric.
 *
 * @module
 */
import { FAMILIES } from '../model/ip.ts';
import { type Lease, leaseFamily } from '../model/lease.ts';
import { BLACKHOLE_METRIC, ROUTE_PROTOCOL, type RouteObject } from '../model/objects.ts';

/** A route for each own subnet. */
export function planBlackholes(own: Lease): readonly RouteObject[] {
  return FAMILIES.flatMap((family) => {
    const dst = leaseFamily(own, family)?.subnet;
    return dst === undefined ? [] : [{ ...NOWHERE, dst }];
  });
}

const NOWHERE: Omit<RouteObject, 'dst'> = {
  kind: 'route',
  gateway: undefined,
  link: '',
  onlink: false,
  protocol: ROUTE_PROTOCOL,
  metric: BLACKHOLE_METRIC,
  blackhole: true,
};
