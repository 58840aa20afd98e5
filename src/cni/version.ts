/**
 * The versions of the CNI specification that are spoken here, and what each allows.
 *
 * @module
 */

/** From the oldest, as `supportedVersions` lists them. */
export const CNI_VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

/** A version that is spoken here. */
export type CniVersion = (typeof CNI_VERSIONS)[number];

/** What a plugin can be asked to do, apart from VERSION. */
export type CniVerb = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS';

/** The newest version. */
export const CNI_NEWEST: CniVersion = '1.1.0';

const SINCE: Readonly<Record<CniVerb, CniVersion>> = {
  ADD: '0.3.1',
  DEL: '0.3.1',
  CHECK: '0.4.0',
  GC: '1.1.0',
  STATUS: '1.1.0',
};

/** Whether a text is a version that is spoken here. */
export function isCniVersion(text: unknown): text is CniVersion {
  return CNI_VERSIONS.some((version) => version === text);
}

/** The version that brought a verb. */
export function verbSince(verb: CniVerb): CniVersion {
  return SINCE[verb];
}

/** Whether `version` is `other` or newer. */
export function isAtLeast(version: CniVersion, other: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(version) >= CNI_VERSIONS.indexOf(other);
}
