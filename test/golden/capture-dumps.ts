/**
 * Writes what the kernel answers to our own dump requests, in the network namespace that it is started in.
 *
 * Usage: capture-dumps.ts DIRECTORY TOOLS
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { openNetlink } from '../../ffi/socket.ts';
import { eachMessage } from '../../src/netlink/frame.ts';
import { ifinfomsg } from '../../src/netlink/link-kinds.ts';
import {
  AF,
  addressMessage,
  ifaddrmsg,
  linkMessage,
  NETLINK_ROUTE,
  ndmsg,
  neighbourMessage,
  RTM,
  routeMessage,
  rtmsg,
} from '../../src/netlink/route.ts';
import { NLM_F, type Request } from '../../src/netlink/session.ts';
import { NLMSG_HDRLEN, Writer } from '../../src/netlink/wire.ts';
import { annotate, headLine } from './annotate.ts';

const [directory = '.', tools = ''] = process.argv.slice(2);

capture('links', 'RTM_NEWLINK', {
  type: RTM.GETLINK,
  flags: NLM_F.DUMP,
  codec: linkMessage,
  value: { header: ifinfomsg.of({}), attrs: {} },
});
for (const [name, family] of [['ipv4', AF.INET] as const, ['ipv6', AF.INET6] as const]) {
  capture(`${name}-addresses`, 'RTM_NEWADDR', {
    type: RTM.GETADDR,
    flags: NLM_F.DUMP,
    codec: addressMessage,
    value: { header: ifaddrmsg.of({ family }), attrs: {} },
  });
  capture(`${name}-routes`, 'RTM_NEWROUTE', {
    type: RTM.GETROUTE,
    flags: NLM_F.DUMP,
    codec: routeMessage,
    value: { header: rtmsg.of({ family }), attrs: {} },
  });
  neighbours(`${name}-neighbours`, family);
}
neighbours('forwarding', AF.BRIDGE);

function neighbours(name: string, family: number): void {
  capture(name, 'RTM_NEWNEIGH', {
    type: RTM.GETNEIGH,
    flags: NLM_F.DUMP,
    codec: neighbourMessage,
    value: { header: ndmsg.of({ family }), attrs: {} },
  });
}

function capture<T>(name: string, kind: string, { type, flags, codec, value }: Request<T>): void {
  const socket = openNetlink({ protocol: NETLINK_ROUTE });
  if (typeof socket === 'number') throw new Error(`Cannot open a netlink socket: errno ${-socket}`);
  const writer = new Writer(1024);
  writer.skip(NLMSG_HDRLEN);
  codec.write(writer, value);
  writer.view.setUint32(0, writer.at, true);
  writer.view.setUint16(4, type, true);
  writer.view.setUint16(6, flags | NLM_F.REQUEST, true);
  socket.send(writer.bytes, writer.at);
  const lines = [`# dump of ${name}`, `# ${tools}`];
  const buffer = new Uint8Array(64 * 1024);
  for (let done = false; !done; ) {
    const length = socket.receive(buffer);
    if (length < 0) throw new Error(`No answer to the dump of ${name}: errno ${-length}`);
    eachMessage(buffer, length, (header, payload) => {
      done = header.type < 0x10;
      if (done) return;
      lines.push('', `# reply ${headLine(kind, header)}`);
      lines.push(...annotate(buffer.slice(payload.at, payload.end), kind));
    });
  }
  socket.close();
  writeFileSync(`${directory}/${name}.txt`, `${lines.join('\n')}\n`);
}
