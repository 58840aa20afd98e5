import { describe, expect, test } from 'bun:test';
import { fail, ok } from '../../../src/model/result.ts';
import { judgeLease } from '../../../src/store/accept.ts';
import type { FamilyAttributes, LeaseAttributes } from '../../../src/store/lease-attributes.ts';
import { ip, mac, network, prefix, RANGE4, rawLease, vtep } from './samples.ts';

const LEASE_1 = {
  node: 'node-1',
  backendType: 'vxlan',
  ipv4: { subnet: prefix('10.3.1.0/24'), publicIp: ip('192.168.0.1'), vtep: vtep(1) },
  ipv6: { subnet: prefix('fc00:0:0:1::/64'), publicIp: ip('2001:db8::1'), vtep: vtep(0x8001) },
};

/** Lease 1 with one half of its attributes changed. */
function withAttributes(ipv4: Partial<FamilyAttributes>, ipv6: Partial<FamilyAttributes> = {}) {
  const attributes: LeaseAttributes = {
    backendType: 'vxlan',
    ipv4: { publicIp: ip('192.168.0.1'), vtep: vtep(1), fault: undefined, ...ipv4 },
    ipv6: { publicIp: ip('2001:db8::1'), vtep: vtep(0x8001), fault: undefined, ...ipv6 },
  };
  return rawLease(1, { attributes: ok(attributes) });
}

