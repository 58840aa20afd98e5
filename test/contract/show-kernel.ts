/**
 * What other people's tools print of a namespace, in the words of our objects.
 *
 * @module
 */
import * as v from 'valibot';
import type { Netns } from '../../ffi/netns.ts';
import {
  classify,
  type Ip,
  type Mac,
  type Prefix,
  parseIp,
  parseMac,
  parsePrefix,
} from '../../src/model/ip.ts';
import type { KernelObject } from '../../src/model/objects.ts';
import { run, witnessValue } from '../net/witness.ts';
import { lineOf } from './world.ts';

/** The namespace's own furniture. */
const HIDDEN: ReadonlySet<string> = new Set(['lo', 'far']);

const ipSchema = v.pipe(v.string(), v.transform(toIp));
const macSchema = v.pipe(v.string(), v.transform(toMac));

const vxlanSchema = v.object({
  id: v.number(),
  local: v.optional(ipSchema),
  local6: v.optional(ipSchema),
  link: v.optional(v.string()),
  port: v.number(),
  learning: v.boolean(),
  gbp: v.optional(v.boolean(), false),
});

const linksSchema = v.array(
  v.object({
    ifname: v.string(),
    mtu: v.number(),
    flags: v.array(v.string()),
    address: macSchema,
    linkinfo: v.optional(
      v.object({ info_kind: v.optional(v.string(), ''), info_data: v.optional(v.unknown()) }),
    ),
    addr_info: v.array(v.object({ local: v.optional(ipSchema), prefixlen: v.optional(v.number()) })),
  }),
);

const routesSchema = v.array(
  v.object({
    type: v.string(),
    dst: v.string(),
    gateway: v.optional(ipSchema),
    dev: v.optional(v.string()),
    protocol: v.string(),
    metric: v.optional(v.number()),
    flags: v.array(v.string()),
  }),
);

const neighboursSchema = v.array(
  v.object({ dst: ipSchema, dev: v.string(), lladdr: macSchema, state: v.array(v.string()) }),
);

const fdbSchema = v.array(
  v.object({ mac: macSchema, ifname: v.string(), dst: v.optional(ipSchema), state: v.string() }),
);

const PROTOCOLS: Readonly<Record<string, number>> = { boot: 3, static: 4 };

/** Everything in the namespace that is not the kernel's own, sorted. */
export function showKernel(netns: Netns): string[] {
  const print = <T>(schema: v.GenericSchema<unknown, T>, command: string): T =>
    v.parse(schema, witnessValue(run(netns, command.split(' ')) || '[]'));
  const objects: KernelObject[] = [];
  for (const link of print(linksSchema, 'ip -details -json address')) objects.push(...linkObjects(link));
  for (const family of ['-4', '-6']) {
    for (const route of print(routesSchema, `ip ${family} -details -json route show table main`))
      objects.push(...routeObjects(route));
  }
  for (const { dst, dev, lladdr } of print(neighboursSchema, 'ip -json neighbour show nud permanent'))
    objects.push({ kind: 'neighbour', link: dev, ip: dst, mac: lladdr });
  for (const { mac, ifname, dst } of print(fdbSchema, 'bridge -json fdb show'))
    if (dst !== undefined) objects.push({ kind: 'fdb', link: ifname, mac, dst });
  return objects.map(lineOf).sort();
}

function linkObjects(link: v.InferOutput<typeof linksSchema>[number]): KernelObject[] {
  const { ifname: name, mtu: mtuBytes, address: mac, flags, linkinfo, addr_info } = link;
  if (HIDDEN.has(name)) return [];
  const objects: KernelObject[] = [];
  if (linkinfo?.info_kind === 'vxlan') {
    const {
      id: vni,
      local,
      local6,
      link: parent,
      port,
      learning,
      gbp,
    } = v.parse(vxlanSchema, linkinfo.info_data);
    const device = { type: 'vxlan', vni, port, local: local ?? local6, parent, learning, gbp } as const;
    objects.push({ kind: 'link', name, mtuBytes, mac, device });
  } else {
    objects.push({
      kind: 'link',
      name,
      mtuBytes,
      mac,
      device: { type: 'other', name: linkinfo?.info_kind ?? '' },
    });
  }
  if (flags.includes('UP')) objects.push({ kind: 'up', link: name });
  for (const { local: ip, prefixlen: length } of addr_info) {
    if (ip === undefined || length === undefined || classify(ip) === 'link-local') continue;
    objects.push({ kind: 'address', link: name, ip, length });
  }
  return objects;
}

function routeObjects(route: v.InferOutput<typeof routesSchema>[number]): KernelObject[] {
  const { type, dst, gateway, dev: link = '', protocol, metric, flags } = route;
  const isBlackhole = type === 'blackhole';
  if (!isBlackhole && type !== 'unicast') return [];
  if (protocol === 'kernel' || (!isBlackhole && link === '')) return [];
  const prefix = toPrefix(dst.includes('/') ? dst : `${dst}/${dst.includes(':') ? 128 : 32}`);
  return [
    {
      ...(isBlackhole ? { blackhole: true } : {}),
      kind: 'route',
      dst: prefix,
      gateway,
      link: isBlackhole ? '' : link,
      onlink: flags.includes('onlink'),
      protocol: PROTOCOLS[protocol] ?? Number(protocol),
      metric: dst.includes(':') && metric === 1024 ? undefined : metric,
    },
  ];
}

function toIp(text: string): Ip {
  const ip = parseIp(text);
  if (ip === undefined) throw new Error(`Not an address: '${text}'`);
  return ip;
}

function toMac(text: string): Mac {
  const mac = parseMac(text);
  if (mac === undefined) throw new Error(`Not a MAC address: '${text}'`);
  return mac;
}

function toPrefix(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(`Not a network: '${text}'`);
  return prefix;
}
