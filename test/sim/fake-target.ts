/**
 * The fake kernel as the engine's target: it answers as `src/kernel` would, and fails when it is told to.
 *
 * @module
 */
import { addressOwner } from '../../src/kernel/addresses.ts';
import type { EventSink } from '../../src/kernel/events.ts';
import { changeFailure, isAlreadyDone, noLink } from '../../src/kernel/failure.ts';
import { routeOwner } from '../../src/kernel/routes.ts';
import { tableOwner } from '../../src/kernel/tables.ts';
import { type KernelObject, keyOf } from '../../src/model/objects.ts';
import { ERRNO, netlinkError } from '../../src/netlink/error.ts';
import type {
  Change,
  Claims,
  Failure,
  Look,
  LookVisitor,
  Observed,
  Scope,
  Target,
} from '../../src/reconcile/target.ts';
import type { Errno, FakeEvent, FakeKernel } from './fake-kernel.ts';

/** Says with which errno a change fails, or 0. */
export type Fault = (change: Change) => Errno;

/** One fake namespace, as the engine sees it. */
export class FakeTarget implements Target {
  readonly kernel: FakeKernel;
  /** Every change that was asked for, in order. */
  readonly changes: Change[] = [];
  /** How often each scope was looked at. */
  readonly looks: Record<Scope, number> = { links: 0, node: 0, peers: 0, rules: 0, chains: 0, files: 0 };
  /** Asked before every change. */
  fault: Fault = () => 0;
  /** Asked before every look. */
  lookFault: (scope: Scope) => Failure | undefined = () => undefined;
  /** Told how many changes are asked for at once, before they are made. */
  onApply: (changes: readonly Change[]) => void = () => undefined;

  /** Links that only have the names of ours. */
  #foreign: ReadonlySet<string> = new Set();

  constructor(kernel: FakeKernel) {
    this.kernel = kernel;
  }

  observe(scope: Scope, look: Look, visit: LookVisitor): Failure | undefined {
    this.looks[scope]++;
    const failure = this.lookFault(scope);
    if (failure !== undefined) return failure;
    for (const observed of this.#find(scope, look)) visit(observed);
    return undefined;
  }

  apply(changes: readonly Change[]): ReadonlyMap<number, Failure> {
    this.onApply(changes);
    const failures = new Map<number, Failure>();
    changes.forEach((change, i) => {
      this.changes.push(change);
      const failure = this.#change(change);
      if (failure !== undefined) failures.set(i, failure);
    });
    return failures;
  }

  *#find(scope: Scope, { claims, probe }: Look): Generator<Observed> {
    const { links, routes } = this.kernel;
    const claimed = links.all().filter(({ name }) => claims.links.has(name));
    const [foreign, own] = partition(claimed, ({ device }) => device.type === 'other');
    switch (scope) {
      case 'links':
        this.#foreign = new Set(foreign.map(({ name }) => name));
        for (const link of claimed) yield withOwner(links.object(link), claims);
        break;
      case 'node':
        for (const { name, addresses } of links.all())
          if (!this.#foreign.has(name))
            for (const address of addresses.values()) yield withOwner(address, claims);
        for (const object of probe) yield* this.#probe(object);
        break;
      case 'peers':
        for (const route of routes.all()) if (!this.#foreign.has(route.link)) yield withOwner(route, claims);
        for (const { name: link, neighbours, fdb } of own) {
          for (const [ip, mac] of neighbours) yield ours({ kind: 'neighbour', link, ip, mac });
          for (const [mac, dst] of fdb) yield ours({ kind: 'fdb', link, mac, dst });
        }
        break;
      case 'rules':
        for (const table of this.kernel.tables.values()) yield { object: table, owner: tableOwner(table) };
        break;
      case 'chains':
        if (probe.some(({ kind }) => kind === 'passage') || this.kernel.passage.rules.length > 0)
          yield ours(this.kernel.passage);
        break;
      case 'files':
        for (const object of probe) yield* this.#probe(object);
    }
  }

  *#probe(object: KernelObject): Generator<Observed> {
    const { links, sysctls, files } = this.kernel;
    if (object.kind === 'up' && links.get(object.link)?.up) yield ours(object);
    if (object.kind === 'sysctl') {
      const value = sysctls.get(object.name) ?? (object.optional ? object.value : undefined);
      if (value !== undefined) yield ours({ ...object, value });
    }
    if (object.kind === 'offload') {
      const link = links.get(object.link);
      if (link !== undefined) yield ours({ ...object, on: link.offloads.get(object.feature) ?? object.on });
    }
    const text = object.kind === 'file' ? files.get(object.path) : undefined;
    if (object.kind === 'file' && text !== undefined) yield ours({ ...object, text });
  }

  #change(change: Change): Failure | undefined {
    const { verb, object } = change;
    const injected = this.fault(change);
    const missing = injected === 0 ? this.#missingLink(object) : undefined;
    if (missing !== undefined) return verb === 'remove' ? undefined : noLink(verb, object, missing);
    const errno = injected === 0 ? this.#request(change) : injected;
    if (errno === 0 || isAlreadyDone(verb, object, errno)) return undefined;
    return changeFailure(verb, object, netlinkError(errno));
  }

