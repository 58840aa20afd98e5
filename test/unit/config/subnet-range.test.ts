/** The range rules of flannel's CheckNetworkConfig, for both families. @module */
import { expect, test } from 'bun:test';
import { describeConfigError } from '../../../src/config/error.ts';
import { cutNetwork } from '../../../src/config/subnet-range.ts';
import { type Family, type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';

interface Given {
  readonly network?: string;
  readonly len?: number;
  readonly min?: string;
  readonly max?: string;
}

function address(text: string | undefined): Ip | undefined {
  return text === undefined ? undefined : parseIp(text);
}

/** The subnet length and both ends, or the error's line. */
function cut(family: Family, { network, len = 0, min, max }: Given): string {
  const result = cutNetwork({
    family,
    network: network === undefined ? undefined : parsePrefix(network),
    subnetLength: len,
    subnetMin: address(min),
    subnetMax: address(max),
  });
  if (!result.ok) return describeConfigError(result.error);
  const { subnetLength, subnetMin, subnetMax } = result.value;
  return `/${subnetLength} ${subnetMin} ${subnetMax}`;
}

const NO_NETWORK_4 =
  'Network: no value given, expected an IPv4 network such as 10.244.0.0/16, as EnableIPv4 is true';
const NO_NETWORK_6 =
  'IPv6Network: no value given, expected an IPv6 network such as fd00:42::/48, as EnableIPv6 is true';

const CASES_4: readonly (readonly [rule: string, given: Given, outcome: string])[] = [
  ['1: Network must be there', {}, NO_NETWORK_4],
  ['1: 0.0.0.0/0 counts as empty', { network: '0.0.0.0/0' }, NO_NETWORK_4],
  ['1: so does what is masked to it', { network: '10.0.0.0/0' }, NO_NETWORK_4],
  ['2: SubnetLen at most 30', { network: '10.3.0.0/28', len: 30 }, '/30 10.3.0.4 10.3.0.12'],
  [
    '2: SubnetLen over 30',
    { network: '10.3.0.0/16', len: 31 },
    "SubnetLen: invalid value '31', expected a prefix length from 18 to 30 for subnets of 10.3.0.0/16",
  ],
  ['2: SubnetLen at least Network + 2', { network: '10.3.0.0/16', len: 18 }, '/18 10.3.64.0 10.3.192.0'],
  [
    '2: SubnetLen under Network + 2',
    { network: '10.3.0.0/16', len: 17 },
    "SubnetLen: invalid value '17', expected a prefix length from 18 to 30 for subnets of 10.3.0.0/16",
  ],
  [
    '2: SubnetLen under Network',
    { network: '10.3.0.0/16', len: 8 },
    "SubnetLen: invalid value '8', expected a prefix length from 18 to 30 for subnets of 10.3.0.0/16",
  ],
  [
    '3: Network over 28',
    { network: '10.3.0.0/29' },
    "Network: invalid value '10.3.0.0/29', expected a prefix length of at most 28, so that it holds 4 subnets",
  ],
  [
    '2: Network over 28 leaves no SubnetLen',
    { network: '10.3.0.0/29', len: 30 },
    "Network: invalid value '10.3.0.0/29', expected a prefix length of at most 28, so that it holds 4 subnets",
  ],
  ['3: Network of 28', { network: '10.3.0.0/28' }, '/30 10.3.0.4 10.3.0.12'],
  ['3: Network of 23', { network: '10.3.0.0/23' }, '/25 10.3.0.128 10.3.1.128'],
  ['3: Network of 22', { network: '10.3.0.0/22' }, '/24 10.3.1.0 10.3.3.0'],
  ['3: Network of 16', { network: '10.3.0.0/16' }, '/24 10.3.1.0 10.3.255.0'],
  ['3: Network of 8', { network: '10.0.0.0/8' }, '/24 10.0.1.0 10.255.255.0'],
  ['3: Network of 4', { network: '144.0.0.0/4' }, '/24 144.0.1.0 159.255.255.0'],
  ['4: the size follows SubnetLen', { network: '10.3.0.0/16', len: 28 }, '/28 10.3.0.16 10.3.255.240'],
  ['5: SubnetMin is taken', { network: '10.3.0.0/16', min: '10.3.7.0' }, '/24 10.3.7.0 10.3.255.0'],
  [
    '5: SubnetMin may be the reserved subnet',
    { network: '10.3.0.0/16', min: '10.3.0.0' },
    '/24 10.3.0.0 10.3.255.0',
  ],
  ['5: SubnetMin 0.0.0.0 is unset', { network: '10.3.0.0/16', min: '0.0.0.0' }, '/24 10.3.1.0 10.3.255.0'],
  [
    '5: SubnetMin below',
    { network: '10.3.0.0/16', min: '10.2.255.0' },
    "SubnetMin: invalid value '10.2.255.0', expected an address inside 10.3.0.0/16",
  ],
  [
    '5: SubnetMin above',
    { network: '10.3.0.0/16', min: '10.4.0.0' },
    "SubnetMin: invalid value '10.4.0.0', expected an address inside 10.3.0.0/16",
  ],
  ['6: SubnetMax is taken', { network: '10.3.0.0/16', max: '10.3.9.0' }, '/24 10.3.1.0 10.3.9.0'],
  [
    '6: SubnetMax may be the last subnet',
    { network: '10.3.0.0/16', max: '10.3.255.0' },
    '/24 10.3.1.0 10.3.255.0',
  ],
  ['6: SubnetMax 0.0.0.0 is unset', { network: '10.3.0.0/16', max: '0.0.0.0' }, '/24 10.3.1.0 10.3.255.0'],
  [
    '6: SubnetMax above',
    { network: '10.3.0.0/16', max: '10.4.0.0' },
    "SubnetMax: invalid value '10.4.0.0', expected an address inside 10.3.0.0/16",
  ],
  [
    '7: SubnetMin inside a subnet',
    { network: '10.3.0.0/16', min: '10.3.1.1' },
    "SubnetMin: invalid value '10.3.1.1', expected the first address of a /24",
  ],
  [
    '7: SubnetMax inside a subnet',
    { network: '10.3.0.0/16', max: '10.3.255.255' },
    "SubnetMax: invalid value '10.3.255.255', expected the first address of a /24",
  ],
  [
    '7: a multiple of a larger subnet',
    { network: '10.3.0.0/16', len: 20, min: '10.3.8.0' },
    "SubnetMin: invalid value '10.3.8.0', expected the first address of a /20",
  ],
  ['8: one subnet', { network: '10.3.0.0/16', min: '10.3.5.0', max: '10.3.5.0' }, '/24 10.3.5.0 10.3.5.0'],
  [
    '8: SubnetMin over SubnetMax',
    { network: '10.3.0.0/16', min: '10.3.6.0', max: '10.3.5.0' },
    "SubnetMax: invalid value '10.3.5.0', expected an address from 10.3.6.0 on",
  ],
  [
    '8: SubnetMax in the reserved subnet',
    { network: '10.3.0.0/16', max: '10.3.0.0' },
    "SubnetMax: invalid value '10.3.0.0', expected an address from 10.3.1.0 on",
  ],
];

test.each([
  [4, '127.0.0.0/8', '127.0.0.0/8'],
  [4, '127.5.0.0/16', '127.0.0.0/8'],
  [4, '128.0.0.0/1', '169.254.0.0/16'],
  [4, '0.0.0.0/16', '0.0.0.0/8'],
  [4, '239.0.0.0/16', '224.0.0.0/4'],
  [6, 'fe80::/48', 'fe80::/10'],
  [6, 'ff05::/32', 'ff00::/8'],
  [6, '::/48', '::/127'],
] as const)('cutNetwork() for IPv%p refuses %s, where no pod can be', (family, network, special) => {
  const key = family === 4 ? 'Network' : 'IPv6Network';
  const shown = parsePrefix(network);
  expect(cut(family, { network })).toBe(
    `${key}: invalid value '${shown}', expected a network without ${special}, where no pod can be`,
  );
});

test.each(CASES_4)('cutNetwork() for IPv4, rule %s', (_, given, outcome) => {
  expect(cut(4, given)).toBe(outcome);
});

const CASES_6: readonly (readonly [rule: string, given: Given, outcome: string])[] = [
  ['1: IPv6Network must be there', {}, NO_NETWORK_6],
  ['1: ::/0 counts as empty', { network: '::/0' }, NO_NETWORK_6],
  ['2: IPv6SubnetLen at most 126', { network: 'fc00::/124', len: 126 }, '/126 fc00::4 fc00::c'],
  [
    '2: IPv6SubnetLen over 126',
    { network: 'fc00::/48', len: 127 },
    "IPv6SubnetLen: invalid value '127', expected a prefix length from 50 to 126 for subnets of fc00::/48",
  ],
  [
    '2: IPv6SubnetLen at least IPv6Network + 2',
    { network: 'fc00::/48', len: 50 },
    '/50 fc00:0:0:4000:: fc00:0:0:c000::',
  ],
  [
    '2: IPv6SubnetLen under IPv6Network + 2',
    { network: 'fc00::/48', len: 49 },
    "IPv6SubnetLen: invalid value '49', expected a prefix length from 50 to 126 for subnets of fc00::/48",
  ],
  [
    '3: IPv6Network over 124',
    { network: 'fc00::/125' },
    "IPv6Network: invalid value 'fc00::/125', expected a prefix length of at most 124, so that it holds 4 subnets",
  ],
  ['3: IPv6Network of 124', { network: 'fc00::/124' }, '/126 fc00::4 fc00::c'],
  ['3: IPv6Network of 63', { network: 'fc00::/63' }, '/65 fc00::8000:0:0:0 fc00:0:0:1:8000::'],
  ['3: IPv6Network of 62', { network: 'fc00::/62' }, '/64 fc00:0:0:1:: fc00:0:0:3::'],
  ['3: IPv6Network of 48', { network: 'fc00::/48' }, '/64 fc00:0:0:1:: fc00:0:0:ffff::'],
  ['3: IPv6Network of 8', { network: 'fd00::/8' }, '/64 fd00:0:0:1:: fdff:ffff:ffff:ffff::'],
  [
    '4: the size follows IPv6SubnetLen',
    { network: 'fc00::/48', len: 112 },
    '/112 fc00::1:0 fc00::ffff:ffff:ffff:ffff:0',
  ],
  [
    '5: IPv6SubnetMin is taken',
    { network: 'fc00::/48', min: 'fc00:0:0:7::' },
    '/64 fc00:0:0:7:: fc00:0:0:ffff::',
  ],
  ['5: IPv6SubnetMin :: is unset', { network: 'fc00::/48', min: '::' }, '/64 fc00:0:0:1:: fc00:0:0:ffff::'],
  [
    '5: IPv6SubnetMin outside',
    { network: 'fc00::/48', min: 'fc00:0:1::' },
    "IPv6SubnetMin: invalid value 'fc00:0:1::', expected an address inside fc00::/48",
  ],
  [
    '6: IPv6SubnetMax is taken',
    { network: 'fc00::/48', max: 'fc00:0:0:9::' },
    '/64 fc00:0:0:1:: fc00:0:0:9::',
  ],
  [
    '6: IPv6SubnetMax outside',
    { network: 'fc00::/48', max: 'fb00::' },
    "IPv6SubnetMax: invalid value 'fb00::', expected an address inside fc00::/48",
  ],
  [
    '7: IPv6SubnetMin inside a subnet',
    { network: 'fc00::/48', min: 'fc00:0:0:1::1' },
    "IPv6SubnetMin: invalid value 'fc00:0:0:1::1', expected the first address of a /64",
  ],
  [
    '7: IPv6SubnetMax inside a subnet',
    { network: 'fc00::/48', max: 'fc00:0:0:1:8000::' },
    "IPv6SubnetMax: invalid value 'fc00:0:0:1:8000::', expected the first address of a /64",
  ],
  [
    '8: IPv6SubnetMin over IPv6SubnetMax',
    { network: 'fc00::/48', min: 'fc00:0:0:6::', max: 'fc00:0:0:5::' },
    "IPv6SubnetMax: invalid value 'fc00:0:0:5::', expected an address from fc00:0:0:6:: on",
  ],
];

test.each(CASES_6)('cutNetwork() for IPv6, rule %s', (_, given, outcome) => {
  expect(cut(6, given)).toBe(outcome);
});
