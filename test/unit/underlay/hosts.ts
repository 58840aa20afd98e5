/**
 * Hosts to choose an interface of.
 *
 * @module
 */
import type { Family, Ip } from '../../../src/model/ip.ts';
import type { InterfaceChoice } from '../../../src/model/settings.ts';
import { NOTHING_ON_LINK } from '../../../src/underlay/on-link.ts';
import { selectUnderlay } from '../../../src/underlay/select.ts';
import type {
  HostAddress,
  HostLink,
  HostPath,
  HostRoute,
  HostSnapshot,
} from '../../../src/underlay/snapshot.ts';
import { ip, prefix } from '../../sim/samples.ts';

/** A host in a few words: `eth0 1500: 192.168.0.1, fd99::1 dynamic`. */
export function host(
  lines: readonly string[],
  routes: readonly HostRoute[] = [],
  reach?: HostPath,
): HostSnapshot {
  const links: HostLink[] = [];
  const addresses: HostAddress[] = [];
  lines.forEach((line, i) => {
    const head = line.slice(0, line.indexOf(':'));
    const [name = '', mtu = '1500', state = 'up'] = head.split(' ');
    const index = i + 1;
    const [up, loopback, hardware] = [state === 'up', name === 'lo', /^(eth|wlan)/.test(name)];
    links.push({ index, name, mtuBytes: Number(mtu), up, loopback, hardware });
    for (const words of line.slice(head.length + 1).split(',')) {
      const [address, ...flags] = words.trim().split(' ');
      if (address === undefined || address === '') continue;
      addresses.push({
        index,
        ip: ip(address),
        permanent: !flags.includes('dynamic'),
        deprecated: flags.includes('deprecated'),
        temporary: flags.includes('temporary'),
      });
    }
  });
  return { links, addresses, routes, reach };
}

/** Nothing is asked for. */
export const CHOICE: InterfaceChoice = {
  names: [],
  patterns: [],
  canReach: undefined,
  publicIpv4: undefined,
  publicIpv6: undefined,
};

/** What is asked for. */
export interface Case {
  readonly choice?: Partial<InterfaceChoice>;
  readonly families?: readonly Family[];
}

/** The choice in a few words, or what is wrong. */
export function chosen(snapshot: HostSnapshot, { choice = {}, families = [4, 6] }: Case = {}): string {
  const selected = selectUnderlay({
    choice: { ...CHOICE, ...choice },
    families,
    snapshot,
    onLink: NOTHING_ON_LINK,
    current: undefined,
  });
  if (!selected.ok) return `${selected.error.code}: ${selected.error.message}`;
  const { name, ipv4, ipv6, publicIpv4, publicIpv6 } = selected.value;
  const show = (own: Ip | undefined, published: Ip | undefined) =>
    own === published ? `${own}` : `${own} as ${published}`;
  return `${name} ${show(ipv4, publicIpv4)} ${show(ipv6, publicIpv6)}`;
}

/** A default route. */
export function defaultVia(index: number, family: Family = 4, metric = 0): HostRoute {
  return family === 4
    ? { dst: prefix('0.0.0.0/0'), direct: false, index, metric, advertised: false }
    : { dst: prefix('::/0'), direct: false, index, metric, advertised: false };
}

/** Three interfaces that could be meant. */
export const HOST = [
  'lo 65536: 127.0.0.1, ::1',
  'eth0: 192.168.0.1, fd99::1',
  'eth1: 10.0.0.1, fd98::1',
  'wlan0: 172.16.0.1',
];
