/**
 * Writes what the kernel answers to our dumps of tables, chains and rules, in the network namespace that it is started
 * in.
 *
 * Usage: capture-nft-dumps.ts DIRECTORY TOOLS
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { openNetlink } from '../../ffi/socket.ts';
import type { Codec } from '../../src/netlink/codec.ts';
import { eachMessage } from '../../src/netlink/frame.ts';
import {
  chainMessage,
  NETLINK_NETFILTER,
  NFPROTO,
  NFT_MSG,
  nfgenmsg,
  ruleMessage,
  tableMessage,
} from '../../src/netlink/nftables.ts';
import { NLM_F } from '../../src/netlink/session.ts';
import { NLMSG_HDRLEN, Writer } from '../../src/netlink/wire.ts';
import { annotate, headLine, kindOfNetfilter } from './annotate.ts';

const [directory = '.', tools = ''] = process.argv.slice(2);

capture('nft-tables', NFT_MSG.GETTABLE, tableMessage);
capture('nft-chains', NFT_MSG.GETCHAIN, chainMessage);
capture('nft-rules', NFT_MSG.GETRULE, ruleMessage);

function capture(name: string, type: number, codec: Codec<{ header: object; attrs: object }>): void {
  const socket = openNetlink({ protocol: NETLINK_NETFILTER });
  if (typeof socket === 'number') throw new Error(`Cannot open a netlink socket: errno ${-socket}`);
  const writer = new Writer(1024);
  writer.skip(NLMSG_HDRLEN);
  codec.write(writer, { header: nfgenmsg.of({ family: NFPROTO.UNSPEC }), attrs: {} });
  writer.view.setUint32(0, writer.at, true);
  writer.view.setUint16(4, type, true);
  writer.view.setUint16(6, NLM_F.DUMP | NLM_F.REQUEST, true);
  socket.send(writer.bytes, writer.at);
  const lines = [`# dump of ${name}`, `# ${tools}`];
  const buffer = new Uint8Array(64 * 1024);
  for (let done = false; !done; ) {
    const length = socket.receive(buffer);
    if (length < 0) throw new Error(`No answer to the dump of ${name}: errno ${-length}`);
    eachMessage(buffer, length, (header, payload) => {
      done = header.type < 0x10;
      if (done) return;
      const kind = kindOfNetfilter(header.type) ?? '';
      lines.push('', `# reply ${headLine(kind, header)}`);
      lines.push(...annotate(buffer.slice(payload.at, payload.end), kind));
    });
  }
  socket.close();
  writeFileSync(`${directory}/${name}.txt`, `${lines.join('\n')}\n`);
}
