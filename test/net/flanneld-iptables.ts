/**
 * What flanneld makes with iptables, in its own words (its `pkg/trafficmngr/iptables`), made by `iptables-restore`.
 *
 * @module
 */
import type { Family } from '../../src/model/ip.ts';
import type { LabNode } from './lab.ts';

/** The two kinds of iptables. */
export type Variant = 'nft' | 'legacy';

/** The networks of a node as flanneld had them, with a subnet that the node has no longer. */
const FORMER = {
  4: { network: '10.42.0.0/16', subnet: '10.42.200.0/24', multicast: '224.0.0.0/4' },
  6: { network: 'fd42::/48', subnet: 'fd42:0:0:c8::/64', multicast: 'ff00::/8' },
} as const;

/** The rules of table nat, as `iptables -S` prints them. */
export function masqueradeRules(family: Family, p: string = FORMER[family].subnet): string[] {
  const { network: n, multicast: m } = FORMER[family];
  const comment = '-m comment --comment "flanneld masq"';
  const own = '-A FLANNEL-POSTRTG';
  return [
    `-A POSTROUTING ${comment} -j FLANNEL-POSTRTG`,
    `${own} -m mark --mark 0x4000/0x4000 ${comment} -j RETURN`,
    `${own} -s ${p} -d ${n} ${comment} -j RETURN`,
    `${own} -s ${n} -d ${p} ${comment} -j RETURN`,
    `${own} ! -s ${n} -d ${p} ${comment} -j RETURN`,
    `${own} -s ${n} ! -d ${m} ${comment} -j MASQUERADE --random-fully`,
    `${own} ! -s ${n} -d ${n} ${comment} -j MASQUERADE --random-fully`,
  ];
}

/** The rules of table filter. */
export function forwardRules(family: Family): string[] {
  const { network: n } = FORMER[family];
  const comment = '-m comment --comment "flanneld forward"';
  return [
    `-A FORWARD ${comment} -j FLANNEL-FWD`,
    `-A FLANNEL-FWD -s ${n} ${comment} -j ACCEPT`,
    `-A FLANNEL-FWD -d ${n} ${comment} -j ACCEPT`,
  ];
}

/** The program of a family and kind. */
export function programOf(family: Family, variant: Variant): string {
  return `${family === 4 ? 'iptables' : 'ip6tables'}-${variant}`;
}

/** Makes the rules of both tables, and those of others beside them. */
export function leaveIptables(node: LabNode, family: Family, variant: Variant): void {
  const program = programOf(family, variant);
  const script = [
    '*nat',
    ':FLANNEL-POSTRTG - [0:0]',
    ...masqueradeRules(family),
    'COMMIT',
    '*filter',
    ':FLANNEL-FWD - [0:0]',
    ...forwardRules(family),
    'COMMIT',
    '',
  ].join('\n');
  node.run('sh', '-ec', `${program}-restore --noflush <<'END'\n${script}END`);
}

/** What others have there: kube-proxy's chain, and a rule that only speaks of flanneld. */
export function makeOthers(node: LabNode, family: Family, variant: Variant): void {
  const program = programOf(family, variant);
  const net = FORMER[family].network;
  node.run(
    'sh',
    '-ec',
    `${program} -t nat -N KUBE-POSTROUTING
     ${program} -t nat -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
     ${program} -t nat -A POSTROUTING -s ${net} -m comment --comment "not flanneld masq" -j RETURN
     ${program} -A FORWARD -m comment --comment "flanneld forwards" -j ACCEPT`,
  );
}

/** Everything of a family and kind, without what has been counted. */
export function savedRules(node: LabNode, family: Family, variant: Variant): string {
  const save = `${programOf(family, variant)}-save`;
  const text = ['nat', 'filter'].map((table) => node.run(save, '-t', table)).join('');
  return text.replaceAll(/^#.*\n/gm, '').replaceAll(/\[\d+:\d+\]/g, '[0:0]');
}
