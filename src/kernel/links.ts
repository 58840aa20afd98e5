/**
 * Links between objects and RTM_*LINK.
 *
 * @module
 */
import type { LinkObject, VxlanDevice } from '../model/objects.ts';
import type { Infer } from '../netlink/codec.ts';
import { ifinfomsg } from '../netlink/link-kinds.ts';
import { IFF, linkMessage, RTM } from '../netlink/route.ts';
import { NLM_F, type Request, type Session } from '../netlink/session.ts';
import type { Owner } from '../reconcile/target.ts';
import type { VxlanSeen } from './advice.ts';
import type { LinkTable } from './link-table.ts';

/** A decoded RTM_NEWLINK. */
export type LinkMessage = Infer<typeof linkMessage>;

/** A request of the RTM_*LINK family. */
export type LinkRequest = Request<LinkMessage>;

function request(type: number, flags: number, value: LinkMessage): LinkRequest {
  return { type, flags, codec: linkMessage, value };
}

/** Asks for all links. */
export const dumpLinks = request(RTM.GETLINK, 0, { header: ifinfomsg.of({}), attrs: {} });

/** Asks for one link. */
export function getLink(name: string): LinkRequest {
  return request(RTM.GETLINK, 0, { header: ifinfomsg.of({}), attrs: { name } });
}

/** Removes a link. */
export function deleteLink(name: string): LinkRequest {
  return request(RTM.DELLINK, 0, { header: ifinfomsg.of({}), attrs: { name } });
}

/** Sets a link up. */
export function setLinkUp(index: number): LinkRequest {
  const header = ifinfomsg.of({ index, flags: IFF.UP, change: IFF.UP });
  return request(RTM.NEWLINK, 0, { header, attrs: {} });
}

/**
 * Creates a VXLAN device as flannel does: no transmit queue, all the defaults said aloud.
 *
 * @param parentIndex the underlay interface
 */
export function createVxlan(
  link: LinkObject,
  device: VxlanDevice,
  parentIndex: number | undefined,
): LinkRequest {
  const { vni, port, learning, gbp } = device;
  const data = {
    id: vni,
    link: parentIndex,
    ...localAttribute(device),
    ttl: 0,
    tos: 0,
    learning,
    proxy: false,
    rsc: false,
    l2miss: false,
    l3miss: false,
    udpZeroCsum6Tx: false,
    udpZeroCsum6Rx: false,
    port,
    gbp: gbp ? (true as const) : undefined,
  };
  const { name, mtuBytes, mac } = link;
  const linkInfo = { kind: 'vxlan', data } as const;
  return request(RTM.NEWLINK, NLM_F.CREATE | NLM_F.EXCL, {
    header: ifinfomsg.of({}),
    attrs: { name, mtu: mtuBytes, txQueueLength: 0, address: mac, linkInfo },
  });
}

/** Where a change on a live device applies. */
export interface LiveLink {
  readonly index: number;
  readonly was: LinkObject;
  readonly parentIndex: number | undefined;
}

/**
 * Changes a live device where it differs, and nowhere else: to set the address that it has already would
 * flush its neighbours. The device's own attributes come first and alone: the MTU depends on the underlay, and the
 * kernel refuses both in one request (`vxlan_nl2conf`: "Cannot change mtu").
 */
export function changeVxlan(
  link: LinkObject,
  device: VxlanDevice,
  { index, was, parentIndex }: LiveLink,
): LinkRequest[] {
  const old = was.device.type === 'vxlan' ? was.device : undefined;
  const header = ifinfomsg.of({ index });
  const requests: LinkRequest[] = [];
  if (old?.local !== device.local || old?.parent !== device.parent || old?.learning !== device.learning) {
    const data = { link: parentIndex, ...localAttribute(device), learning: device.learning };
    requests.push(request(RTM.NEWLINK, 0, { header, attrs: { linkInfo: { kind: 'vxlan', data } } }));
  }
  const mtu = was.mtuBytes === link.mtuBytes ? undefined : link.mtuBytes;
  const address = was.mac === link.mac ? undefined : link.mac;
  if (mtu !== undefined || address !== undefined)
    requests.push(request(RTM.NEWLINK, 0, { header, attrs: { mtu, address } }));
  return requests;
}

function localAttribute({ local }: VxlanDevice) {
  return local?.includes(':') ? { local6: local } : { local };
}

/** Whose a device with one of our names is: of another kind it is somebody else's, and so is all that stands on it. */
export function linkOwner({ device }: LinkObject): Owner {
  return device.type === 'vxlan' ? 'ours' : 'alien';
}

/** All VXLAN devices of the namespace; as many as could be read. */
export function readVxlans(session: Session, links: LinkTable): VxlanSeen[] {
  const found: VxlanSeen[] = [];
  session.dump(dumpLinks, linkMessage, {
    visit: (message) => {
      const link = readLink(message, links);
      if (link?.device.type === 'vxlan') found.push({ name: link.name, device: link.device });
    },
    restart: () => void found.splice(0),
  });
  return found;
}

/** The object that a message shows. */
export function readLink({ attrs }: LinkMessage, links: LinkTable): LinkObject | undefined {
  const { name, mtu, address, linkInfo } = attrs;
  if (name === undefined || mtu === undefined || address === undefined) return undefined;
  const base = { kind: 'link', name, mtuBytes: mtu, mac: address } as const;
  if (linkInfo?.kind !== 'vxlan' || linkInfo.data === undefined) {
    const kind = linkInfo?.kind === 'unknown' ? linkInfo.name : (linkInfo?.kind ?? '');
    return { ...base, device: { type: 'other', name: kind } };
  }
  const { id, port, local, local6, link, learning, gbp } = linkInfo.data;
  return {
    ...base,
    device: {
      type: 'vxlan',
      vni: id ?? 0,
      port: port ?? 0,
      local: local ?? local6,
      parent: links.nameOf(link),
      learning: learning ?? false,
      gbp: gbp ?? false,
    },
  };
}
