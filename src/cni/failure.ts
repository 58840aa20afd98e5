/**
 * What a plugin says when it cannot do what it was asked.
 *
 * @module
 */

/** The error codes of the CNI specification 1.1, "Error", and the first that is a plugin's own. */
export const CNI_CODE = {
  INCOMPATIBLE_VERSION: 1,
  UNSUPPORTED_FIELD: 2,
  UNKNOWN_CONTAINER: 3,
  INVALID_ENVIRONMENT: 4,
  IO_FAILURE: 5,
  UNDECODABLE: 6,
  INVALID_CONFIG: 7,
  TRY_AGAIN_LATER: 11,
  OWN: 100,
} as const;

/** An error of the CNI protocol. */
export interface CniFailure {
  readonly code: number;
  /** What is wrong, in one short sentence. */
  readonly msg: string;
  /** What to do about it, or what more is known. */
  readonly details: string;
}

/** Puts an error together. */
export function cniFailure(code: keyof typeof CNI_CODE, msg: string, details = ''): CniFailure {
  return { code: CNI_CODE[code], msg, details };
}

/** Carries an error out of what cannot go on; {@link CniAbort} is thrown and caught within `src/cni` only. */
export class CniAbort extends Error {
  readonly failure: CniFailure;

  constructor(failure: CniFailure) {
    super(failure.msg);
    this.failure = failure;
  }
}

/** What a thrown value says. */
export function thrownText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
