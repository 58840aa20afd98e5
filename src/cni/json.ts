/**
 * Looking into JSON that somebody else wrote. By hand, because a plugin is started for every pod and every
 * package that it loads is paid for each time.
 *
 * @module
 */
import { CniAbort, cniFailure } from './failure.ts';

/** A JSON object whose members are not known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object: no array, not null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Where in a document a member stands, and the document's object that holds it. */
export interface Place {
  readonly object: JsonObject;
  /** For messages, such as `delegate.`; empty at the top. */
  readonly path: string;
}

function wrong({ path }: Place, key: string, expected: string): never {
  throw new CniAbort(cniFailure('INVALID_CONFIG', `${path}${key} must be ${expected}`));
}

/** A text, or `undefined` if there is none. Throws {@link CniAbort} for anything else. */
export function optionalText(place: Place, key: string): string | undefined {
  const value = place.object[key];
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : wrong(place, key, 'a text');
}

/** True or false, or `undefined` if there is none. */
export function optionalFlag(place: Place, key: string): boolean | undefined {
  const value = place.object[key];
  if (value === undefined || value === null) return undefined;
  return typeof value === 'boolean' ? value : wrong(place, key, 'true or false');
}

/** A whole number that is not negative, or `undefined` if there is none. */
export function optionalCount(place: Place, key: string): number | undefined {
  const value = place.object[key];
  if (value === undefined || value === null) return undefined;
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? value
    : wrong(place, key, 'a whole number');
}

/** A JSON object, or `undefined` if there is none. */
export function optionalObject(place: Place, key: string): Place | undefined {
  const value = place.object[key];
  if (value === undefined || value === null) return undefined;
  return isJsonObject(value)
    ? { object: value, path: `${place.path}${key}.` }
    : wrong(place, key, 'an object');
}

/** A list of JSON values; an absent one is empty. */
export function optionalList(place: Place, key: string): readonly unknown[] {
  const value = place.object[key];
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : wrong(place, key, 'a list');
}

/** A list of JSON objects; an absent one is empty. */
export function optionalObjects(place: Place, key: string): readonly Place[] {
  return optionalList(place, key).map((object, i) =>
    isJsonObject(object)
      ? { object, path: `${place.path}${key}[${i}].` }
      : wrong(place, `${key}[${i}]`, 'an object'),
  );
}

/** A list of texts; an absent one is empty. */
export function optionalTexts(place: Place, key: string): readonly string[] {
  return optionalList(place, key).map((text, i) =>
    typeof text === 'string' ? text : wrong(place, `${key}[${i}]`, 'a text'),
  );
}
