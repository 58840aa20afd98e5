/**
 * The Linux kernel as a target: reads it object by object, and makes changes in batches of netlink messages.
 *
 * @module
 */
import { familyOf } from '../model/ip.ts';
import type { KernelObject, LinkObject } from '../model/objects.ts';
import { ERRNO, type NetlinkError } from '../netlink/error.ts';
import { AF, addressMessage, IFF, linkMessage, neighbourMessage, routeMessage } from '../netlink/route.ts';
import type { Session } from '../netlink/session.ts';
import type { Change, Failure, Look, LookVisitor, Scope, Target } from '../reconcile/target.ts';
import { addressOwner, dumpAddresses, readAddress } from './addresses.ts';
import { Adviser } from './advice.ts';
import { changeFailure, isAlreadyDone, isEmptyDump, lookFailure } from './failure.ts';
import { readFile, readSysctl, writeFile, writeSysctl } from './files.ts';
import { LinkTable } from './link-table.ts';
import {
  deleteLink,
  dumpLinks,
  getLink,
  type LinkMessage,
  linkOwner,
  readLink,
  readVxlans,
} from './links.ts';
import { dumpNeighbours, readNeighbour } from './neighbours.ts';
import { readNodeFacts } from './node-facts.ts';
import { Offloads } from './offloads.ts';
import { isOnLink, linkRequests, requestFor } from './requests.ts';
import { deleteRoute, dumpRoutes, readRoute, routeOwner, setRoute, setRouteByStep } from './routes.ts';
import { RuleTables, type RuleTablesOptions } from './rules.ts';

/** So many changes at once are start-up or a rebuilt device, not repair. */
const BULK_MIN = 128;

/** What the kernel is reached through. */
export interface LinuxKernelOptions {
  /** Over a NETLINK_ROUTE socket. */
  readonly route: Session;
  /** Over a NETLINK_GENERIC socket. */
  readonly generic: Session;
  readonly rules: RuleTablesOptions;
  /** Where kernel settings are: /proc/sys, except in tests. */
  readonly sysctlRoot: string;
  /** Called before many objects are made at once: the kernel will announce each of them. */
  readonly onBulk?: () => void;
  /** Called when links have got or lost their indexes, before anything is made on them. */
  readonly onLinks?: () => void;
}

/** One network namespace's kernel. */
export class LinuxKernel implements Target {
  /** The links as the last look found them. */
  readonly links = new LinkTable();
  readonly #route: Session;
  readonly #rules: RuleTables;
  readonly #offloads: Offloads;
  readonly #sysctlRoot: string;
  readonly #adviser: Adviser;
  readonly #onLinks: () => void;
  readonly #onBulk: () => void;

  constructor({
    route,
    generic,
    rules,
    sysctlRoot,
    onLinks = nothing,
    onBulk = nothing,
  }: LinuxKernelOptions) {
    this.#route = route;
    this.#rules = new RuleTables(rules);
    this.#offloads = new Offloads(generic, this.links);
    this.#sysctlRoot = sysctlRoot;
    this.#adviser = new Adviser({ facts: readNodeFacts, devices: () => readVxlans(route, this.links) });
    this.#onLinks = onLinks;
    this.#onBulk = onBulk;
  }

  observe(scope: Scope, look: Look, visit: LookVisitor): Failure | undefined {
    switch (scope) {
      case 'links':
        return this.#observeLinks(look, visit);
      case 'node':
        return this.#observeNode(look, visit);
      case 'peers':
        return this.#observePeers(look, visit);
      case 'rules':
        return this.#rules.observe(look, visit);
      case 'chains':
        return this.#rules.observeChains(look, visit);
      case 'files':
        for (const object of look.probe) {
          const file = object.kind === 'file' ? readFile(object) : undefined;
          if (file !== undefined) visit({ object: file, owner: 'ours' });
        }
        return undefined;
    }
  }

