/** net-conf.json as a whole. @module */
import { describe, expect, test } from 'bun:test';
import { describeConfigError } from '../../../src/config/error.ts';
import { type ParsedNetConf, parseNetConf } from '../../../src/config/net-conf.ts';

function outcome(text: string): ParsedNetConf | string {
  const parsed = parseNetConf(text);
  return parsed.ok ? parsed.value : describeConfigError(parsed.error);
}

/** With a backend that needs no note. */
function withBackend(members: string): ParsedNetConf | string {
  return outcome(`{${members},"Backend":{"Type":"host-gw"}}`);
}

function config(members: string): unknown {
  const parsed = withBackend(members);
  return typeof parsed === 'string' ? parsed : parsed.config;
}

const IPV4 = { network: '10.3.0.0/16', subnetLength: 24, subnetMin: '10.3.1.0', subnetMax: '10.3.255.0' };
const IPV6 = {
  network: 'fc00::/48',
  subnetLength: 64,
  subnetMin: 'fc00:0:0:1::',
  subnetMax: 'fc00:0:0:ffff::',
};
const BOTH = '"Network":"10.3.0.0/16","EnableIPv6":true,"IPv6Network":"fc00::/48"';

const FAMILIES: readonly (readonly [members: string, ipv4: unknown, ipv6: unknown])[] = [
  ['"Network":"10.3.0.0/16"', IPV4, undefined],
  ['"NETWORK":"10.3.0.0/16"', IPV4, undefined],
  ['"Network":"10.3.7.9/16"', IPV4, undefined],
  ['"Network":"1.0.0.0/8","network":"10.3.0.0/16"', IPV4, undefined],
  ['"network":"1.0.0.0/8","Network":"2.0.0.0/8","network":"10.3.0.0/16"', IPV4, undefined],
  ['"Network":"10.3.0.0/16","EnableIPv4":null,"enableipv6":null,"SubnetLen":null', IPV4, undefined],
  ['"Network":"10.3.0.0/16","EnableIPv4":true,"enableipv4":null', IPV4, undefined],
  ['"Network":"10.3.0.0/16","IPv6SubnetMin":null,"IPv6SubnetMax":null', IPV4, undefined],
  ['"Network":"10.3.0.0/16","SubnetLen":0', IPV4, undefined],
  ['"Network":"10.3.0.0/16","Unheard":{"of":[1,2,"3"]},"Of":null', IPV4, undefined],
  [BOTH, IPV4, IPV6],
  [`${BOTH},"IPv6SubnetMin":"fc00:0:0:9::","ipv6subnetmin":null`, IPV4, IPV6],
  [`${BOTH},"EnableIPv4":false`, undefined, IPV6],
  ['"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"FC00:0::1/48"', undefined, IPV6],
  // A family that is off is not held against the rules of ranges.
  ['"Network":"10.3.0.0/16","IPv6Network":"fc00::/127","IPv6SubnetLen":3', IPV4, undefined],
];

describe('parseNetConf() reads', () => {
  test("parseNetConf() reads flannel's own example", () => {
    const text = `{
      "Network": "10.244.0.0/16",
      "EnableNFTables": false,
      "Backend": {
        "Type": "vxlan"
      }
    }`;
    expect<unknown>(outcome(text)).toEqual({
      config: {
        ipv4: {
          network: '10.244.0.0/16',
          subnetLength: 24,
          subnetMin: '10.244.1.0',
          subnetMax: '10.244.255.0',
        },
        ipv6: undefined,
        backend: {
          type: 'vxlan',
          vni: 1,
          port: 8472,
          mtuBytes: undefined,
          gbp: false,
          learning: false,
          directRouting: false,
          txChecksumOffload: false,
        },
        enableNftables: false,
      },
      notes: [],
    });
  });

  test('parseNetConf() reads what K3s writes for one family', () => {
    const text = (v4: boolean, v6: boolean) =>
      `{\n\t"Network": "${v4 ? '10.3.0.0/16' : '0.0.0.0/0'}",\n\t"EnableIPv6": ${v6},\n\t"EnableIPv4": ${v4},\n\t` +
      `"IPv6Network": "${v6 ? 'fc00::/48' : '::/0'}",\n\t"Backend": {\n\t"Type": "host-gw"\n}\n}\n`;
    const rest = { backend: { type: 'host-gw' }, enableNftables: false };
    expect<unknown>(outcome(text(true, false))).toEqual({
      config: { ipv4: IPV4, ipv6: undefined, ...rest },
      notes: [],
    });
    expect<unknown>(outcome(text(false, true))).toEqual({
      config: { ipv4: undefined, ipv6: IPV6, ...rest },
      notes: [],
    });
    expect<unknown>(outcome(text(true, true))).toEqual({
      config: { ipv4: IPV4, ipv6: IPV6, ...rest },
      notes: [],
    });
  });

  test.each(FAMILIES)('parseNetConf({%s})', (members, ipv4, ipv6) => {
    expect(config(members)).toMatchObject({ ipv4, ipv6 });
  });
});

