import { describe, expect, test } from 'bun:test';
import type { Result } from '../../../src/model/result.ts';
import {
  formatAttributes,
  formatVtep,
  parseAttributes,
  parsePublicIp,
  parseVtep,
} from '../../../src/store/attributes.ts';
import { parseCanonical } from '../../../src/store/canonical-attributes.ts';
import type { LeaseAttributes } from '../../../src/store/lease-attributes.ts';
import { pick, type Random, seededRandom } from '../../fuzz/random.ts';
import { ip, mac, request, sure } from './samples.ts';

/** What a real flanneld writes into etcd. */
const FLANNEL =
  '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}';

const EXAMPLE = {
  backendType: 'vxlan',
  ipv4: { publicIp: ip('192.168.64.3'), vtep: { vni: 1, mac: mac('c6:d2:32:6f:8f:44') } },
  ipv6: undefined,
};

function parsed(text: string): LeaseAttributes {
  const result = parseAttributes(text);
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

describe('formatAttributes()', () => {
  test("writes flannel's own example byte for byte", () => {
    expect(formatAttributes(EXAMPLE)).toBe(FLANNEL);
  });

  test('writes both families', () => {
    expect(formatAttributes(request('a', 1))).toBe(
      '{"PublicIP":"192.168.0.1","PublicIPv6":"2001:db8::1","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0a:58:00:00:00:01"},"BackendV6Data":{"VNI":1,"VtepMAC":"0a:58:00:00:80:01"}}',
    );
  });

  test('writes IPv6 alone with the unspecified IPv4 address', () => {
    expect(formatAttributes(request('a', 1, { ipv4: undefined }))).toBe(
      '{"PublicIP":"0.0.0.0","PublicIPv6":"2001:db8::1","BackendType":"vxlan","BackendV6Data":{"VNI":1,"VtepMAC":"0a:58:00:00:80:01"}}',
    );
  });

  test('leaves out what is empty', () => {
    const bare = { publicIp: ip('192.168.64.3'), vtep: undefined };
    expect(formatAttributes({ backendType: 'host-gw', ipv4: bare, ipv6: undefined })).toBe(
      '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"host-gw"}',
    );
    expect(formatAttributes({ backendType: '', ipv4: bare, ipv6: undefined })).toBe(
      '{"PublicIP":"192.168.64.3","PublicIPv6":null}',
    );
  });
});

test('formatVtep() writes what flanneld finds its MAC in', () => {
  const text = formatVtep({ vni: 1, mac: mac('12:c6:65:89:b4:e3') });
  expect(text).toBe('{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}');
  // flannel strips quotes and braces at the end, splits at `:"` and wants two parts.
  expect(text.replace(/["}]+$/, '').split(':"')).toEqual(['{"VNI":1,"VtepMAC"', '12:c6:65:89:b4:e3']);
});

describe('parseAttributes()', () => {
  test('reads what formatAttributes() writes', () => {
    const { ipv4, ipv6 } = parsed(formatAttributes(request('a', 300)));
    expect(ipv4).toMatchObject({
      publicIp: ip('192.168.1.44'),
      vtep: { vni: 1, mac: mac('0a:58:00:00:01:2c') },
    });
    expect(ipv6).toMatchObject({
      publicIp: ip('2001:db8::12c'),
      vtep: { vni: 1, mac: mac('0a:58:00:00:81:2c') },
    });
  });

  test('reads other spellings: order, space, case of type and MAC, unknown keys', () => {
    const text =
      ' {"Extra":[1,{}],"BackendData":{"VtepMAC":"C6-D2-32-6F-8F-44","VNI":1,"More":null},\n"BackendType":"VXLAN","PublicIP":"192.168.64.3"}';
    const { publicIp, vtep } = EXAMPLE.ipv4;
    expect(parsed(text)).toEqual({
      backendType: 'vxlan',
      ipv4: { publicIp, vtep, fault: undefined },
      ipv6: { publicIp: undefined, vtep: undefined, fault: undefined },
    });
  });

  test('does not look into the data of other backends', () => {
    const text =
      '{"PublicIP":"192.168.64.3","BackendType":"wireguard","BackendData":{"PublicKey":"AA=","Port":51820}}';
    expect(parsed(text).ipv4).toEqual({ publicIp: ip('192.168.64.3'), vtep: undefined, fault: undefined });
  });

  test.each([
    ['', 'Attributes are not JSON'],
    ['{"PublicIP":"1.2.3.4",}', 'Attributes are not JSON'],
    ['null', 'Attributes have the wrong form: expected Object'],
    ['"text"', 'Attributes have the wrong form: expected Object'],
    ['{"BackendType":7}', "Attributes have an invalid 'BackendType': expected string but received '7'"],
    [`{"BackendType":"${'x'.repeat(65)}"}`, "Attributes have an invalid 'BackendType'"],
    [`{"PublicIP":"${'1'.repeat(5000)}"}`, 'Attributes are longer than 4096 characters'],
    ['[['.repeat(2000), 'Attributes are not JSON'],
  ])('refuses (%#)', (text, reason) => {
    const result = parseAttributes(text);
    expect(result.ok ? 'accepted' : result.error).toStartWith(reason);
  });

  test.each([
    ['"PublicIP":"nonsense"', 'public address \'"nonsense"\' is not an IPv4 address'],
    ['"PublicIP":"fd00::1"', 'public address \'"fd00::1"\' is not an IPv4 address'],
    ['"PublicIP":"010.0.0.1"', 'public address \'"010.0.0.1"\' is not an IPv4 address'],
    ['"PublicIP":7', "public address '7' is not an IPv4 address"],
    ['"PublicIP":{"a":[]}', `public address '{"a":[]}' is not an IPv4 address`],
    [
      '"PublicIP":"1.2.3.4","BackendData":7',
      "backend data has the wrong form: expected Object but received '7'",
    ],
    [
      '"PublicIP":"1.2.3.4","BackendData":{"VtepMAC":"0a:58:00:00:00:01"}',
      "backend data has an invalid 'VNI'",
    ],
    ['"PublicIP":"1.2.3.4","BackendData":{"VNI":"1","VtepMAC":""}', "backend data has an invalid 'VNI'"],
    ['"PublicIP":"1.2.3.4","BackendData":{"VNI":1.5,"VtepMAC":""}', "backend data has an invalid 'VNI'"],
    ['"PublicIP":"1.2.3.4","BackendData":{"VNI":16777216,"VtepMAC":""}', "backend data has an invalid 'VNI'"],
    [
      '"PublicIP":"1.2.3.4","BackendData":{"VNI":1,"VtepMAC":"12:34"}',
      "VtepMAC '12:34' is not a MAC address",
    ],
  ])('keeps IPv6 if IPv4 is bad: %s', (json, fault) => {
    const { ipv4, ipv6 } = parsed(
      `{${json},"PublicIPv6":"fd00::9","BackendType":"vxlan","BackendV6Data":{"VNI":1,"VtepMAC":"0a:58:00:00:00:02"}}`,
    );
    expect(ipv4.fault).toStartWith(fault);
    expect(ipv6).toEqual({
      publicIp: ip('fd00::9'),
      vtep: { vni: 1, mac: mac('0a:58:00:00:00:02') },
      fault: undefined,
    });
  });

  test('shows hostile text without its escapes', () => {
    const { ipv4 } = parsed('{"PublicIP":"\\u001b[31m\\u202e","BackendType":"vxlan"}');
    expect(ipv4.fault).toBe(`public address '"\\u001b[31m\\u202e"' is not an IPv4 address`);
  });
});

test('parsePublicIp() takes none for none, and IPv4-mapped IPv6 for what it is', () => {
  const none: Result<undefined, string> = { ok: true, value: undefined };
  for (const value of [undefined, null, '0.0.0.0']) expect(parsePublicIp(4, value)).toEqual(none);
  expect(parsePublicIp(6, '::ffff:192.0.2.1').ok).toBe(false);
});

test('parseVtep() takes null for none', () => {
  expect(parseVtep(null)).toEqual({ ok: true, value: undefined });
});

/** The long way, without the short one. */
function longWay(text: string): Result<LeaseAttributes, string> {
  return parseAttributes(` ${text}`);
}

function spoiled(random: Random, text: string): string {
  const at = random(text.length);
  const hexDigits = pick(random, [
    '0',
    '9',
    'a',
    'f',
    ':',
    '.',
    '"',
    ',',
    '{',
    '}',
    '-',
    'null',
    '00',
    'ff:',
    '255',
  ]);
  return text.slice(0, at) + (random(3) === 0 ? '' : hexDigits) + text.slice(at + random(3));
}

describe('parseCanonical()', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);

  test('takes what is written as flannel writes it', () => {
    for (const source of [EXAMPLE, request('a', 1), request('a', 2, { ipv4: undefined })]) {
      const text = formatAttributes(source);
      const value = sure(parseCanonical(text), text);
      expect(longWay(text)).toEqual({ ok: true, value });
    }
  });

  test(`says nothing that the long way does not say (seed ${seed})`, () => {
    const random = seededRandom(seed);
    let taken = 0;
    for (let round = 0; round < 20_000; round++) {
      let text = formatAttributes(request('a', random(65_536)));
      for (let i = random(3); i >= 0; i--) text = spoiled(random, text);
      const value = parseCanonical(text);
      if (value === undefined) continue;
      taken++;
      expect(longWay(text)).toEqual({ ok: true, value });
    }
    expect(taken).toBeGreaterThan(1_000);
  });
});
