/**
 * Generic netlink: one protocol for many families, each with an id that the kernel gives out at run time
 * (`linux/genetlink.h`).
 *
 * @module
 */
import { type AttributesCodec, type AttributeTable, attrs, message, struct } from './attributes.ts';
import { str, u8, u16 } from './codec.ts';
import { ERRNO, type NetlinkError, netlinkError } from './error.ts';
import type { Session } from './session.ts';

/** `linux/netlink.h`: the protocol of the socket. */
export const NETLINK_GENERIC = 16;

/** The family whose id is fixed: it tells the ids of the others. */
const GENL_ID_CTRL = 0x10;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_VERSION = 2;

/** `linux/genetlink.h`: struct genlmsghdr. */
export const genlmsghdr = struct('genlmsghdr', { command: u8, version: u8, reserved: u16 });

/** The payload of a family's messages: {@link genlmsghdr}, then its attributes. */
export function genericMessage<A extends AttributeTable>(name: string, body: AttributesCodec<A>) {
  return message(name, genlmsghdr, body);
}

/** CTRL_CMD_*: CTRL_ATTR_* of `linux/genetlink.h`. */
export const controlMessage = genericMessage(
  'nlctrl',
  attrs('nlctrl', { familyId: [1, u16], familyName: [2, str] }),
);

/** The ids of the families that were asked for, for as long as the kernel keeps them. */
export class GenericFamilies {
  readonly #session: Session;
  readonly #ids = new Map<string, number>();

  /** The session must be one of a {@link NETLINK_GENERIC} socket. */
  constructor(session: Session) {
    this.#session = session;
  }

  /** The id of the family `name`, which is the message type of its requests; ENOENT if no module brings it. */
  resolve(name: string): number | NetlinkError {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    let id: number | undefined;
    const error = this.#session.ask(
      {
        type: GENL_ID_CTRL,
        flags: 0,
        codec: controlMessage,
        value: {
          header: genlmsghdr.of({ command: CTRL_CMD_GETFAMILY, version: CTRL_VERSION }),
          attrs: { familyName: name },
        },
      },
      controlMessage,
      ({ attrs }) => {
        id = attrs.familyId;
      },
    );
    if (error !== undefined) return error;
    if (id === undefined) return netlinkError(ERRNO.EIO, { text: `no id for generic family ${name}` });
    this.#ids.set(name, id);
    return id;
  }

  /** Asks the kernel again next time: a module that was unloaded and loaded has another id. */
  forget(name: string): void {
    this.#ids.delete(name);
  }
}
