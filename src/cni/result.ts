/**
 * What a plugin gives back for ADD, in the form of each version of the CNI specification.
 *
 * @module
 */
import { familyOf, type Ip } from '../model/ip.ts';
import { isJsonObject, type JsonObject, type Place } from './json.ts';
import { type CniVersion, isAtLeast } from './version.ts';

/** An interface that was made. */
export interface ResultInterface {
  readonly name: string;
  readonly mac: string;
  /** The path of the namespace, for one in the container. */
  readonly sandbox?: string;
}

/** An address that was given. */
export interface ResultIp {
  readonly ip: Ip;
  readonly length: number;
  readonly gateway?: Ip | undefined;
  /** Which of the interfaces has it. */
  readonly interface: number;
}

/** A route that was made. */
export interface ResultRoute {
  readonly dst: string;
  readonly gw?: Ip | undefined;
}

/** What ADD made. */
export interface AddResult {
  readonly interfaces: readonly ResultInterface[];
  readonly ips: readonly ResultIp[];
  readonly routes: readonly ResultRoute[];
  /** As the configuration has it. */
  readonly dns: JsonObject;
}

/** The result as JSON. Before 1.0.0 each address had a `version`. */
export function formatResult(version: CniVersion, { interfaces, ips, routes, dns }: AddResult): JsonObject {
  const addresses = ips.map(({ ip, length, gateway, interface: index }) => ({
    ...(isAtLeast(version, '1.0.0') ? {} : { version: `${familyOf(ip)}` }),
    interface: index,
    address: `${ip}/${length}`,
    ...(gateway === undefined ? {} : { gateway }),
  }));
  return {
    cniVersion: version,
    interfaces,
    ips: addresses,
    ...(routes.length === 0 ? {} : { routes }),
    dns,
  };
}

/** What an earlier plugin of the chain has made, or `undefined` for the first. */
export function previousResult({ object }: Place): JsonObject | undefined {
  const { prevResult } = object;
  return isJsonObject(prevResult) ? prevResult : undefined;
}
