/**
 * One pod on a bridge: what is to be in its namespace and in that of the node.
 *
 * @module
 */
import {
  type Family,
  familyOf,
  type Ip,
  type Mac,
  type Prefix,
  parseMac,
  parsePrefix,
  writeIp,
} from '../model/ip.ts';

/** An address that the pod is given, with the subnet that it is from. */
export interface PodAddress {
  readonly ip: Ip;
  readonly length: number;
  readonly gateway: Ip;
}

/** What the plan is made from. */
export interface PodInputs {
  readonly addresses: readonly PodAddress[];
  /** Of the configuration, `gw` absent where the bridge is meant. */
  readonly routes: readonly { readonly dst: Prefix; readonly gw?: Ip | undefined }[];
  readonly isGateway: boolean;
  readonly isDefaultGateway: boolean;
}

/** A route of the pod. */
export interface PlannedRoute {
  readonly dst: Prefix;
  /** As the configuration or the default gateway says, for the result. */
  readonly gw: Ip | undefined;
  /** Where packets go. */
  readonly via: Ip | undefined;
}

/** What is to be there. */
export interface PodPlan {
  readonly mac: Mac;
  readonly addresses: readonly PodAddress[];
  readonly routes: readonly PlannedRoute[];
  /** What the bridge has to have, one of each family. */
  readonly gateways: readonly { readonly ip: Ip; readonly length: number }[];
  /** Of a bridge that is made for it. */
  readonly bridgeMac: Mac;
}

const DEFAULT_ROUTES: Readonly<Record<Family, string>> = { 4: '0.0.0.0/0', 6: '::/0' };

/** The plan for one pod, which has an address at least; a function of its arguments. */
export function planPod({ addresses, routes, isGateway, isDefaultGateway }: PodInputs): PodPlan {
  const gatewayOf = (family: Family) => addresses.find(({ ip }) => familyOf(ip) === family)?.gateway;
  const defaults = isDefaultGateway
    ? addresses.flatMap(({ ip, gateway }) => {
        const dst = parsePrefix(DEFAULT_ROUTES[familyOf(ip)]);
        return dst === undefined ? [] : [{ dst, gw: gateway }];
      })
    : [];
  return {
    mac: macOf(addresses[0]?.ip),
    addresses,
    routes: [...routes, ...defaults].map(({ dst, gw }) => ({ dst, gw, via: gw ?? gatewayOf(familyOf(dst)) })),
    gateways: isGateway ? addresses.map(({ gateway, length }) => ({ ip: gateway, length })) : [],
    bridgeMac: macOf(addresses[0]?.gateway),
  };
}

/**
 * A MAC that follows from the address, so that what neighbours remember of an address stays true when it is given to
 * another pod; `0a:58` is locally administered, and what CNI plugins have long used for this.
 */
function macOf(ip: Ip | undefined): Mac {
  const bytes = new Uint8Array(16);
  const size = ip === undefined ? 4 : writeIp(ip, bytes, 0);
  const octets = [0x0a, 0x58, ...bytes.slice(size - 4, size)].map((octet) =>
    octet.toString(16).padStart(2, '0'),
  );
  const mac = parseMac(octets.join(':'));
  if (mac === undefined) throw new Error('Six octets are a MAC');
  return mac;
}
