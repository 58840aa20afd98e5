/** subnet.env and the delegate's configuration, as flannel's plugin has them; what is carried out here. @module */
import { expect, test } from 'bun:test';
import { readBridgeConfig, whyForeign } from '../../../src/cni/bridge-config.ts';
import { CniAbort } from '../../../src/cni/failure.ts';
import { delegateConfig } from '../../../src/cni/flannel/delegate.ts';
import { readSubnetFile } from '../../../src/cni/flannel/subnet-file.ts';
import { planPod } from '../../../src/plan/pod.ts';

const TEXT = `FLANNEL_NETWORK=10.1.0.0/16
FLANNEL_SUBNET=10.1.17.1/24
FLANNEL_MTU=1472
FLANNEL_IPMASQ=true
SOMETHING=else
`;

function delegate(config: Record<string, unknown>, text = TEXT) {
  const file = readSubnetFile(text);
  if (!file.ok) throw new Error(file.error);
  return delegateConfig({
    config: { object: config, path: '' },
    name: 'cni-flannel',
    version: '1.0.0',
    file: file.value,
  });
}

function bridge(config: Record<string, unknown>) {
  return readBridgeConfig({ object: { ...delegate({}), ...config }, path: '' });
}

test('readSubnetFile() masks the subnet and takes lists of networks', () => {
  const text = TEXT.replace('10.1.0.0/16', '10.1.0.0/16,10.2.0.0/16,10.1.0.0/16');
  expect(readSubnetFile(text)).toEqual({
    ok: true,
    value: {
      networks: ['10.1.0.0/16', '10.2.0.0/16'],
      subnets: ['10.1.17.0/24'],
      mtuBytes: 1472,
      ipMasq: true,
    },
  } as never);
});

test.each([
  [
    '',
    'missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_MTU, FLANNEL_IPMASQ',
  ],
  [TEXT.replace('FLANNEL_MTU=1472', ''), 'missing FLANNEL_MTU'],
  [TEXT.replace('1472', 'x'), 'FLANNEL_MTU is no number'],
  [TEXT.replace('10.1.17.1/24', 'fd00::1/64'), "FLANNEL_SUBNET is 'fd00::1/64', which is no network"],
])('readSubnetFile() of %p says what is wrong', (text, error) => {
  expect(readSubnetFile(text)).toEqual({ ok: false, error });
});

test.each(['', null])('ipam.dataDir %p says nothing: addresses are not written into the root', (dataDir) => {
  expect(delegate({ ipam: { dataDir } })).toMatchObject({ ipam: { dataDir: '/run/cni/networks' } });
  const ipam = { type: 'host-local', dataDir, ranges: [[{ subnet: '10.1.17.0/24' }]] };
  expect(bridge({ ipam }).books).toBe('/var/lib/cni/networks');
});

test('delegateConfig() is that of flannel, with a place for the addresses', () => {
  expect(delegate({})).toEqual({
    cniVersion: '1.0.0',
    ipMasq: false,
    ipam: {
      dataDir: '/run/cni/networks',
      ranges: [[{ subnet: '10.1.17.0/24' }]],
      routes: [{ dst: '10.1.0.0/16' }],
      type: 'host-local',
    },
    isGateway: true,
    mtu: 1472,
    name: 'cni-flannel',
    type: 'bridge',
  });
  const given = { delegate: { type: 'ptp', mtu: 9000 }, ipam: { type: 'x', routes: [{ dst: '0.0.0.0/0' }] } };
  expect(delegate(given, TEXT.replace('true', 'no'))).toEqual({
    cniVersion: '1.0.0',
    ipMasq: true,
    ipam: {
      ranges: [[{ subnet: '10.1.17.0/24' }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '10.1.0.0/16' }],
      type: 'x',
    },
    mtu: 9000,
    name: 'cni-flannel',
    type: 'ptp',
  });
});

test.each([
  [{}, undefined],
  [{ hairpinMode: true, runtimeConfig: { portMappings: [] } }, undefined],
  [{ type: 'macvlan' }, "delegate.type is 'macvlan'"],
  [{ ipMasq: true }, 'ipMasq is true'],
  [{ ipMasq: true, masqueradedBy: 'flannelette' }, undefined],
  [{ vlan: 5 }, "'vlan' is set"],
  [{ ipam: { type: 'dhcp' } }, "ipam.type is 'dhcp'"],
  [{ ipam: { type: 'host-local', resolvConf: '/x' } }, "'resolvConf' is set"],
  [{ runtimeConfig: { mac: '02:00:00:00:00:01' } }, "'mac' is set"],
])('whyForeign() of %p is %p', (config, why) => {
  expect(whyForeign({ object: { ...delegate({}), ...config }, path: '' }, {})).toBe(why);
});

test('whyForeign() leaves an address that is asked for to the reference', () => {
  const place = { object: delegate({}), path: '' };
  expect(whyForeign(place, { CNI_ARGS: 'IgnoreUnknown=1;IP=10.1.17.9' })).toBe('CNI_ARGS ask for an address');
  expect(whyForeign(place, { CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=x' })).toBeUndefined();
});

test.each([
  { hairpinMode: true, promiscMode: true },
  { bridge: 'a/b' },
  { mtu: '1500' },
  { ipam: { ranges: [] } },
  { ipam: { ranges: [[{ subnet: 'x' }]] } },
  { ipam: { ranges: [[{ subnet: '10.0.0.0/24', gateway: 'x' }]] } },
  { ipam: { ranges: [[{ subnet: '10.0.0.0/24' }]], routes: [{ dst: 'x' }] } },
])('readBridgeConfig() refuses %p', (config) => {
  expect(() => bridge(config)).toThrow(CniAbort);
});

test('planPod() routes by the gateway of the family, and derives MACs from addresses', () => {
  const [{ subnet } = { subnet: undefined }] = bridge({}).sets.flat();
  expect(subnet).toBe('10.1.17.0/24' as never);
  const [range] = bridge({}).sets.flat();
  if (range === undefined) throw new Error('There is a range');
  const addresses = [{ ip: range.end, length: 24, gateway: range.gateway }];
  const { routes } = bridge({});
  const plan = planPod({ addresses, routes, isGateway: true, isDefaultGateway: true });
  expect(plan as unknown).toEqual({
    mac: '0a:58:0a:01:11:fe',
    bridgeMac: '0a:58:0a:01:11:01',
    addresses,
    routes: [
      { dst: '10.1.0.0/16', gw: undefined, via: '10.1.17.1' },
      { dst: '0.0.0.0/0', gw: '10.1.17.1', via: '10.1.17.1' },
    ],
    gateways: [{ ip: '10.1.17.1', length: 24 }],
  });
});
