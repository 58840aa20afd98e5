/**
 * The messages that iproute2, bridge and ethtool were heard to send and the kernel to answer, as samples.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Codec } from '../../../src/netlink/codec.ts';
import { featuresMessage } from '../../../src/netlink/ethtool.ts';
import { controlMessage } from '../../../src/netlink/generic.ts';
import {
  batchMessage,
  chainMessage,
  generationMessage,
  NFT_MSG,
  ruleMessage,
  tableMessage,
} from '../../../src/netlink/nftables.ts';
import {
  addressMessage,
  linkMessage,
  neighbourMessage,
  RTM,
  routeMessage,
} from '../../../src/netlink/route.ts';
import { parseGolden } from '../../golden/text.ts';

/** A message as it was captured, and the name of the codec for it. */
export interface CapturedMessage {
  readonly codec: string;
  readonly type: number;
  readonly bytes: Uint8Array;
}

const GOLDEN = `${import.meta.dir}/../../golden`;

const CODECS: readonly Codec<unknown>[] = [
  linkMessage,
  addressMessage,
  routeMessage,
  neighbourMessage,
  controlMessage,
  featuresMessage,
  batchMessage,
  generationMessage,
  tableMessage,
  chainMessage,
  ruleMessage,
];

/** The codec of a name. */
export function codecNamed(name: string): Codec<unknown> {
  const codec = CODECS.find((each) => each.name === name);
  if (codec === undefined) throw new Error(`No codec '${name}'`);
  return codec;
}

/** Every captured message, requests and replies. */
export function capturedMessages(): CapturedMessage[] {
  return ['requests', 'replies'].flatMap((folder) =>
    readdirSync(`${GOLDEN}/${folder}`)
      .filter((file) => file.endsWith('.txt'))
      .sort()
      .flatMap((file) =>
        parseGolden(readFileSync(`${GOLDEN}/${folder}/${file}`, 'utf8')).messages.map(({ type, bytes }) => ({
          codec: codecOf(file, type).name,
          type,
          bytes,
        })),
      ),
  );
}

/** Generic netlink's types are those of links, so the name of the file has to tell. */
function codecOf(file: string, type: number): Codec<unknown> {
  if (file.startsWith('family')) return controlMessage;
  if (file.startsWith('features')) return featuresMessage;
  if (file.startsWith('nft')) return nftablesCodecOf(type);
  if (type < RTM.NEWADDR) return linkMessage;
  if (type < RTM.NEWROUTE) return addressMessage;
  return type < RTM.NEWNEIGH ? routeMessage : neighbourMessage;
}

function nftablesCodecOf(type: number): Codec<unknown> {
  if (type < NFT_MSG.NEWTABLE) return batchMessage;
  if (type < NFT_MSG.NEWCHAIN) return tableMessage;
  if (type < NFT_MSG.NEWRULE) return chainMessage;
  return type < NFT_MSG.NEWGEN ? ruleMessage : generationMessage;
}
