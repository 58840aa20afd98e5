/**
 * Link features, such as checksum offload, by the names that `ethtool -k` prints (`linux/ethtool_netlink.h`).
 *
 * @module
 */
import { attrs, list } from './attributes.ts';
import { flag, str, u32 } from './codec.ts';
import { ERRNO, type NetlinkError, netlinkError } from './error.ts';
import { genericMessage, genlmsghdr } from './generic.ts';
import type { Session } from './session.ts';

/** The generic netlink family (ETHTOOL_GENL_NAME); Linux 5.6 and later. */
export const ETHTOOL_FAMILY = 'ethtool';

const ETHTOOL_GENL_VERSION = 1;
const ETHTOOL_MSG_FEATURES_GET = 11;
const ETHTOOL_MSG_FEATURES_SET = 12;

// ETHTOOL_A_HEADER_*
const requestHeader = attrs('header', { devIndex: [1, u32], devName: [2, str], flags: [3, u32] }, 'nested');

// ETHTOOL_A_BITSET_BIT_*
const bit = attrs('bit', { name: [2, str], value: [3, flag] }, 'nested');

// ETHTOOL_A_BITSET_*; ETHTOOL_A_BITSET_BITS_BIT is 1
const bitset = attrs('bitset', { noMask: [1, flag], bits: [3, list('bits', 1, bit)] }, 'nested');

/** ETHTOOL_MSG_FEATURES_*: ETHTOOL_A_FEATURES_*. */
export const featuresMessage = genericMessage(
  'features',
  attrs('features', {
    header: [1, requestHeader],
    hw: [2, bitset],
    wanted: [3, bitset],
    active: [4, bitset],
  }),
);

/** One feature of one link. */
export interface FeatureOfLink {
  /** The id of {@link ETHTOOL_FAMILY}. */
  readonly familyId: number;
  /** By name or by index. */
  readonly link: string | number;
  /** As the kernel calls it, such as `tx-checksum-ip-generic`. */
  readonly feature: string;
}

/** Whether a feature is active now. EOPNOTSUPP if the kernel knows none of that name. */
export function readFeature(
  session: Session,
  { familyId, link, feature }: FeatureOfLink,
): boolean | NetlinkError {
  let known = false;
  let active = false;
  const error = session.ask(
    {
      type: familyId,
      flags: 0,
      codec: featuresMessage,
      value: {
        header: genlmsghdr.of({ command: ETHTOOL_MSG_FEATURES_GET, version: ETHTOOL_GENL_VERSION }),
        attrs: { header: headerOf(link) },
      },
    },
    featuresMessage,
    ({ attrs }) => {
      // The list of what the hardware can change names every feature there is, the other only what is set.
      known = names(attrs.hw, feature);
      active = names(attrs.active, feature);
    },
  );
  if (error !== undefined) return error;
  return known || active ? active : netlinkError(ERRNO.EOPNOTSUPP, { text: `no feature ${feature}` });
}

/** Switches a feature on or off. EOPNOTSUPP if the link cannot change it or another feature forbids it. */
export function writeFeature(
  session: Session,
  { familyId, link, feature, on }: FeatureOfLink & { readonly on: boolean },
): NetlinkError | undefined {
  let refused = false;
  const error = session.ask(
    {
      type: familyId,
      flags: 0,
      codec: featuresMessage,
      value: {
        header: genlmsghdr.of({ command: ETHTOOL_MSG_FEATURES_SET, version: ETHTOOL_GENL_VERSION }),
        attrs: {
          header: headerOf(link),
          wanted: { bits: [on ? { name: feature, value: true } : { name: feature }] },
        },
      },
    },
    featuresMessage,
    ({ attrs }) => {
      // The reply's WANTED holds what was asked for and did not come about.
      refused = names(attrs.wanted, feature);
    },
  );
  if (error !== undefined || !refused) return error;
  return netlinkError(ERRNO.EOPNOTSUPP, { text: `feature ${feature} stays ${on ? 'off' : 'on'}` });
}

function headerOf(link: string | number) {
  return typeof link === 'number' ? { devIndex: link } : { devName: link };
}

interface NamedBits {
  readonly bits?: readonly { readonly name?: string | undefined }[] | undefined;
}

function names(set: NamedBits | undefined, feature: string): boolean {
  return set?.bits?.some(({ name }) => name === feature) ?? false;
}
