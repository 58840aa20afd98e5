/** The Backend object. @module */
import { describe, expect, test } from 'bun:test';
import { type ParsedBackend, parseBackend } from '../../../src/config/backend.ts';
import { describeConfigError } from '../../../src/config/error.ts';
import { parseJsonText } from '../../../src/config/json-text.ts';

function outcome(text: string, hasIpv6 = false): ParsedBackend | string {
  const json = parseJsonText(text);
  if (!json.ok) throw new Error(json.error.expected);
  const parsed = parseBackend(json.value, { hasIpv6 });
  return parsed.ok ? parsed.value : describeConfigError(parsed.error);
}

const DEFAULTS = {
  type: 'vxlan',
  vni: 1,
  port: 8472,
  mtuBytes: undefined,
  gbp: false,
  learning: false,
  directRouting: false,
  txChecksumOffload: false,
};

function vxlan(text: string, hasIpv6 = false): unknown {
  const parsed = outcome(text, hasIpv6);
  return typeof parsed === 'string' ? parsed : parsed.backend;
}

describe('parseBackend() of vxlan', () => {
  const cases: readonly (readonly [keys: string, changed: object])[] = [
    ['', {}],
    [',"VNI":1', {}],
    [',"VNI":9999999', { vni: 9999999 }],
    [',"vni":7', { vni: 7 }],
    [',"VNI":7,"vni":8,"VNI":9', { vni: 9 }],
    [',"VNI":7,"vni":null', { vni: 7 }],
    [',"VNI":null', {}],
    [',"Port":0', {}],
    [',"Port":-0', {}],
    [',"Port":4789', { port: 4789 }],
    [',"Port":65535', { port: 65535 }],
    [',"MTU":0', {}],
    [',"MTU":576', { mtuBytes: 576 }],
    [',"MTU":65535', { mtuBytes: 65535 }],
    [',"GBP":true', { gbp: true }],
    [',"Learning":true,"DirectRouting":true', { learning: true, directRouting: true }],
    [',"txchecksumoffload":true', { txChecksumOffload: true }],
    [',"GBP":null,"Learning":false', {}],
    [',"MacPrefix":"0E-2A","Name":3', {}],
    [',"Whatever":[1,{"VNI":3}]', {}],
  ];
  test.each(cases)('parseBackend() reads {"Type":"vxlan"%s}', (keys, changed) => {
    expect(vxlan(`{"Type":"vxlan"${keys}}`)).toEqual({ ...DEFAULTS, ...changed });
  });

  const mistakes: readonly (readonly [keys: string, line: string])[] = [
    ['"VNI":0', "Backend.VNI: invalid value '0', expected an integer from 1 to 16777215"],
    ['"VNI":-1', "Backend.VNI: invalid value '-1', expected an integer from 1 to 16777215"],
    ['"VNI":16777216', "Backend.VNI: invalid value '16777216', expected an integer from 1 to 16777215"],
    ['"VNI":1.0', "Backend.VNI: invalid value '1.0', expected an integer from 1 to 16777215"],
    ['"VNI":1e3', "Backend.VNI: invalid value '1e3', expected an integer from 1 to 16777215"],
    ['"VNI":"1"', 'Backend.VNI: invalid value \'"1"\', expected an integer from 1 to 16777215'],
    ['"vni":true', "Backend.VNI: invalid value 'true', expected an integer from 1 to 16777215"],
    ['"VNI":[1]', "Backend.VNI: invalid value '[...]', expected an integer from 1 to 16777215"],
    ['"Port":65536', "Backend.Port: invalid value '65536', expected an integer from 0 to 65535"],
    ['"Port":-1', "Backend.Port: invalid value '-1', expected an integer from 0 to 65535"],
    ['"Port":{}', "Backend.Port: invalid value '{...}', expected an integer from 0 to 65535"],
    [
      '"MTU":575',
      "Backend.MTU: invalid value '575', expected 0 for the MTU of the interface, or an integer from 576 to 65535",
    ],
    ['"MTU":65536', "Backend.MTU: invalid value '65536', expected an integer from 0 to 65535"],
    ['"GBP":"true"', 'Backend.GBP: invalid value \'"true"\', expected true or false'],
    ['"GBP":1', "Backend.GBP: invalid value '1', expected true or false"],
    ['"Learning":0', "Backend.Learning: invalid value '0', expected true or false"],
    ['"DirectRouting":"yes"', 'Backend.DirectRouting: invalid value \'"yes"\', expected true or false'],
    ['"TxChecksumOffload":"on"', 'Backend.TxChecksumOffload: invalid value \'"on"\', expected true or false'],
  ];
  test.each(mistakes)('parseBackend() refuses {"Type":"vxlan",%s}', (keys, line) => {
    expect(vxlan(`{"Type":"vxlan",${keys}}`)).toBe(line);
  });

  test('parseBackend() wants a VNI with which the devices can have their names', () => {
    expect(vxlan('{"Type":"vxlan","VNI":9999}', true)).toMatchObject({ vni: 9999 });
    expect(vxlan('{"Type":"vxlan","VNI":10000}', true)).toBe(
      "Backend.VNI: invalid value '10000', expected an integer from 1 to 9999, as flannel-v6.10000 is too long for a device",
    );
    expect(vxlan('{"Type":"vxlan","VNI":16777215}')).toBe(
      "Backend.VNI: invalid value '16777215', expected an integer from 1 to 9999999, as flannel.16777215 is too long for a device",
    );
  });

  test('parseBackend() wants an MTU that leaves IPv6 its 1280 bytes', () => {
    expect(vxlan('{"Type":"vxlan","MTU":1350}', true)).toMatchObject({ mtuBytes: 1350 });
    expect(vxlan('{"Type":"vxlan","MTU":1349}', true)).toBe(
      "Backend.MTU: invalid value '1349', expected 0 for the MTU of the interface, or an integer from 1350 to 65535 (IPv6 needs 1280 inside the tunnel)",
    );
  });
});

