/** What the own Node is made to say, byte for byte, and what is thrown out of it. @module */
import { describe, expect, test } from 'bun:test';
import type { LeaseRequest } from '../../../../src/model/lease-source.ts';
import type { NetworkConfig } from '../../../../src/model/network.ts';
import {
  addressIn,
  annotationFaults,
  annotationPatch,
  ownAnnotations,
} from '../../../../src/store/kube/annotations.ts';
import { ip, mac, network } from '../samples.ts';
import { PREFIX } from './wire.ts';

const IPV4 = {
  publicIp: ip('192.168.77.1'),
  vtep: { vni: 1, mac: mac('12:c6:65:89:b4:e3') },
  previous: undefined,
};
const IPV6 = {
  publicIp: ip('fd77::1'),
  vtep: { vni: 1, mac: mac('7a:3b:e0:11:5c:02') },
  previous: undefined,
};
const BARE = { vtep: undefined, previous: undefined };

interface Case {
  readonly request?: Partial<LeaseRequest>;
  readonly config?: Partial<NetworkConfig>;
  /** What the Node has already, by names behind the prefix. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly externalIps?: readonly string[];
}

/** The patch that makes the Node say what it should; `undefined` for none. */
function patchOf({ request, config, annotations = {}, externalIps = [] }: Case): unknown {
  const has = new Map(Object.entries(annotations));
  const wanted = ownAnnotations({
    request: { node: 'a', backendType: 'vxlan', ipv4: IPV4, ipv6: IPV6, ...request },
    network: network(config),
    annotations: has,
    externalIps,
  });
  const patch = annotationPatch(wanted, { annotations: has, prefix: PREFIX });
  return patch === undefined ? undefined : JSON.parse(patch).metadata.annotations;
}

const ours = (values: Readonly<Record<string, string | null>>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${PREFIX}${name}`, value]));

const ONLY_IPV4: Case = { request: { ipv6: undefined }, config: { ipv6: undefined } };
const ONLY_IPV6: Case = { request: { ipv4: undefined }, config: { ipv4: undefined } };
const HOST_GW: Case = {
  request: { backendType: 'host-gw', ipv4: { ...IPV4, ...BARE }, ipv6: { ...IPV6, ...BARE } },
  config: { backend: { type: 'host-gw' } },
};

const VXLAN_IPV4 = {
  'kube-subnet-manager': 'true',
  'backend-type': 'vxlan',
  'backend-data': '{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}',
  'public-ip': '192.168.77.1',
};
const VXLAN_IPV6 = {
  'kube-subnet-manager': 'true',
  'backend-type': 'vxlan',
  'backend-v6-data': '{"VNI":1,"VtepMAC":"7a:3b:e0:11:5c:02"}',
  'public-ipv6': 'fd77::1',
};

describe('on a Node that says nothing yet', () => {
  test.each<[string, Case, Readonly<Record<string, string>>]>([
    ['vxlan, IPv4', ONLY_IPV4, VXLAN_IPV4],
    ['vxlan, IPv6', ONLY_IPV6, VXLAN_IPV6],
    ['vxlan, both', {}, { ...VXLAN_IPV4, ...VXLAN_IPV6 }],
    [
      'host-gw, IPv4',
      { request: { ...HOST_GW.request, ipv6: undefined }, config: { ...HOST_GW.config, ipv6: undefined } },
      {
        'kube-subnet-manager': 'true',
        'backend-type': 'host-gw',
        'backend-data': 'null',
        'public-ip': '192.168.77.1',
      },
    ],
    [
      'host-gw, IPv6, of which flannel writes the IPv4 half too',
      { request: { ...HOST_GW.request, ipv4: undefined }, config: { ...HOST_GW.config, ipv4: undefined } },
      {
        'kube-subnet-manager': 'true',
        'backend-type': 'host-gw',
        'backend-data': 'null',
        'public-ip': '0.0.0.0',
        'backend-v6-data': 'null',
        'public-ipv6': 'fd77::1',
      },
    ],
    [
      'host-gw, both',
      HOST_GW,
      {
        'kube-subnet-manager': 'true',
        'backend-type': 'host-gw',
        'backend-data': 'null',
        'public-ip': '192.168.77.1',
        'backend-v6-data': 'null',
        'public-ipv6': 'fd77::1',
      },
    ],
  ])('%s', (_, parts, annotations) => {
    expect(patchOf(parts)).toEqual(ours(annotations));
    // And then there is nothing more to be said.
    expect(patchOf({ ...parts, annotations })).toBeUndefined();
  });
});

describe('on a Node that says something', () => {
  const DUAL = { ...VXLAN_IPV4, ...VXLAN_IPV6 };

  test('only what differs is patched', () => {
    expect(patchOf({ annotations: { ...DUAL, 'public-ip': '192.168.77.9' } })).toEqual(
      ours({ 'public-ip': '192.168.77.1' }),
    );
    const { 'kube-subnet-manager': _, ...rest } = DUAL;
    expect(patchOf({ annotations: rest })).toEqual(ours({ 'kube-subnet-manager': 'true' }));
  });

  test('what is nobody of ours is left alone', () => {
    expect(patchOf({ annotations: { ...DUAL, 'node-public-ip': '10.0.0.1', other: 'x' } })).toBeUndefined();
  });

  test('what is left of a family that is off is removed', () => {
    expect(patchOf({ ...ONLY_IPV4, annotations: DUAL })).toEqual(
      ours({ 'backend-v6-data': null, 'public-ipv6': null }),
    );
    expect(patchOf({ ...ONLY_IPV6, annotations: DUAL })).toEqual(
      ours({ 'backend-data': null, 'public-ip': null }),
    );
  });

  test('another backend leaves nothing of the old one', () => {
    expect(patchOf({ ...HOST_GW, annotations: DUAL })).toEqual(
      ours({ 'backend-type': 'host-gw', 'backend-data': 'null', 'backend-v6-data': 'null' }),
    );
  });

  test('a family that is on, but whose address is late, keeps what is there', () => {
    expect(patchOf({ request: { ipv6: undefined }, annotations: DUAL })).toBeUndefined();
    expect(patchOf({ request: { ipv4: undefined }, annotations: DUAL })).toBeUndefined();
    const late = { request: { ...HOST_GW.request, ipv4: undefined }, config: HOST_GW.config ?? {} };
    const annotations = { 'backend-data': 'null', 'public-ip': '192.168.77.1' };
    expect(patchOf({ ...late, annotations })).toEqual(
      ours({
        'kube-subnet-manager': 'true',
        'backend-type': 'host-gw',
        'backend-v6-data': 'null',
        'public-ipv6': 'fd77::1',
      }),
    );
  });
});

describe('which address peers are told', () => {
  /** The public addresses in the patch. */
  function told(annotations: Readonly<Record<string, string>>, externalIps: readonly string[] = []) {
    const patch = patchOf({ annotations, externalIps });
    expect(patch).toMatchObject(ours({ 'kube-subnet-manager': 'true' }));
    const { [`${PREFIX}public-ip`]: ipv4, [`${PREFIX}public-ipv6`]: ipv6 } = Object(patch);
    return [ipv4, ipv6];
  }

  test.each<[string, Readonly<Record<string, string>>, readonly string[], readonly [string, string]]>([
    ['its own', {}, [], ['192.168.77.1', 'fd77::1']],
    ['an overwrite', { 'public-ip-overwrite': '203.0.113.7' }, [], ['203.0.113.7', 'fd77::1']],
    ['an overwrite of IPv6', { 'public-ipv6-overwrite': '2001:DB8::7' }, [], ['192.168.77.1', '2001:db8::7']],
    ['an empty overwrite', { 'public-ip-overwrite': '' }, [], ['192.168.77.1', 'fd77::1']],
    ['an overwrite that is none', { 'public-ip-overwrite': 'x' }, [], ['192.168.77.1', 'fd77::1']],
    ['one of the other family', { 'public-ip-overwrite': '2001:db8::7' }, [], ['192.168.77.1', 'fd77::1']],
    ['ExternalIP', {}, ['2001:db8::1', '203.0.113.1', '203.0.113.2'], ['203.0.113.1', '2001:db8::1']],
    ['ExternalIP that is none', {}, ['pi.example', ''], ['192.168.77.1', 'fd77::1']],
    [
      'an overwrite before ExternalIP',
      { 'public-ip-overwrite': '203.0.113.7' },
      ['203.0.113.1'],
      ['203.0.113.7', 'fd77::1'],
    ],
  ])('%s', (_, annotations, externalIps, expected) => {
    expect(told(annotations, externalIps)).toEqual([...expected]);
  });

  test('an overwrite of a family that is off says nothing', () => {
    const annotations = { ...VXLAN_IPV4, 'public-ipv6-overwrite': '2001:db8::7' };
    expect(patchOf({ ...ONLY_IPV4, annotations })).toBeUndefined();
  });
});

describe('annotations of a person', () => {
  const has = new Map([
    ['public-ip-overwrite', '203.0.113.7'],
    ['public-ipv6-overwrite', '203.0.113.7'],
    ['node-public-ip', ''],
    ['node-public-ipv6', 'fe80::1%eth0\n'],
  ]);

  test('are addresses of their family, or are passed over', () => {
    expect(addressIn(has, 'public-ip-overwrite', 4)).toBe(ip('203.0.113.7'));
    expect(addressIn(has, 'public-ipv6-overwrite', 6)).toBeUndefined();
    expect(addressIn(has, 'nothing', 6)).toBeUndefined();
  });

  test('that are none are told in words fit for a log', () => {
    expect(annotationFaults(has, PREFIX)).toEqual([
      `Annotation ${PREFIX}public-ipv6-overwrite '203.0.113.7' is no IPv6 address, so it is passed over`,
      `Annotation ${PREFIX}node-public-ipv6 'fe80::1%eth0\\u000a' is no IPv6 address, so it is passed over`,
    ]);
    expect(annotationFaults(new Map(), PREFIX)).toEqual([]);
  });
});