  /** The link that the object needs, if there is none of that name to work on. */
  #missingLink(object: KernelObject): string | undefined {
    const { links } = this.kernel;
    if (object.kind === 'route' && object.blackhole) return undefined;
    if ('link' in object)
      return links.get(object.link) && !this.#foreign.has(object.link) ? undefined : object.link;
    const parent =
      object.kind === 'link' && object.device.type === 'vxlan' ? object.device.parent : undefined;
    return links.get(parent) ? undefined : parent;
  }

  #request({ verb, object, was }: Change): Errno {
    const { kernel } = this;
    const remove = verb === 'remove';
    switch (object.kind) {
      case 'link': {
        if (remove) return kernel.deleteLink(object.name, 'us');
        const { device } = object;
        if (device.type !== 'vxlan') return ERRNO.EOPNOTSUPP;
        if (verb === 'recreate') kernel.deleteLink(object.name, 'us');
        if (verb !== 'replace' || was?.kind !== 'link') return kernel.addVxlan({ ...object, device }, 'us');
        const mtuBytes = was.mtuBytes === object.mtuBytes ? undefined : object.mtuBytes;
        const mac = was.mac === object.mac ? undefined : object.mac;
        return kernel.changeLink(object.name, { mtuBytes, mac, device }, 'us');
      }
      case 'up':
        return remove ? 0 : kernel.setUp(object.link, true, 'us');
      case 'address':
        return remove ? kernel.removeAddress(object, 'us') : kernel.addAddress(object, 'us');
      case 'route':
        return remove ? kernel.removeRoute(object, 'us') : kernel.setRoute(object, 'us');
      case 'neighbour':
        return remove ? kernel.removeNeighbour(object, 'us') : kernel.setNeighbour(object, 'us');
      case 'fdb':
        return remove ? kernel.removeFdb(object) : kernel.setFdb(object);
      case 'sysctl':
        if (!remove) kernel.sysctls.set(object.name, object.value);
        return 0;
      case 'offload':
        if (!remove) kernel.links.get(object.link)?.offloads.set(object.feature, object.on);
        return 0;
      case 'table':
        if (remove) kernel.tables.delete(keyOf(object));
        else kernel.tables.set(keyOf(object), object);
        return 0;
      case 'file':
        if (!remove) kernel.files.set(object.path, object.text);
        return 0;
      case 'passage':
        kernel.passage = { ...object, faults: [], rules: remove ? [] : ['ip filter FORWARD handle 7'] };
        return 0;
    }
  }
}

/** Gives what the kernel has announced to those who listen, as `readEvents` would. */
export function deliverEvents(kernel: FakeKernel, claims: Claims, sink: EventSink): void {
  for (const event of kernel.events.splice(0)) deliver(event, claims, sink);
}

function deliver({ object, gone, formerName }: FakeEvent, claims: Claims, sink: EventSink): void {
  const link = object.kind === 'link' ? object.name : 'link' in object ? object.link : '';
  const claimed = claims.links.has(link);
  const observed = withOwner(object, claims);
  switch (object.kind) {
    case 'link':
    case 'up':
      if (formerName !== undefined && claims.links.has(formerName))
        sink.look(`link ${formerName} was renamed ${link}`);
      if (claimed) sink.moved(observed, gone);
      else if (object.kind === 'link')
        sink.underlay({ kind: 'link', name: link, index: 0, mtuBytes: object.mtuBytes, up: !gone, gone });
      break;
    case 'address':
      if (claimed) sink.moved(observed, gone);
      else sink.underlay({ kind: 'address', link, gone });
      break;
    case 'route':
      sink.moved(observed, gone);
      if (observed.owner !== 'ours')
        sink.underlay({
          kind: 'route',
          link,
          isDefault: object.kind === 'route' && object.dst.endsWith('/0'),
        });
      break;
    case 'table':
      sink.moved(observed, gone);
      break;
    case 'passage':
      sink.moved({ object, owner: 'alien' }, gone);
      break;
    case 'neighbour':
    case 'fdb':
      if (claimed) sink.moved(observed, gone);
  }
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}

function ours(object: KernelObject): Observed {
  return { object, owner: 'ours' };
}

function withOwner(object: KernelObject, claims: Claims): Observed {
  switch (object.kind) {
    case 'link':
      return { object, owner: object.device.type === 'vxlan' ? 'ours' : 'alien' };
    case 'address':
      return { object, owner: addressOwner(object, claims) };
    case 'route':
      return { object, owner: routeOwner(object, claims) };
    default:
      return ours(object);
  }
}
