/**
 * Whether this node passes packets on, and what else has a say in it, for the status.
 *
 * @module
 */
import { FAMILIES, type Family } from '../model/ip.ts';
import { forwardingSetting, type SysctlObject, sysctlName } from '../model/objects.ts';
import type { ForwardingStatus } from '../model/status.ts';
import { chainMessage, NFT_MSG, tableMessage } from '../netlink/nftables.ts';
import type { Session } from '../netlink/session.ts';
import { readText } from './files.ts';
import { headerOf } from './nft-requests.ts';

/** Where it is read. */
export interface ForwardingSources {
  /** proc(5) of this process's network namespace: /proc, except in tests. */
  readonly proc: string;
  /** Over a NETLINK_NETFILTER socket; `undefined` where nothing is to be asked. */
  readonly session: Session | undefined;
}

/** Reads it anew; `settings` are those that are wanted. */
export function readForwarding(
  settings: readonly SysctlObject[],
  { proc, session }: ForwardingSources,
): ForwardingStatus {
  const read = (name: string) => readText(`${proc}/sys/${name}`)?.trim();
  const found = settings.flatMap(({ name }) => {
    const value = read(name);
    return value === undefined ? [] : [[sysctlName(name), value] as const];
  });
  const families = FAMILIES.filter((family) =>
    settings.some(({ name }) => name === forwardingSetting(family).name),
  );
  const notes = families.flatMap((family) => [
    ...(hasKubeProxy(session, family) ? bridgeNotes(family, read) : []),
    ...legacyNotes(family, readText(`${proc}/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`)),
  ]);
  return { settings: Object.fromEntries(found), notes };
}

/**
 * kube-proxy's rules have to see what one pod sends to another of its own node by way of a Service; on a bridge that is up
 * to this setting.
 */
function bridgeNotes(family: Family, read: (name: string) => string | undefined): string[] {
  const name = `net/bridge/bridge-nf-call-${programOf(family)}`;
  const value = read(name);
  if (value !== undefined && value !== '0') return [];
  const remedy =
    value === undefined
      ? 'modprobe br_netfilter, and a line br_netfilter in a file in /etc/modules-load.d'
      : `sysctl -w ${sysctlName(name)}=1, and a file in /etc/sysctl.d`;
  return [
    `kube-proxy's rules do not see what pods of this node send to each other by way of a Service, unless ${sysctlName(name)} is 1: ${remedy}`,
  ];
}

/** nf_tables shows nothing of it. */
function legacyNotes(family: Family, tables: string | undefined): string[] {
  if (tables?.split('\n').includes('filter') !== true) return [];
  const program = `${programOf(family)}-legacy`;
  return [
    `${program} has rules that may drop what pods send, and the agent cannot see: ${program} -S FORWARD`,
  ];
}

function programOf(family: Family): string {
  return family === 4 ? 'iptables' : 'ip6tables';
}

/** By the chain that it has in iptables' table nat, or by its own table of nf_tables. */
function hasKubeProxy(session: Session | undefined, family: Family): boolean {
  if (session === undefined) return false;
  const header = headerOf(family);
  const chain = { header, attrs: { table: 'nat', name: 'KUBE-SERVICES' } };
  const table = { header, attrs: { name: 'kube-proxy' } };
  const isThere = () => undefined;
  return (
    session.ask(
      { type: NFT_MSG.GETCHAIN, flags: 0, codec: chainMessage, value: chain },
      chainMessage,
      isThere,
    ) === undefined ||
    session.ask(
      { type: NFT_MSG.GETTABLE, flags: 0, codec: tableMessage, value: table },
      tableMessage,
      isThere,
    ) === undefined
  );
}
