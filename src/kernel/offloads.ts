/**
 * Features of links, read and set by ethtool's generic netlink.
 *
 * @module
 */
import type { OffloadObject } from '../model/objects.ts';
import { ETHTOOL_FAMILY, readFeature, writeFeature } from '../netlink/ethtool.ts';
import { GenericFamilies } from '../netlink/generic.ts';
import type { Session } from '../netlink/session.ts';
import type { Change, Failure } from '../reconcile/target.ts';
import { changeFailure, noLink } from './failure.ts';
import type { LinkTable } from './link-table.ts';

/** The features of one namespace's links. */
export class Offloads {
  readonly #session: Session;
  readonly #links: LinkTable;
  readonly #families: GenericFamilies;

  /** The session is over a NETLINK_GENERIC socket. */
  constructor(session: Session, links: LinkTable) {
    this.#session = session;
    this.#links = links;
    this.#families = new GenericFamilies(session);
  }

  /** A feature that this kernel cannot show or change reads as wanted: there is nothing to be done about it. */
  read(object: OffloadObject): OffloadObject | undefined {
    const { link, feature } = object;
    const known = this.#links.byName(link);
    const familyId = this.#families.resolve(ETHTOOL_FAMILY);
    if (known === undefined) return undefined;
    if (typeof familyId !== 'number') return object;
    const on = readFeature(this.#session, { familyId, link: known.index, feature });
    return typeof on === 'boolean' ? { ...object, on } : object;
  }

  /** Sets a feature. */
  write({ verb }: Change, object: OffloadObject): Failure | undefined {
    const { link, feature, on } = object;
    const known = this.#links.byName(link);
    if (known === undefined) return noLink(verb, object, link);
    const familyId = this.#families.resolve(ETHTOOL_FAMILY);
    if (typeof familyId !== 'number') return changeFailure(verb, object, familyId);
    const error = writeFeature(this.#session, { familyId, link: known.index, feature, on });
    if (error === undefined) return undefined;
    this.#families.forget(ETHTOOL_FAMILY);
    return changeFailure(verb, object, error);
  }
}
