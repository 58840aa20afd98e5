/** The keys of leases in etcd, and which lease is whose. @module */
import { describe, expect, test } from 'bun:test';
import { chooseSubnets, completeRequest, Survey } from '../../../../src/store/etcd/choice.ts';
import { leaseDirectory, leaseName, rawLease, readName, subnetsOf } from '../../../../src/store/etcd/keys.ts';
import type { KeyValue } from '../../../../src/store/etcd/messages.ts';
import { ip, network, prefix, request, vtep } from '../samples.ts';

const IPV4 = network({ ipv6: undefined });

function keyValue(value: string, createRevision = 1): KeyValue {
  return { key: '', value, createRevision, modRevision: createRevision, lease: '1' };
}

describe('keys', () => {
  test("names are flannel's", () => {
    const [ipv4, ipv6] = [prefix('10.5.34.0/24'), prefix('fc00::/64')];
    expect(leaseName({ ipv4, ipv6: undefined })).toBe('10.5.34.0-24');
    expect(leaseName({ ipv4, ipv6 })).toBe('10.5.34.0-24&fc00::-64');
    expect(leaseName({ ipv4: undefined, ipv6 })).toBe('fc00::-64');
  });

  test('a directory ends in a slash; IPv6 alone has its own', () => {
    expect(leaseDirectory('/coreos.com/network', network())).toBe('/coreos.com/network/subnets/');
    expect(leaseDirectory('/x', network({ ipv4: undefined }))).toBe('/x/ipv6-subnets/');
  });

  test.each([
    ['10.5.34.0-24', '10.5.34.0/24', undefined],
    ['10.5.34.0-24&fc00::-64', '10.5.34.0/24', 'fc00::/64'],
    ['fc00::-64', undefined, 'fc00::/64'],
  ])('%s', (name, subnet, subnetV6) => {
    expect(readName(name)).toEqual({ subnet, subnetV6 });
  });

  test.each([
    '',
    '10.5.34.0',
    '10.5.34.0-24&',
    '&fc00::-64',
    '10.5.34.0-24fc00::-64',
    'x10.5.34.0-24',
    'a/b',
  ])('%j is none', (name) => {
    expect(readName(name)).toBeUndefined();
    expect(subnetsOf(name)).toEqual({ ipv4: undefined, ipv6: undefined });
  });

  test('a lease is named by its key, and as old as that', () => {
    expect(rawLease('10.5.34.0-24', keyValue('{"PublicIP":"10.0.0.1"}', 7))).toMatchObject({
      node: '10.5.34.0-24',
      order: 7,
      subnet: '10.5.34.0/24',
      attributes: { ok: true, value: { ipv4: { publicIp: ip('10.0.0.1') } } },
    });
    expect(rawLease('x', keyValue('{}')).attributes).toEqual({ ok: false, error: 'Its key names no subnet' });
    expect(rawLease('9'.repeat(300), keyValue('{}')).node.length).toBe(256);
  });
});

describe('whose lease it is', () => {
  const lease = (address: number, mac: number) =>
    `{"PublicIP":"192.168.0.${address}","PublicIPv6":null,"BackendType":"vxlan","BackendData":${JSON.stringify({ VNI: 1, VtepMAC: vtep(mac).mac })}}`;
  const surveyOf = (...leases: readonly [string, string][]) => {
    const survey = new Survey(request('a', 1, { ipv6: undefined }), IPV4);
    leases.forEach(([name, value], i) => {
      survey.see(name, keyValue(value, i + 1));
    });
    return survey;
  };
  const ownOf = (survey: Survey) => survey.own.map(({ name }) => name);

  test('the address comes before the MAC, the older before the younger', () => {
    const byMac: [string, string] = ['10.3.9.0-24', lease(9, 1)];
    expect(ownOf(surveyOf(byMac))).toEqual(['10.3.9.0-24']);
    const all = surveyOf(byMac, ['10.3.8.0-24', lease(1, 8)], ['10.3.7.0-24', lease(1, 7)]);
    expect(ownOf(all)).toEqual(['10.3.8.0-24', '10.3.7.0-24']);
  });

  test('an address that only begins like ours is not ours', () => {
    const survey = surveyOf(['10.3.9.0-24', lease(10, 9)], ['x', lease(11, 9)], ['10.3.8.0-24', 'junk']);
    expect([ownOf(survey), survey.taken]).toEqual([[], [prefix('10.3.9.0/24'), prefix('10.3.8.0/24')]]);
  });

  test('what fits the network', () => {
    const survey = surveyOf();
    const fits = (name: string) => survey.isCompatible({ subnets: subnetsOf(name) });
    expect(['10.3.9.0-24', '10.3.0.0-24', '10.3.9.0-25', '10.4.9.0-24', 'x'].filter(fits)).toEqual([
      '10.3.9.0-24',
    ]);
    expect(fits('10.3.9.0-24&fc00::-64')).toBe(false);
  });

  test('a family whose address is away keeps what the lease says of it', () => {
    const value = {
      subnets: { ipv4: prefix('10.3.9.0/24'), ipv6: prefix('fc00:0:0:1::/64') },
      attributes: {
        backendType: 'vxlan',
        ipv4: { publicIp: ip('192.168.0.9'), vtep: vtep(9), fault: undefined },
        ipv6: { publicIp: ip('2001:db8::9'), vtep: vtep(8), fault: undefined },
      },
    };
    const asked = request('a', 1, { ipv6: undefined });
    expect(completeRequest(asked, network(), value)).toMatchObject({
      ok: true,
      value: { ipv4: asked.ipv4, ipv6: { publicIp: ip('2001:db8::9'), vtep: vtep(8) } },
    });
    expect(completeRequest(asked, network(), undefined)).toMatchObject({
      ok: false,
      error: { code: 'interface-no-address' },
    });
    expect(completeRequest(asked, IPV4, value)).toMatchObject({ ok: true, value: { ipv6: undefined } });
  });

  test('the newest of the former subnets that fits is preferred', () => {
    const former = ['10.9.1.0-24', '10.3.5.0-24', '10.3.6.0-24'].map(subnetsOf);
    const options = { request: request('a', 1), network: IPV4, former, random: () => 0 };
    expect(chooseSubnets({ ...options, taken: [] })).toMatchObject({
      value: { ipv4: prefix('10.3.5.0/24') },
    });
    const taken = [prefix('10.3.5.0/24'), prefix('10.0.0.0/8')];
    expect(chooseSubnets({ ...options, taken })).toMatchObject({ value: { ipv4: prefix('10.3.1.0/24') } });
  });
});
