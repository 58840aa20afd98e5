/**
 * subnet.env: any text has an answer, and what is written is read as it was meant.
 *
 * @module
 */
import { readSubnetEnv } from '../../../src/config/subnet-env.ts';
import { addressBits, type Family, familyOf, parsePrefix, prefixLength } from '../../../src/model/ip.ts';
import { formatSubnetEnv, type SubnetEnvFamily } from '../../../src/model/subnet-env.ts';
import type { Random } from '../random.ts';
import { spoilText } from '../spoil.ts';
import { inputFiles, mustHold, target, textForm, type Verdict } from '../target.ts';

const WORDS = [
  ...['FLANNEL_NETWORK=', 'FLANNEL_SUBNET=', 'FLANNEL_IPV6_NETWORK=', 'FLANNEL_IPV6_SUBNET=', 'export '],
  ...['FLANNEL_MTU=', 'FLANNEL_IPMASQ=true\n', '10.42.1.1/24', 'fd42:0:0:1::1/64', '$FLANNEL_NETWORK', "'"],
];

/** The text of subnet.env. */
export const subnetEnv = target<string>({
  name: 'subnet-env',
  samples: inputFiles('corpus', 'subnet-env').map(textForm.decode),
  spoil: (random, text, other) => spoilText(random, text, { words: WORDS, other }),
  run: judge,
  ...textForm,
});

function judge(text: string, random: Random): Verdict {
  const { ipv4, ipv6 } = readSubnetEnv(text);
  const found = { 4: ipv4, 6: ipv6 };
  let verdict: Verdict = 'refused';
  for (const family of [4, 6] as const) {
    const { networks, subnet } = found[family];
    for (const prefix of subnet === undefined ? networks : [...networks, subnet]) {
      mustHold(parsePrefix(prefix) === prefix, `${prefix} is not canonical`);
      mustHold(familyOf(prefix) === family && prefixLength(prefix) > 0, `${prefix} is not IPv${family}`);
      verdict = 'accepted';
    }
  }
  const mtuBytes = random(65536);
  const env = { ipv4: halfOf(4, found), ipv6: halfOf(6, found), mtuBytes, ipMasq: random(2) === 0 };
  const written = formatSubnetEnv(env);
  const back = readSubnetEnv(written);
  for (const [half, read] of [
    [env.ipv4, back.ipv4],
    [env.ipv6, back.ipv6],
  ] as const) {
    mustHold(read.subnet === half?.subnet, `The subnet is read as ${read.subnet}`);
    mustHold(read.networks.join() === (half?.network ?? ''), `The network is read as ${read.networks}`);
  }
  mustHold(formatSubnetEnv({ ...env }) === written, 'It is written differently the second time');
  return verdict;
}

/** A family as the agent would write it: of a subnet that has room for the bridge's address. */
function halfOf(
  family: Family,
  found: Readonly<Record<Family, ReturnType<typeof readSubnetEnv>['ipv4']>>,
): SubnetEnvFamily | undefined {
  const { networks, subnet } = found[family];
  const [network] = networks;
  if (network === undefined || subnet === undefined) return undefined;
  return prefixLength(subnet) > addressBits(family) - 2 ? undefined : { network, subnet };
}
