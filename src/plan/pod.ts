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

/** A setting below /proc/sys. */
export interface Setting {
  /** Such as `net/ipv4/ip_forward`. */
  readonly name: string;
  readonly value: string;
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

/** The settings of the node that a gateway of each family needs. */
export function gatewaySettings({ gateways }: PodPlan, bridge: string): Setting[] {
  return gateways.flatMap(({ ip }) =>
    familyOf(ip) === 4
      ? [{ name: 'net/ipv4/ip_forward', value: '1' }]
      : [
          { name: `net/ipv6/conf/${bridge}/disable_ipv6`, value: '0' },
          { name: 'net/ipv6/conf/all/forwarding', value: '1' },
        ],
  );
}

/**
 * The settings of the pod's interface: that neighbours are told of an address as it comes up, by ARP and by ND, and
 * that one of IPv6 works at once, also where new links may have none.
 */
export function podSettings({ addresses }: PodPlan, ifname: string): Setting[] {
  const settings = [{ name: `net/ipv4/conf/${ifname}/arp_notify`, value: '1' }];
  if (!addresses.some(({ ip }) => familyOf(ip) === 6)) return settings;
  const of6 = `net/ipv6/conf/${ifname}`;
  return [
    ...settings,
    { name: `${of6}/disable_ipv6`, value: '0' },
    { name: `${of6}/accept_dad`, value: '0' },
    { name: `${of6}/ndisc_notify`, value: '1' },
  ];
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