describe('parseNetConf() hands on', () => {
  test('parseNetConf() hands on the range keys of both families', () => {
    const members =
      `${BOTH},"SubnetLen":26,"SubnetMin":"10.3.1.64","SubnetMax":"10.3.2.0",` +
      '"IPv6SubnetLen":80,"IPv6SubnetMin":"fc00:0:0:2::","IPv6SubnetMax":"fc00:0:0:3::"';
    expect(config(members)).toMatchObject({
      ipv4: { subnetLength: 26, subnetMin: '10.3.1.64', subnetMax: '10.3.2.0' },
      ipv6: { subnetLength: 80, subnetMin: 'fc00:0:0:2::', subnetMax: 'fc00:0:0:3::' },
    });
  });

  test('parseNetConf() hands on EnableNFTables', () => {
    expect(config('"Network":"10.3.0.0/16","EnableNFTables":true')).toMatchObject({ enableNftables: true });
  });
});

const NETWORK_4 = 'expected an IPv4 network as address/length';
const NETWORK_6 = 'expected an IPv6 network as address/length';
const MISTAKES: readonly (readonly [members: string, line: string])[] = [
  ['"Network":"fc00::/48"', `Network: invalid value 'fc00::/48', ${NETWORK_4}`],
  ['"Network":"10.3.0.0"', `Network: invalid value '10.3.0.0', ${NETWORK_4}`],
  ['"Network":"10.3.0.0/33"', `Network: invalid value '10.3.0.0/33', ${NETWORK_4}`],
  ['"Network":""', `Network: invalid value '', ${NETWORK_4}`],
  ['"Network":" 10.3.0.0/16"', `Network: invalid value ' 10.3.0.0/16', ${NETWORK_4}`],
  ['"Network":null', `Network: invalid value 'null', ${NETWORK_4}`],
  ['"Network":10', `Network: invalid value '10', ${NETWORK_4}`],
  ['"Network":["10.3.0.0/16"]', `Network: invalid value '[...]', ${NETWORK_4}`],
  ['"Network":"10.3.0.0/16","network":null', `Network: invalid value 'null', ${NETWORK_4}`],
  [`${BOTH},"IPv6Network":"10.0.0.0/8"`, `IPv6Network: invalid value '10.0.0.0/8', ${NETWORK_6}`],
  [`${BOTH},"IPv6Network":null`, `IPv6Network: invalid value 'null', ${NETWORK_6}`],
  // A type is checked in a family that is off too, as in Go.
  ['"Network":"10.3.0.0/16","IPv6Network":1', `IPv6Network: invalid value '1', ${NETWORK_6}`],
  [`${BOTH},"SubnetMin":null`, "SubnetMin: invalid value 'null', expected an IPv4 address"],
  [`${BOTH},"SubnetMax":null`, "SubnetMax: invalid value 'null', expected an IPv4 address"],
  [`${BOTH},"SubnetMin":"fc00::"`, "SubnetMin: invalid value 'fc00::', expected an IPv4 address"],
  [`${BOTH},"SubnetMax":"x"`, "SubnetMax: invalid value 'x', expected an IPv4 address"],
  [`${BOTH},"IPv6SubnetMin":"10.3.1.0"`, "IPv6SubnetMin: invalid value '10.3.1.0', expected an IPv6 address"],
  [`${BOTH},"IPv6SubnetMax":""`, "IPv6SubnetMax: invalid value '', expected an IPv6 address"],
  [`${BOTH},"SubnetLen":"24"`, 'SubnetLen: invalid value \'"24"\', expected an integer from 0 to 32'],
  [`${BOTH},"SubnetLen":-1`, "SubnetLen: invalid value '-1', expected an integer from 0 to 32"],
  [`${BOTH},"SubnetLen":24.0`, "SubnetLen: invalid value '24.0', expected an integer from 0 to 32"],
  [
    `${BOTH},"SubnetLen":99999999999999999999`,
    "SubnetLen: invalid value '99999999999999999999', expected an integer from 0 to 32",
  ],
  [`${BOTH},"IPv6SubnetLen":129`, "IPv6SubnetLen: invalid value '129', expected an integer from 0 to 128"],
  [`${BOTH},"EnableIPv4":"true"`, 'EnableIPv4: invalid value \'"true"\', expected true or false'],
  [`${BOTH},"EnableIPv6":1`, "EnableIPv6: invalid value '1', expected true or false"],
  [`${BOTH},"EnableNFTables":"no"`, 'EnableNFTables: invalid value \'"no"\', expected true or false'],
  ['"EnableIPv4":false', "EnableIPv4: invalid value 'false', expected true here or in EnableIPv6"],
  [
    '"IPv6Network":"fc00::/48"',
    'Network: no value given, expected an IPv4 network such as 10.244.0.0/16, as EnableIPv4 is true',
  ],
  [
    '"Network":"10.3.0.0/16","EnableIPv6":true',
    'IPv6Network: no value given, expected an IPv6 network such as fd00:42::/48, as EnableIPv6 is true',
  ],
  [
    `${BOTH},"SubnetLen":17`,
    "SubnetLen: invalid value '17', expected a prefix length from 18 to 30 for subnets of 10.3.0.0/16",
  ],
  [
    `${BOTH},"IPv6SubnetLen":127`,
    "IPv6SubnetLen: invalid value '127', expected a prefix length from 50 to 126 for subnets of fc00::/48",
  ],
];

