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

/** The next step where nothing better is known. */
const NEXT_STEP: Partial<Readonly<Record<keyof typeof CNI_CODE, string>>> = {
  INVALID_ENVIRONMENT: 'The container runtime sets the variables of a plugin; by hand, cnitool does',
  UNDECODABLE: 'The container runtime makes it of a file in its CNI configuration folder: look at that',
  INVALID_CONFIG: 'Put it right in the file of the network, in the CNI configuration folder of the runtime',
};

/** Puts an error together. */
export function cniFailure(
  code: keyof typeof CNI_CODE,
  msg: string,
  details = NEXT_STEP[code] ?? '',
): CniFailure {
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
