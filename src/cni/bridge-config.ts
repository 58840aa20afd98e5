/**
 * The configuration of the plugin `bridge` with `host-local`, as far as it is carried out here.
 *
 * @module
 */
import { type PodRange, podRange, rangeSetsProblem } from '../ipam/pod-ranges.ts';
import { type Ip, type Prefix, parseIp, parsePrefix } from '../model/ip.ts';
import { CniAbort, cniFailure } from './failure.ts';
import {
  type JsonObject,
  optionalCount,
  optionalFlag,
  optionalList,
  optionalObject,
  optionalObjects,
  optionalText,
  type Place,
} from './json.ts';

/** A route that every pod gets. */
export interface PodRoute {
  readonly dst: Prefix;
  /** The range's gateway of the family if absent. */
  readonly gw?: Ip | undefined;
}

/** What a pod is to be given. */
export interface BridgeConfig {
  readonly name: string;
  readonly bridge: string;
  readonly mtuBytes: number | undefined;
  readonly isGateway: boolean;
  readonly isDefaultGateway: boolean;
  readonly forceAddress: boolean;
  readonly hairpinMode: boolean;
  readonly promiscMode: boolean;
  /** Whether what the pod sends out of its subnet is masqueraded. */
  readonly ipMasq: boolean;
  /** The folder of all networks' address books. */
  readonly books: string;
  readonly sets: readonly (readonly PodRange[])[];
  readonly routes: readonly PodRoute[];
  readonly dns: JsonObject;
}

/** What is understood here, with a value that is carried out; anything else is left to the reference plugins. */
const BRIDGE_KEYS: ReadonlySet<string> = new Set([
  'name',
  'cniVersion',
  'type',
  'bridge',
  'mtu',
  'isGateway',
  'isDefaultGateway',
  'forceAddress',
  'hairpinMode',
  'promiscMode',
  'ipMasq',
  'masqueradedBy',
  'ipam',
  'dns',
  'runtimeConfig',
]);
const IPAM_KEYS: ReadonlySet<string> = new Set(['type', 'dataDir', 'ranges', 'routes']);
const RUNTIME_KEYS: ReadonlySet<string> = new Set(['portMappings', 'bandwidth']);

/** `masqueradedBy` of a delegate's configuration, where `ipMasq` is carried out here. */
export const OWN_MASQUERADE = 'flannelette';

/** Why a configuration is not carried out here, or `undefined` if it is. */
export function whyForeign(
  config: Place,
  { CNI_ARGS: args = '' }: { CNI_ARGS?: string | undefined },
): string | undefined {
  if (optionalText(config, 'type') !== 'bridge')
    return `delegate.type is '${String(optionalText(config, 'type'))}'`;
  const ipam = optionalObject(config, 'ipam');
  if (ipam === undefined) return 'there is no ipam';
  if (optionalText(ipam, 'type') !== 'host-local')
    return `ipam.type is '${String(optionalText(ipam, 'type'))}'`;
  // Rules of the reference's are in iptables, where it finds them again.
  if (optionalFlag(config, 'ipMasq') === true && optionalText(config, 'masqueradedBy') !== OWN_MASQUERADE)
    return 'ipMasq is true';
  const runtime = optionalObject(config, 'runtimeConfig');
  const unknown =
    Object.keys(config.object).find((key) => !BRIDGE_KEYS.has(key)) ??
    Object.keys(ipam.object).find((key) => !IPAM_KEYS.has(key)) ??
    Object.keys(runtime?.object ?? {}).find((key) => !RUNTIME_KEYS.has(key));
  if (unknown !== undefined) return `'${unknown}' is set`;
  return /(^|;)(IP|MAC)=/.test(args) ? 'CNI_ARGS ask for an address' : undefined;
}

/** Reads a configuration that is carried out here. Throws {@link CniAbort} if it is wrong. */
export function readBridgeConfig(config: Place): BridgeConfig {
  const ipam = optionalObject(config, 'ipam') ?? { object: {}, path: 'ipam.' };
  const isDefaultGateway = optionalFlag(config, 'isDefaultGateway') ?? false;
  const [hairpinMode, promiscMode] = [
    optionalFlag(config, 'hairpinMode'),
    optionalFlag(config, 'promiscMode'),
  ];
  if (hairpinMode === true && promiscMode === true)
    refuse('cannot set hairpin mode and promiscuous mode at the same time');
  const bridge = optionalText(config, 'bridge') ?? 'cni0';
  if (!/^[^/:\s]{1,15}$/.test(bridge) || bridge === '.' || bridge === '..')
    refuse(`bridge: '${bridge}' is no name of a link`);
  return {
    name: optionalText(config, 'name') ?? '',
    bridge,
    mtuBytes: optionalCount(config, 'mtu') || undefined,
    isGateway: isDefaultGateway || (optionalFlag(config, 'isGateway') ?? false),
    isDefaultGateway,
    forceAddress: optionalFlag(config, 'forceAddress') ?? false,
    hairpinMode: hairpinMode ?? false,
    promiscMode: promiscMode ?? false,
    ipMasq: optionalFlag(config, 'ipMasq') ?? false,
    books: optionalText(ipam, 'dataDir') || '/var/lib/cni/networks',
    sets: readSets(ipam),
    routes: optionalObjects(ipam, 'routes').map(readRoute),
    dns: optionalObject(config, 'dns')?.object ?? {},
  };
}

function refuse(msg: string): never {
  throw new CniAbort(cniFailure('INVALID_CONFIG', msg));
}

function readSets(ipam: Place): PodRange[][] {
  const sets = optionalList(ipam, 'ranges').map((set, i) =>
    optionalObjects({ object: { [`ranges[${i}]`]: set }, path: ipam.path }, `ranges[${i}]`).map(readRange),
  );
  const wrong = sets.length === 0 ? 'there are no ranges' : rangeSetsProblem(sets);
  if (wrong !== undefined) refuse(`ipam: ${wrong}`);
  return sets;
}

function readRange(place: Place): PodRange {
  const subnet =
    parsePrefix(optionalText(place, 'subnet') ?? '') ?? refuse(`${place.path}subnet is no network`);
  const address = (key: string) => {
    const text = optionalText(place, key);
    return text === undefined ? undefined : (parseIp(text) ?? refuse(`${place.path}${key} is no address`));
  };
  const wish = {
    rangeStart: address('rangeStart'),
    rangeEnd: address('rangeEnd'),
    gateway: address('gateway'),
  };
  const range = podRange({ subnet, ...wish });
  return range.ok ? range.value : refuse(`${place.path}${range.error}`);
}

function readRoute(place: Place): PodRoute {
  const dst = parsePrefix(optionalText(place, 'dst') ?? '') ?? refuse(`${place.path}dst is no network`);
  const text = optionalText(place, 'gw');
  const gw = text === undefined ? undefined : (parseIp(text) ?? refuse(`${place.path}gw is no address`));
  const unknown = Object.keys(place.object).find((key) => key !== 'dst' && key !== 'gw');
  return unknown === undefined ? { dst, gw } : refuse(`${place.path}${unknown} is not carried out`);
}
