/**
 * Flags that contradict net-conf.json, each right by itself: nothing that the agent could wait for would mend it.
 *
 * @module
 */
import { FAMILIES, type Ip, parseIp, prefixContains } from '../model/ip.ts';
import { type NetworkConfig, networkFamily, vxlanDeviceName } from '../model/network.ts';
import type { Settings } from '../model/settings.ts';
import { type ConfigError, invalid } from './error.ts';
import { type GivenFlags, keyOf } from './flag-values.ts';

/** What is held against each other. */
export interface Told {
  /** Where the settings came from. */
  readonly given: GivenFlags;
  readonly settings: Settings;
  readonly network: NetworkConfig;
}

/** The first contradiction, if there is any. */
export function contradiction(told: Told): ConfigError | undefined {
  return [...publicAddresses(told), ...interfaces(told)][0];
}

/** Lines for the log about addresses of a family that is off: one set of flags may serve nodes of many clusters. */
export function unusedAddresses({ given, settings, network }: Told): string[] {
  const { publicIpv4, publicIpv6 } = settings.interfaceChoice;
  const notes: string[] = [];
  if (publicIpv4 !== undefined && network.ipv4 === undefined)
    notes.push(`${keyOf(given, 'public-ip')}: not used, as EnableIPv4 is false in net-conf.json`);
  if (publicIpv6 !== undefined && network.ipv6 === undefined)
    notes.push(`${keyOf(given, 'public-ipv6')}: not used, as EnableIPv6 is not true in net-conf.json`);
  return notes;
}

/** What is told to peers is where they reach this node, not where its pods are. */
function publicAddresses({ given, settings, network }: Told): ConfigError[] {
  const { publicIpv4, publicIpv6 } = settings.interfaceChoice;
  return [
    ...insidePods(keyOf(given, 'public-ip'), publicIpv4, network),
    ...insidePods(keyOf(given, 'public-ipv6'), publicIpv6, network),
  ];
}

/** The way to other nodes leads neither through the pod network nor over the devices that are made for it. */
function interfaces({ given, settings, network }: Told): ConfigError[] {
  const { names, canReach } = settings.interfaceChoice;
  const key = keyOf(given, 'iface');
  const own = devicesOf(network);
  const errors = names.flatMap((name) =>
    own.includes(name)
      ? [invalid({ key, value: name }, "an interface between the nodes, not the agent's own device")]
      : insidePods(key, parseIp(name), network),
  );
  return [...errors, ...insidePods(keyOf(given, 'iface-can-reach'), canReach, network)];
}

function devicesOf({ backend }: NetworkConfig): readonly string[] {
  return backend.type === 'vxlan' ? FAMILIES.map((family) => vxlanDeviceName(backend.vni, family)) : [];
}

function insidePods(key: string, ip: Ip | undefined, network: NetworkConfig): ConfigError[] {
  if (ip === undefined) return [];
  const pods = FAMILIES.map((family) => networkFamily(network, family)?.network).find(
    (prefix) => prefix !== undefined && prefixContains(prefix, ip),
  );
  return pods === undefined
    ? []
    : [invalid({ key, value: ip }, `an address outside the pod network ${pods}`)];
}
