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
  readonly answeredBy: Ip;
}

/** Which connections are to be forgotten. */
export interface Stale {
  readonly family: Family;
  /** That they were sent to. */
  readonly port: number;
  readonly isStale: (flow: Flow) => boolean;
}

type Connection = Infer<typeof conntrackMessage>['attrs'];

/** Forgets connections. What has no connection tracking has nothing to forget. */
export function forgetConnections(
  session: Session,
  { family, port, isStale }: Stale,
): NetlinkError | undefined {
  const header = nfgenmsg.of({ family: family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6 });
  const { udp } = PROTOCOL_NUMBERS;
  const attrs: Connection = {
    orig: { addresses: {}, protocol: { number: udp, dstPort: port } },
    filter: { origFlags: CTA_FILTER_F.PROTO_NUM | CTA_FILTER_F.PROTO_DST_PORT },
  };
  const stale: Connection[] = [];
  const error = session.dump(
    { type: IPCTNL_MSG_CT.GET, flags: 0, codec: conntrackMessage, value: { header, attrs } },
    conntrackMessage,
    {
      visit: ({ attrs: connection }) => {
        const flow = flowOf(connection, { family, port });
        if (flow !== undefined && isStale(flow)) stale.push(connection);
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

/** Older kernels show all connections, whatever they are asked for. */
function flowOf(
  { orig, reply }: Connection,
  { family, port }: { family: Family; port: number },
): Flow | undefined {
  if (orig?.protocol?.number !== PROTOCOL_NUMBERS.udp || orig.protocol.dstPort !== port) return undefined;
  const { dst4, dst6 } = orig.addresses ?? {};
  const { src4, src6 } = reply?.addresses ?? {};
  const [destination, answeredBy] = family === 4 ? [dst4, src4] : [dst6, src6];
  return destination === undefined || answeredBy === undefined ? undefined : { destination, answeredBy };
}

function isNothing({ errno }: NetlinkError): boolean {
  return errno === ERRNO.ENOENT || errno === ERRNO.EOPNOTSUPP || errno === ERRNO.EINVAL;
}