describe('parseBackend() of a type', () => {
  const types = ['wireguard', 'ipip', 'ipsec', 'extension', 'alloc', 'tencent-vpc'];
  test.each(types)('parseBackend() knows %s but does not have it', (type) => {
    expect(outcome(`{"Type":"${type}"}`)).toBe(
      `Backend.Type: '${type}' is not supported by this version, expected vxlan or host-gw`,
    );
  });

  test.each([
    ['{"Type":"VxLAN"}', DEFAULTS],
    ['{"type":"host-gw"}', { type: 'host-gw' }],
    ['{"TYPE":"HOST-GW","VNI":"ignored","Port":-5}', { type: 'host-gw' }],
    ['{"Type":"vxlan","type":"host-gw"}', { type: 'host-gw' }],
    ['{"Type":"host-gw","type":null}', { type: 'host-gw' }],
  ])('parseBackend(%s)', (text, backend) => {
    expect(vxlan(text)).toEqual(backend);
  });

  test.each([
    ['{}', 'Backend.Type: no value given, expected vxlan or host-gw'],
    ['{"VNI":1}', 'Backend.Type: no value given, expected vxlan or host-gw'],
    ['{"Type":""}', 'Backend.Type: no value given, expected vxlan or host-gw'],
    ['{"Type":null}', 'Backend.Type: no value given, expected vxlan or host-gw'],
    ['null', 'Backend.Type: no value given, expected vxlan or host-gw'],
    ['{"Type":1}', "Backend.Type: invalid value '1', expected a text"],
    ['{"Type":"vxlan "}', "Backend.Type: invalid value 'vxlan ', expected vxlan or host-gw"],
    ['{"Type":"geneve\\n"}', "Backend.Type: invalid value 'geneve\\n', expected vxlan or host-gw"],
    ['"vxlan"', "Backend: invalid value 'vxlan', expected a JSON object"],
    ['[]', "Backend: invalid value '[...]', expected a JSON object"],
    ['true', "Backend: invalid value 'true', expected a JSON object"],
    ['1', "Backend: invalid value '1', expected a JSON object"],
  ])('parseBackend() refuses %s', (text, line) => {
    expect(outcome(text)).toBe(line);
  });

  test('parseBackend() makes vxlan of udp, and says so', () => {
    expect(outcome('{"Type":"udp","Port":8285}')).toEqual({
      backend: { ...DEFAULTS, type: 'vxlan', port: 8285 },
      notes: ['Backend.Type: udp is not offered; vxlan is used instead'],
      unknownKeys: [],
    });
    expect(parseBackend(undefined, { hasIpv6: false })).toMatchObject({
      ok: true,
      value: {
        backend: { type: 'vxlan', port: 8472 },
        notes: ['Backend: none given, which means udp to flannel; vxlan is used instead'],
      },
    });
  });
});