  apply(changes: readonly Change[]): ReadonlyMap<number, Failure> {
    const failures = new Map<number, Failure>();
    this.#adviser.forget();
    if (changes.length >= BULK_MIN) this.#onBulk();
    let queued = false;
    const flush = () => {
      for (const [i, first] of this.#route.finish()) {
        const change = changes[i];
        const error = change === undefined ? undefined : this.#tryOtherwise(change, first);
        if (change === undefined || error === undefined) continue;
        if (isAlreadyDone(change.verb, change.object, error.errno)) continue;
        failures.set(i, this.#refusal(change, error));
      }
      queued = false;
    };
    changes.forEach((change, i) => {
      const { object } = change;
      if (isOnLink(object)) {
        const outcome = requestFor(change, object, this.links);
        if ('failure' in outcome) failures.set(i, outcome.failure);
        else if ('request' in outcome) this.#route.queue(i, outcome.request);
        queued = true;
        return;
      }
      if (queued) flush();
      const failure = this.#applyAlone(change);
      if (failure !== undefined) failures.set(i, failure);
    });
    flush();
    return failures;
  }

  /** What is left of a refusal when the change was tried in another way, if there is one. */
  #tryOtherwise({ verb, object }: Change, error: NetlinkError): NetlinkError | undefined {
    if (verb === 'remove' || object.kind !== 'route') return error;
    const { gateway, onlink } = object;
    const link = this.links.byName(object.link);
    if (link === undefined) return error;
    const { index } = link;
    if (error.errno === ERRNO.EINVAL && onlink && gateway !== undefined && familyOf(gateway) === 6) {
      const steps = setRouteByStep(object, { gateway, index });
      const [, outcome] = steps.map((request) => this.#route.execute(request));
      return outcome;
    }
    if (error.errno !== ERRNO.EEXIST) return error;
    // Ours stands behind another of the same destination and metric: once it is gone, that one is replaced.
    this.#route.execute(deleteRoute(object, index));
    return this.#route.execute(setRoute(object, index));
  }

  /** Changes that are not batched: links, since what follows needs their index, and all that is not NETLINK_ROUTE. */
  #applyAlone(change: Change): Failure | undefined {
    const { verb, object } = change;
    switch (object.kind) {
      case 'sysctl':
        return verb === 'remove' ? undefined : writeSysctl(object, this.#sysctlRoot);
      case 'file':
        return verb === 'remove' ? undefined : writeFile(object);
      case 'offload':
        return verb === 'remove' ? undefined : this.#offloads.write(change, object);
      case 'table':
      case 'passage':
        return this.#rules.change(change, object);
      case 'link':
        return this.#applyLink(change, object);
      default:
        return undefined;
    }
  }

  #applyLink(change: Change, link: LinkObject): Failure | undefined {
    const { verb } = change;
    const { name } = link;
    const outcome = linkRequests(change, link, this.links);
    if ('failure' in outcome) return outcome.failure;
    if (verb === 'recreate') {
      const error = this.#route.execute(deleteLink(name));
      if (error !== undefined && error.errno !== ERRNO.ENODEV) return this.#refusal(change, error);
      this.links.delete(name);
    }
    for (const request of outcome.requests) {
      const error = this.#route.execute(request);
      if (error !== undefined && !isAlreadyDone(verb, link, error.errno)) return this.#refusal(change, error);
    }
    this.links.delete(name);
    if (verb !== 'remove') this.#route.ask(getLink(name), linkMessage, (message) => this.#learn(message));
    this.#onLinks();
    return undefined;
  }

  /** A refused change, with what can be done about it here. */
  #refusal({ verb, object }: Change, error: NetlinkError): Failure {
    return this.#adviser.advise(changeFailure(verb, object, error), object);
  }

  #observeLinks({ claims }: Look, visit: LookVisitor): Failure | undefined {
    const found: LinkMessage[] = [];
    this.links.clear();
    const error = this.#route.dump(dumpLinks, linkMessage, {
      visit: (message) => {
        this.#learn(message);
        if (claims.links.has(message.attrs.name ?? '')) found.push(message);
      },
      restart: () => {
        this.links.clear();
        found.length = 0;
      },
    });
    if (error !== undefined) return lookFailure('links', error);
    for (const message of found) {
      const object = readLink(message, this.links);
      if (object === undefined) continue;
      visit({ object, owner: linkOwner(object) });
      // Nothing is put on a device that only has the name of ours.
      if (linkOwner(object) === 'alien') this.links.delete(object.name);
    }
    this.#onLinks();
    return undefined;
  }

  #observeNode({ claims, probe }: Look, visit: LookVisitor): Failure | undefined {
    for (const family of [4, 6] as const) {
      const error = this.#route.dump(dumpAddresses(family), addressMessage, {
        visit: (message) => {
          const object = readAddress(message, this.links);
          if (object !== undefined) visit({ object, owner: addressOwner(object, claims) });
        },
        restart: nothing,
      });
      if (error !== undefined && !isEmptyDump(error)) return lookFailure('addresses', error);
    }
    for (const object of probe) {
      const found = this.#probe(object);
      if (found !== undefined) visit({ object: found, owner: 'ours' });
    }
    return undefined;
  }

  #probe(object: KernelObject): KernelObject | undefined {
    if (object.kind === 'up') return this.links.byName(object.link)?.up ? object : undefined;
    if (object.kind === 'sysctl') return readSysctl(object, this.#sysctlRoot);
    return object.kind === 'offload' ? this.#offloads.read(object) : undefined;
  }

  #observePeers({ claims }: Look, visit: LookVisitor): Failure | undefined {
    for (const family of [4, 6] as const) {
      const error = this.#route.dump(dumpRoutes(family), routeMessage, {
        visit: (message) => {
          const object = readRoute(message, this.links);
          if (object !== undefined) visit({ object, owner: routeOwner(object, claims) });
        },
        restart: nothing,
      });
      if (error !== undefined && !isEmptyDump(error)) return lookFailure(`IPv${family} routes`, error);
    }
    for (const name of claims.links) {
      const link = this.links.byName(name);
      const error = link === undefined ? undefined : this.#observeNeighbours(link.index, visit);
      if (error !== undefined) return lookFailure(`neighbours of ${name}`, error);
    }
    return undefined;
  }

  #observeNeighbours(index: number, visit: LookVisitor): NetlinkError | undefined {
    for (const family of [AF.INET, AF.INET6, AF.BRIDGE]) {
      const error = this.#route.dump(dumpNeighbours(family, index), neighbourMessage, {
        visit: (message) => {
          if (message.header.ifindex !== index) return;
          const read = readNeighbour(message, this.links);
          if (read?.permanent) visit({ object: read.object, owner: 'ours' });
        },
        restart: nothing,
      });
      if (error !== undefined && !isEmptyDump(error)) return error;
    }
    return undefined;
  }

  #learn({ header, attrs }: LinkMessage): void {
    if (attrs.name === undefined) return;
    this.links.set({ index: header.index, name: attrs.name, up: (header.flags & IFF.UP) !== 0 });
  }
}

/** Objects that a look shows twice do no harm. */
function nothing(): void {
  // Nothing has to be taken back.
}
