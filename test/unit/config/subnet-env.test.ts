/** subnet.env, written and read. @module */
import { describe, expect, test } from 'bun:test';
import { readSubnetEnv } from '../../../src/config/subnet-env.ts';
import { type Prefix, parsePrefix } from '../../../src/model/ip.ts';
import { formatSubnetEnv, type SubnetEnvFamily } from '../../../src/model/subnet-env.ts';

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

const ipv4: SubnetEnvFamily = { network: prefix('10.42.0.0/16'), subnet: prefix('10.42.1.0/24') };
const ipv6: SubnetEnvFamily = { network: prefix('fd00:42::/48'), subnet: prefix('fd00:42:0:1::/64') };

describe('formatSubnetEnv()', () => {
  test('formatSubnetEnv() writes IPv4', () => {
    expect(formatSubnetEnv({ ipv4, ipv6: undefined, mtuBytes: 1450, ipMasq: true })).toBe(
      'FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
    );
  });

  test('formatSubnetEnv() writes IPv6', () => {
    expect(formatSubnetEnv({ ipv4: undefined, ipv6, mtuBytes: 1430, ipMasq: false })).toBe(
      'FLANNEL_IPV6_NETWORK=fd00:42::/48\nFLANNEL_IPV6_SUBNET=fd00:42:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n',
    );
  });

  test('formatSubnetEnv() writes both, IPv4 first', () => {
    expect(formatSubnetEnv({ ipv4, ipv6, mtuBytes: 1430, ipMasq: true })).toBe(
      'FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\n' +
        'FLANNEL_IPV6_NETWORK=fd00:42::/48\nFLANNEL_IPV6_SUBNET=fd00:42:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n',
    );
  });
});

describe('readSubnetEnv()', () => {
  test('readSubnetEnv() reads what formatSubnetEnv() writes', () => {
    const text = formatSubnetEnv({ ipv4, ipv6, mtuBytes: 1430, ipMasq: true });
    expect(readSubnetEnv(text)).toEqual({
      ipv4: { networks: [ipv4.network], subnet: ipv4.subnet },
      ipv6: { networks: [ipv6.network], subnet: ipv6.subnet },
    });
  });

  const cases: readonly (readonly [text: string, networks: string[], subnet: string | undefined])[] = [
    ['', [], undefined],
    ['FLANNEL_SUBNET=10.42.1.1/24', [], '10.42.1.0/24'],
    ['FLANNEL_SUBNET=10.42.1.1/24\r\n', [], '10.42.1.0/24'],
    ['export FLANNEL_SUBNET="10.42.1.1/24" # ours', [], '10.42.1.0/24'],
    ["FLANNEL_SUBNET = '10.42.1.1/24'", [], '10.42.1.0/24'],
    ['FLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_SUBNET=10.42.2.1/24', [], '10.42.2.0/24'],
    ['FLANNEL_SUBNET=10.42.1.1/24,10.42.2.1/24', [], undefined],
    ['FLANNEL_SUBNET=10.42.1.1/24,garbage', [], '10.42.1.0/24'],
    ['FLANNEL_SUBNET=garbage', [], undefined],
    ['FLANNEL_SUBNET=10.42.1.1', [], undefined],
    ['FLANNEL_SUBNET=10.42.1.1/33', [], undefined],
    ['FLANNEL_SUBNET=fd00::1/64', [], undefined],
    ['FLANNEL_SUBNET=', [], undefined],
    ['#FLANNEL_SUBNET=10.42.1.1/24', [], undefined],
    ['flannel_subnet=10.42.1.1/24', [], undefined],
    ['FLANNEL_SUBNET', [], undefined],
    ['\0\0\0\nnonsense\n===\nFLANNEL_SUBNET=10.42.1.1/24\n"', [], '10.42.1.0/24'],
    // What flanneld writes when an enabled family has no subnet.
    ['FLANNEL_SUBNET=0.0.0.1/0', [], undefined],
    ['FLANNEL_NETWORK=10.42.0.0/16, 10.43.0.0/16,0.0.0.0/0', ['10.42.0.0/16', '10.43.0.0/16'], undefined],
  ];
  test.each(cases)('readSubnetEnv(%j) has networks %j and subnet %p', (text, networks, subnet) => {
    expect<unknown>(readSubnetEnv(text).ipv4).toEqual({ networks, subnet });
    expect(readSubnetEnv(text).ipv6).toEqual({ networks: [], subnet: undefined });
  });

  test('readSubnetEnv() keeps the families apart', () => {
    const read = readSubnetEnv(
      'FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:2::1/64,10.0.0.0/8\n',
    );
    expect(read.ipv4).toEqual({ networks: [], subnet: undefined });
    expect(read.ipv6).toEqual({ networks: [prefix('fd00::/48')], subnet: prefix('fd00:0:0:2::/64') });
  });
});
