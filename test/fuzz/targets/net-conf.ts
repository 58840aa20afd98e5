/**
 * net-conf.json: any text has an answer of one line, and what is accepted keeps the rules.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import { describeConfigError } from '../../../src/config/error.ts';
import { parseJsonText } from '../../../src/config/json-text.ts';
import { type ParsedNetConf, parseNetConf } from '../../../src/config/net-conf.ts';
import {
  addressBits,
  FAMILIES,
  familyOf,
  type Ip,
  ipToBigint,
  parseIp,
  parsePrefix,
  prefixContains,
  prefixLength,
} from '../../../src/model/ip.ts';
import { type NetworkConfig, type NetworkFamily, networkFamily } from '../../../src/model/network.ts';
import { spoilText } from '../spoil.ts';
import { inputFiles, mustHold, target, textForm, type Verdict } from '../target.ts';
import { mustBeLine } from './text-rules.ts';

const WORDS = [
  ...['"Network":', '"IPv6Network":', '"EnableIPv4":', '"EnableIPv6":', '"SubnetLen":', '"IPv6SubnetLen":'],
  ...['"SubnetMin":', '"SubnetMax":', '"IPv6SubnetMin":', '"IPv6SubnetMax":', '"Backend":', '"Type":'],
  ...['"VNI":', '"Port":', '"MTU":', '"GBP":true,', '"DirectRouting":true,', '"vxlan"', '"host-gw"', '"udp"'],
  ...['"10.42.0.0/16"', '"fd42::/48"', '"EnableIPv6":true,', '"EnableIPv4":false,', '"wireguard"'],
];

/** Depths that `JSON.parse` takes and we do not. */
const NESTED_TOO_DEEP = 'levels of nesting';

/** The text of net-conf.json. */
export const netConf = target<string>({
  name: 'net-conf',
  samples: inputFiles('corpus', 'net-conf').map(textForm.decode),
  spoil: (random, text, other) => spoilText(random, text, { words: WORDS, other }),
  run: judge,
  ...textForm,
});

function judge(text: string): Verdict {
  const isJson = mustAgreeWithJson(text);
  const parsed = parseNetConf(text);
  if (!parsed.ok) {
    mustBeLine(describeConfigError(parsed.error));
    return 'refused';
  }
  mustHold(isJson, 'Accepted, and no JSON');
  mustBeSound(parsed.value);
  return 'accepted';
}

/** Our reader takes what `JSON.parse` takes, but for depth. */
function mustAgreeWithJson(text: string): boolean {
  const ours = parseJsonText(text);
  if (!ours.ok && ours.error.expected.includes(NESTED_TOO_DEEP)) return false;
  let isJson = true;
  try {
    JSON.parse(text);
  } catch {
    isJson = false;
  }
  mustHold(ours.ok === isJson, `JSON.parse() ${isJson ? 'takes' : 'refuses'} it`);
  return isJson;
}

function mustBeSound({ config, notes }: ParsedNetConf): void {
  for (const note of notes) mustBeLine(note);
  mustHold(config.ipv4 !== undefined || config.ipv6 !== undefined, 'No family is enabled');
  for (const family of FAMILIES) {
    const range = networkFamily(config, family);
    if (range === undefined) continue;
    mustHold(familyOf(range.network) === family, `The network is not IPv${family}`);
    mustBeCut(range);
  }
  const { backend } = config;
  if (backend.type === 'vxlan') {
    const { vni, port, mtuBytes = 1500 } = backend;
    mustHold(Number.isInteger(vni) && vni >= 1 && vni < 2 ** 24, `VNI ${vni}`);
    mustHold(Number.isInteger(port) && port >= 1 && port < 2 ** 16, `Port ${port}`);
    mustHold(Number.isInteger(mtuBytes) && mtuBytes >= (config.ipv6 ? 1350 : 576), `MTU ${mtuBytes}`);
  }
  const again = parseNetConf(written(config));
  mustHold(again.ok && isDeepStrictEqual(again.value.config, config), 'Written and read again it is another');
}

function mustBeCut({ network, subnetLength, subnetMin, subnetMax }: NetworkFamily): void {
  mustHold(parsePrefix(network) === network, 'The network is not canonical');
  const bits = addressBits(familyOf(network));
  mustHold(prefixLength(network) > 0, 'The network is everything');
  mustHold(subnetLength >= prefixLength(network) + 2 && subnetLength <= bits - 2, `Length ${subnetLength}`);
  const size = 1n << BigInt(bits - subnetLength);
  const isEnd = (ip: Ip) => parseIp(ip) === ip && prefixContains(network, ip) && ipToBigint(ip) % size === 0n;
  mustHold(isEnd(subnetMin), `SubnetMin ${subnetMin}`);
  mustHold(isEnd(subnetMax), `SubnetMax ${subnetMax}`);
  mustHold(ipToBigint(subnetMin) <= ipToBigint(subnetMax), 'SubnetMin is above SubnetMax');
}

/** A text that says just what the configuration says. */
function written({ ipv4, ipv6, backend, enableNftables }: NetworkConfig): string {
  return JSON.stringify({
    EnableIPv4: ipv4 !== undefined,
    Network: ipv4?.network,
    SubnetLen: ipv4?.subnetLength,
    SubnetMin: ipv4?.subnetMin,
    SubnetMax: ipv4?.subnetMax,
    EnableIPv6: ipv6 !== undefined,
    IPv6Network: ipv6?.network,
    IPv6SubnetLen: ipv6?.subnetLength,
    IPv6SubnetMin: ipv6?.subnetMin,
    IPv6SubnetMax: ipv6?.subnetMax,
    EnableNFTables: enableNftables,
    Backend:
      backend.type === 'host-gw'
        ? { Type: 'host-gw' }
        : {
            Type: 'vxlan',
            VNI: backend.vni,
            Port: backend.port,
            MTU: backend.mtuBytes,
            GBP: backend.gbp,
            Learning: backend.learning,
            DirectRouting: backend.directRouting,
            TxChecksumOffload: backend.txChecksumOffload,
          },
  });
}
