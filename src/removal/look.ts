/**
 * Looks in the kernel for everything that may be ours or flanneld's.
 *
 * @module
 */
import { isPortTable } from '../model/host-ports.ts';
import type { FdbObject, LinkObject, NeighbourObject, PassageObject, RouteObject } from '../model/objects.ts';
import { fail, ok, type Result } from '../model/result.ts';
import type { TableObject } from '../model/traffic-rules.ts';
import type { Claims, Failure, Target } from '../reconcile/target.ts';
import { isDeviceName } from './device.ts';
import type { KernelFindings } from './findings.ts';

/** Looks at the devices that are ours by their names, and at table main. `names` are those of all links. */
export function lookForLeftovers(
  target: Pick<Target, 'observe'>,
  names: readonly string[],
): Result<KernelFindings, Failure> {
  const claims: Claims = { links: new Set(names.filter(isDeviceName)), networks: [] };
  const links = new Map<string, LinkObject>();
  // A dump that the kernel begins anew shows objects twice.
  const routes = new Map<string, RouteObject>();
  const entries = new Map<string, NeighbourObject | FdbObject>();
  const tables: TableObject[] = [];
  const passages: PassageObject[] = [];
  const failure =
    target.observe('links', { claims, probe: [] }, ({ object }) => {
      if (object.kind === 'link') links.set(object.name, object);
    }) ??
    target.observe('peers', { claims, probe: [] }, ({ object, owner }) => {
      if (object.kind === 'route' && owner !== 'kernel') routes.set(JSON.stringify(object), object);
      if (object.kind === 'neighbour' || object.kind === 'fdb') entries.set(JSON.stringify(object), object);
    }) ??
    target.observe('rules', { claims, probe: [] }, ({ object, owner }) => {
      if (object.kind === 'table' && (owner === 'ours' || isPortTable(object))) tables.push(object);
    }) ??
    target.observe('chains', { claims, probe: [] }, ({ object }) => {
      if (object.kind === 'passage') passages.push(object);
    });
  if (failure !== undefined) return fail(failure);
  return ok({
    links: [...links.values()],
    routes: [...routes.values()],
    entries: [...entries.values()],
    tables,
    passages,
  });
}