describe('parseNetConf() refuses', () => {
  test.each(MISTAKES)('parseNetConf({%s})', (members, line) => {
    expect(withBackend(members)).toBe(line);
  });

  test.each([
    [
      '{"Network":"10.3.0.0/16","Backend":{"Type":"wireguard"}}',
      "Backend.Type: 'wireguard' is not supported by this version, expected vxlan or host-gw",
    ],
    [
      '{"Network":"10.3.0.0/16","Backend":{"Type":"vxlan","VNI":0}}',
      "Backend.VNI: invalid value '0', expected an integer from 1 to 16777215",
    ],
    [
      '{"Network":"10.3.0.0/16","Backend":{"Type":"vxlan"},"backend":null}',
      'Backend.Type: no value given, expected vxlan or host-gw',
    ],
    [
      `{${BOTH},"Backend":{"Type":"vxlan","MTU":1300}}`,
      "Backend.MTU: invalid value '1300', expected 0 for the MTU of the interface, or an integer from 1350 to 65535 (IPv6 needs 1280 inside the tunnel)",
    ],
    ['', 'net-conf.json line 1 column 1: found the end of the text, expected a JSON value'],
    ['null', "net-conf.json: invalid value 'null', expected a JSON object"],
    ['[]', "net-conf.json: invalid value '[...]', expected a JSON object"],
    ['"10.3.0.0/16"', "net-conf.json: invalid value '10.3.0.0/16', expected a JSON object"],
    ['\uFEFF{}', "net-conf.json line 1 column 1: found '\\u{feff}', expected JSON without a byte order mark"],
    [
      '{\n  "Network": "10.3.0.0/16",\n}',
      "net-conf.json line 3 column 1: found '}', expected a name in double quotes after the comma",
    ],
    [
      '{\n  // pods\n  "Network": "10.3.0.0/16"}',
      "net-conf.json line 2 column 3: found '/', expected a name in double quotes or '}'",
    ],
  ])('parseNetConf(%j)', (text, line) => {
    expect(outcome(text)).toBe(line);
  });

  test('parseNetConf() takes 1 MiB and no more, counted in bytes', () => {
    const text = '{"Network":"10.3.0.0/16","Backend":{"Type":"host-gw"}}';
    expect(outcome(text.padEnd(2 ** 20))).toBeObject();
    expect(outcome(text.padEnd(2 ** 20 + 1))).toContain('at most 1 MiB');
    expect(outcome(text.replace('{', `{"x":"${'ä'.repeat(2 ** 19)}",`))).toContain('at most 1 MiB');
  });
});

describe('parseNetConf() notes', () => {
  test.each([
    ['"Network":"10.3.0.0/16"', []],
    [
      '"Network":"10.3.0.0/16","IPv6Network":"fc00::/48"',
      ['IPv6Network: not used, as EnableIPv6 is not true'],
    ],
    [`${BOTH},"EnableIPv4":false`, ['Network: not used, as EnableIPv4 is false']],
    ['"Network":"10.3.0.0/16","EnableNFTables":true', []],
    [
      '"Network":"10.3.0.0/16","SubnetLenn":25',
      ["SubnetLenn: unknown key, skipped; did you mean 'SubnetLen'?"],
    ],
    [
      '"Network":"10.3.0.0/16","Subnet\\nLen":25',
      ["Subnet\\nLen: unknown key, skipped; did you mean 'SubnetLen'?"],
    ],
    ['"Network":"10.3.0.0/16","_comment":"x"', []],
  ])('parseNetConf({%s}) notes %j', (members, notes) => {
    expect(withBackend(members)).toMatchObject({ notes });
  });

  test('parseNetConf() notes a backend that is not what flannel would take', () => {
    expect(outcome('{"Network":"10.3.0.0/16"}')).toMatchObject({
      notes: ['Backend: none given, which means udp to flannel; vxlan is used instead'],
    });
    expect(outcome('{"Network":"10.3.0.0/16","Backend":{"Type":"vxlan","Prot":1}}')).toMatchObject({
      notes: ["Backend.Prot: unknown key, skipped; did you mean 'Port'?"],
    });
  });

  test('parseNetConf() notes at most ten misspelt keys', () => {
    const typos = Array.from({ length: 50 }, (_, i) => `"Networ${i % 10}":1`).join(',');
    const parsed = withBackend(`"Network":"10.3.0.0/16",${typos}`);
    expect(typeof parsed === 'string' ? parsed : parsed.notes.length).toBe(10);
  });
});
