/**
 * Takes one request out of what `strace -e write=all` wrote and prints it as a file of captured messages.
 *
 * Usage: extract.ts TRACE KIND TOOLS COMMAND, where KIND is as `RTM_NEWLINK` or, with the number of the
 * generic command, as `ethtool:12`.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { annotate, headLine, kindOfNetfilter } from './annotate.ts';
import { enumerationWith, readEnumerations } from './headers.ts';

const NLMSG_HDRLEN = 16;

const [trace = '', wanted = '', tools = '', command = ''] = process.argv.slice(2);
const [kind = '', genericCommand] = wanted.split(':');

// Tools probe before they ask, so the last message of the kind is the one.
const found = buffers(readFileSync(trace, 'utf8')).flatMap(messagesOf).findLast(isWanted);
if (found === undefined) throw new Error(`No ${wanted} in what '${command}' sent`);
const view = new DataView(found.buffer);
const head = { type: view.getUint16(4, true), flags: view.getUint16(6, true) };
const lines = [
  `# ${command}`,
  `# ${tools}, request ${headLine(kind, head)}`,
  ...annotate(found.subarray(NLMSG_HDRLEN), kind),
];
process.stdout.write(`${lines.join('\n')}\n`);

/** A transaction of nftables is one buffer of many messages. */
function messagesOf(bytes: Uint8Array): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let at = 0; at + NLMSG_HDRLEN <= bytes.length; ) {
    const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
    if (size < NLMSG_HDRLEN) break;
    all.push(bytes.slice(at, at + ((size + 3) & ~3)));
    at += (size + 3) & ~3;
  }
  return all;
}

function isWanted(bytes: Uint8Array): boolean {
  if (bytes.length < NLMSG_HDRLEN) return false;
  const message = new DataView(bytes.buffer);
  const type = message.getUint16(4, true);
  if (genericCommand !== undefined)
    return bytes[NLMSG_HDRLEN] === Number(genericCommand) && (type === 0x10) === (kind === 'nlctrl');
  if (/^(NF|IPCTNL)/.test(kind)) return kindOfNetfilter(type) === kind;
  return enumerationWith(readEnumerations(), 'RTM_NEWLINK').get(type) === kind;
}

/** The written buffers, from the lines ` | 00010  00 01 … 0f  ascii |`. */
function buffers(text: string): Uint8Array<ArrayBuffer>[] {
  const all: number[][] = [];
  for (const [, offset, row] of text.matchAll(/^ \| ([0-9a-f]{5}) {2}([0-9a-f ]{48})/gm)) {
    if (Number.parseInt(offset ?? '', 16) === 0) all.push([]);
    const bytes = (row ?? '').match(/[0-9a-f]{2}/g) ?? [];
    all.at(-1)?.push(...bytes.map((hex) => Number.parseInt(hex, 16)));
  }
  return all.map((bytes) => Uint8Array.from(bytes));
}
