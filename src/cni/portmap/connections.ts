/**
 * Connections over UDP that the kernel remembers with another end than their port has now. UDP says no goodbye: as long as
 * a client goes on sending, its packets would go where they went before.
 *
 * @module
 */
import { PROTOCOL_NUMBERS } from '../../model/host-ports.ts';
import type { Family, Ip } from '../../model/ip.ts';
import type { Infer } from '../../netlink/codec.ts';
import { CTA_FILTER_F, conntrackMessage, IPCTNL_MSG_CT } from '../../netlink/conntrack.ts';
import { ERRNO, type NetlinkError } from '../../netlink/error.ts';
import { NFPROTO, nfgenmsg } from '../../netlink/nftables.ts';
import type { Session } from '../../netlink/session.ts';

/** A connection: where it was sent, and who answers. */
export interface Flow {
  readonly destination: Ip;
  readonly port: number;
  readonly answeredBy: Ip;
}

/** Which connections are to be forgotten. */
export interface Stale {
  readonly family: Family;
  /** That they were sent to. One at least. */
  readonly ports: readonly number[];
  readonly isStale: (flow: Flow) => boolean;
}

type Connection = Infer<typeof conntrackMessage>['attrs'];

/**
 * Forgets connections, all in one look, for which the kernel walks through its whole table of connections. What has no
 * connection tracking has nothing to forget.
 */
export function forgetConnections(
  session: Session,
  { family, ports, isStale }: Stale,
): NetlinkError | undefined {
  const header = nfgenmsg.of({ family: family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6 });
  const { PROTO_NUM, PROTO_DST_PORT } = CTA_FILTER_F;
  const attrs: Connection = {
    orig: { addresses: {}, protocol: { number: PROTOCOL_NUMBERS.udp, dstPort: ports[0] } },
    filter: { origFlags: ports.length === 1 ? PROTO_NUM | PROTO_DST_PORT : PROTO_NUM },
  };
  const stale: Connection[] = [];
  const error = session.dump(
    { type: IPCTNL_MSG_CT.GET, flags: 0, codec: conntrackMessage, value: { header, attrs } },
    conntrackMessage,
    {
      visit: ({ attrs: connection }) => {
        const flow = flowOf(connection, family);
        if (flow !== undefined && ports.includes(flow.port) && isStale(flow)) stale.push(connection);
      },
      restart: () => stale.splice(0),
    },
  );
  if (error !== undefined) return isNothing(error) ? undefined : error;
  for (const { orig, zone, id } of stale) {
    const value = { header, attrs: { orig, zone, id } };
    const failure = session.execute({ type: IPCTNL_MSG_CT.DELETE, flags: 0, codec: conntrackMessage, value });
    if (failure !== undefined && !isNothing(failure)) return failure;
  }
  return undefined;
}

/** A connection over UDP; older kernels show all, whatever they are asked for. */
function flowOf({ orig, reply }: Connection, family: Family): Flow | undefined {
  const { number, dstPort: port } = orig?.protocol ?? {};
  const { dst4, dst6 } = orig?.addresses ?? {};
  const { src4, src6 } = reply?.addresses ?? {};
  const [destination, answeredBy] = family === 4 ? [dst4, src4] : [dst6, src6];
  if (number !== PROTOCOL_NUMBERS.udp || port === undefined) return undefined;
  return destination === undefined || answeredBy === undefined
    ? undefined
    : { destination, port, answeredBy };
}

function isNothing({ errno }: NetlinkError): boolean {
  return errno === ERRNO.ENOENT || errno === ERRNO.EOPNOTSUPP || errno === ERRNO.EINVAL;
}
