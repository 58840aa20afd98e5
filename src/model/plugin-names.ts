/**
 * Names of files that the installer and the plugins have to agree on.
 *
 * @module
 */

/** What stands behind a name whose former file was set aside. */
export const ASIDE_SUFFIX = '.before-flannelette';