describe('judgeLease()', () => {
  test('takes a sound lease as it is', () => {
    expect(judgeLease(rawLease(1), network())).toEqual({ lease: LEASE_1, fault: undefined });
  });

  test('takes either family alone without a word', () => {
    expect(judgeLease(rawLease(1, { subnetV6: undefined }), network())).toEqual({
      lease: { ...LEASE_1, ipv6: undefined },
      fault: undefined,
    });
    expect(judgeLease(rawLease(1, { subnet: undefined }), network())).toEqual({
      lease: { ...LEASE_1, ipv4: undefined },
      fault: undefined,
    });
  });

  test('drops a family that is not enabled here without a word', () => {
    expect(judgeLease(rawLease(1), network({ ipv6: undefined }))).toEqual({
      lease: { ...LEASE_1, ipv6: undefined },
      fault: undefined,
    });
  });

  test('masks host bits off', () => {
    expect(judgeLease(rawLease(1, { subnet: '10.3.1.9/24' }), network()).lease).toEqual(LEASE_1);
  });

  test('takes a subnet of another length within the network', () => {
    const { lease } = judgeLease(rawLease(1, { subnet: '10.3.2.0/23' }), network());
    expect(lease?.ipv4?.subnet).toBe(prefix('10.3.2.0/23'));
  });

  test('ignores backend data where the backend has none', () => {
    const attributes = ok({
      backendType: 'host-gw',
      ipv4: { publicIp: ip('192.168.0.1'), vtep: vtep(1), fault: undefined },
      ipv6: { publicIp: undefined, vtep: undefined, fault: undefined },
    });
    const raw = rawLease(1, { attributes, subnetV6: undefined });
    const { lease, fault } = judgeLease(raw, network({ backend: { type: 'host-gw' } }));
    expect(lease?.ipv4).toEqual({
      subnet: prefix('10.3.1.0/24'),
      publicIp: ip('192.168.0.1'),
      vtep: undefined,
    });
    expect(fault).toBeUndefined();
  });

  test.each([
    ['', "Node name '' is not a name"],
    ['a b', "Node name 'a b' is not a name"],
    ['a\u001b[2J', "Node name 'a\\u001b[2J' is not a name"],
    ['n'.repeat(254), `Node name '${'n'.repeat(64)}...' is not a name`],
  ])('refuses a node with a bad name (%#)', (node, fault) => {
    expect(judgeLease(rawLease(1, { node }), network())).toEqual({ lease: undefined, fault });
  });

  test('refuses attributes that are of no use', () => {
    const raw = rawLease(1, { attributes: fail('Attributes are not JSON') });
    expect(judgeLease(raw, network())).toEqual({ lease: undefined, fault: 'Attributes are not JSON' });
  });

  test('refuses another backend type', () => {
    const attributes = ok({ ...withAttributes({}).attributes, backendType: 'wireguard' });
    const none: FamilyAttributes = { publicIp: undefined, vtep: undefined, fault: undefined };
    const raw = rawLease(1, { attributes: ok({ ...attributes.value, ipv4: none, ipv6: none }) });
    expect(judgeLease(raw, network())).toEqual({
      lease: undefined,
      fault: "Backend type 'wireguard' is not ours ('vxlan')",
    });
  });

  test('refuses a lease with no family in common', () => {
    const fault = 'It has no subnet of a family that is enabled here';
    expect(judgeLease(rawLease(1, { subnet: undefined }), network({ ipv6: undefined }))).toEqual({
      lease: undefined,
      fault,
    });
    expect(judgeLease(rawLease(1, { subnet: undefined, subnetV6: undefined }), network()).fault).toBe(fault);
  });

  test.each([
    ['10.4.1.0/24', "subnet '10.4.1.0/24' is outside of the network '10.3.0.0/16'"],
    ['10.0.0.0/8', "subnet '10.0.0.0/8' is outside of the network '10.3.0.0/16'"],
    ['0.0.0.0/0', "subnet '0.0.0.0/0' is outside of the network '10.3.0.0/16'"],
    ['fc00:0:0:9::/64', "subnet 'fc00:0:0:9::/64' is outside of the network '10.3.0.0/16'"],
    ['10.3.1.0', "subnet '10.3.1.0' is not a network"],
    ['10.3.1.0/33', "subnet '10.3.1.0/33' is not a network"],
    ['', "subnet '' is not a network"],
  ])('refuses subnet %p, and keeps IPv6', (subnet, fault) => {
    expect(judgeLease(rawLease(1, { subnet }), network())).toEqual({
      lease: { ...LEASE_1, ipv4: undefined },
      fault: `IPv4: ${fault}`,
    });
  });

  test.each<[Partial<FamilyAttributes>, string]>([
    [{ publicIp: undefined }, 'no public address'],
    [{ publicIp: ip('127.0.0.1') }, "public address '127.0.0.1' is loopback"],
    [{ publicIp: ip('224.0.0.1') }, "public address '224.0.0.1' is multicast"],
    [{ publicIp: ip('255.255.255.255') }, "public address '255.255.255.255' is broadcast"],
    [{ publicIp: ip('0.0.0.0') }, "public address '0.0.0.0' is unspecified"],
    [{ vtep: undefined }, 'no VXLAN backend data'],
    [{ vtep: { vni: 2, mac: vtep(1).mac } }, 'VNI 2 is not ours (1)'],
    [{ vtep: { vni: 1, mac: mac('00:00:00:00:00:00') } }, "MAC '00:00:00:00:00:00' is zero"],
    [{ vtep: { vni: 1, mac: mac('01:58:00:00:00:01') } }, "MAC '01:58:00:00:00:01' is multicast"],
    [{ vtep: { vni: 1, mac: mac('ff:ff:ff:ff:ff:ff') } }, "MAC 'ff:ff:ff:ff:ff:ff' is multicast"],
    [{ fault: 'backend data has an odd smell' }, 'backend data has an odd smell'],
  ])('refuses %p, and keeps the other family', (half, fault) => {
    expect(judgeLease(withAttributes(half), network())).toEqual({
      lease: { ...LEASE_1, ipv4: undefined },
      fault: `IPv4: ${fault}`,
    });
  });

  test.each<[Partial<FamilyAttributes>, string]>([
    [{ publicIp: ip('::') }, "public address '::' is unspecified"],
    [{ publicIp: ip('::1') }, "public address '::1' is loopback"],
    [{ publicIp: ip('ff02::1') }, "public address 'ff02::1' is multicast"],
  ])('refuses %p for IPv6', (half, fault) => {
    expect(judgeLease(withAttributes({}, half), network())).toEqual({
      lease: { ...LEASE_1, ipv6: undefined },
      fault: `IPv6: ${fault}`,
    });
  });

  test('tells both reasons if both families are bad', () => {
    const raw = withAttributes({ publicIp: ip('127.0.0.1') }, { vtep: { vni: 7, mac: vtep(1).mac } });
    expect(judgeLease(raw, network())).toEqual({
      lease: undefined,
      fault: "IPv4: public address '127.0.0.1' is loopback; IPv6: VNI 7 is not ours (1)",
    });
  });

  test('keeps quiet about what is wrong with a family that is not enabled', () => {
    const raw = withAttributes({}, { fault: 'backend data has an odd smell' });
    const { lease, fault } = judgeLease(raw, network({ ipv4: RANGE4, ipv6: undefined }));
    expect(lease).toEqual({ ...LEASE_1, ipv6: undefined });
    expect(fault).toBeUndefined();
  });
});
