/**
 * From a change to the netlink request that makes it: names become indexes here.
 *
 * @module
 */
import type { KernelObject, LinkObject } from '../model/objects.ts';
import type { Request } from '../netlink/session.ts';
import type { Change, Failure } from '../reconcile/target.ts';
import { addressRequest } from './addresses.ts';
import { noLink } from './failure.ts';
import type { LinkTable } from './link-table.ts';
import { changeVxlan, createVxlan, deleteLink, type LinkRequest, setLinkUp } from './links.ts';
import { neighbourRequest } from './neighbours.ts';
import { deleteRoute, setRoute } from './routes.ts';

/** What is made in another way. */
type OffLink = 'link' | 'sysctl' | 'offload' | 'file' | 'table' | 'passage';

const OFF_LINK: ReadonlySet<string> = new Set<OffLink>([
  'link',
  'sysctl',
  'offload',
  'file',
  'table',
  'passage',
]);

/** The kinds of object that one NETLINK_ROUTE request makes, all but blackholes on a link that is there. */
export type OnLinkObject = Exclude<KernelObject, { kind: OffLink }>;

/** Whether the object is made by one NETLINK_ROUTE request. */
export function isOnLink(object: KernelObject): object is OnLinkObject {
  return !OFF_LINK.has(object.kind);
}

/** A request, that there is nothing to do because the link has gone, or why there can be none. */
export type RequestOutcome =
  | { readonly request: Request<unknown> }
  | { readonly done: true }
  | { readonly failure: Failure };

/** The request for a change of `object`, which is that of the change. */
export function requestFor(change: Change, object: OnLinkObject, links: LinkTable): RequestOutcome {
  if (object.kind === 'route' && object.blackhole) {
    const request = change.verb === 'remove' ? deleteRoute : setRoute;
    return { request: request(object, undefined) };
  }
  const link = links.byName(object.link);
  if (link === undefined) {
    return change.verb === 'remove' ? { done: true } : { failure: noLink(change.verb, object, object.link) };
  }
  const removing = change.verb === 'remove';
  switch (object.kind) {
    case 'up':
      return removing ? { done: true } : { request: setLinkUp(link.index) };
    case 'address':
      return { request: addressRequest(removing ? 'remove' : 'add', object, link.index) };
    case 'route':
      return { request: removing ? deleteRoute(object, link.index) : setRoute(object, link.index) };
    case 'neighbour':
    case 'fdb':
      return { request: neighbourRequest(removing ? 'remove' : 'set', object, link.index) };
  }
}

/** Requests to be made in order, or why there can be none. */
export type LinkOutcome = { readonly requests: readonly LinkRequest[] } | { readonly failure: Failure };

/** The requests for a change of a link; `recreate` means that it was removed before. */
export function linkRequests({ verb, was }: Change, link: LinkObject, links: LinkTable): LinkOutcome {
  if (verb === 'remove') return { requests: [deleteLink(link.name)] };
  const { device } = link;
  if (device.type !== 'vxlan')
    return { failure: { kind: 'other', message: `Not a device to make: ${link.name}` } };
  const parent = device.parent === undefined ? undefined : links.byName(device.parent);
  if (device.parent !== undefined && parent === undefined)
    return { failure: noLink(verb, link, device.parent) };
  const known = links.byName(link.name);
  if (verb === 'replace' && known !== undefined && was?.kind === 'link') {
    return { requests: changeVxlan(link, device, { index: known.index, was, parentIndex: parent?.index }) };
  }
  return { requests: [createVxlan(link, device, parent?.index)] };
}
