/** Other nodes' leases out of their Nodes, whoever has written them. @module */
import { describe, expect, test } from 'bun:test';
import { judgeLease } from '../../../../src/store/accept.ts';
import { leaseOf } from '../../../../src/store/kube/annotations.ts';
import { readEvent } from '../../../../src/store/kube/message.ts';
import { network, prefix, range, sure } from '../samples.ts';
import { filterOf, nodeOf, sample } from './wire.ts';

const SOUND = {
  'kube-subnet-manager': 'true',
  'backend-type': 'vxlan',
  'backend-data': '{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}',
  'backend-v6-data': '{"VNI":1,"VtepMAC":"7a:3b:e0:11:5c:02"}',
  'public-ip': '192.168.77.1',
  'public-ipv6': 'fd77::1',
};

/** What is left of a Node once it was judged. */
function judged(different: Readonly<Record<string, string>>, parts: Parameters<typeof nodeOf>[1] = {}) {
  const raw = sure(leaseOf(nodeOf({ ...SOUND, ...different }, parts)), 'lease');
  const { lease, fault } = judgeLease(raw, network());
  return { families: [lease?.ipv4 && 4, lease?.ipv6 && 6].filter((each) => each !== undefined), fault };
}

function without(...names: readonly (keyof typeof SOUND)[]) {
  return nodeOf(Object.fromEntries(Object.entries(SOUND).filter(([name]) => !names.some((n) => n === name))));
}

describe('leaseOf', () => {
  test("a real server's Node", () => {
    const { bytes } = sample('thin-node');
    const event = readEvent(bytes, { at: 4, end: bytes.length }, filterOf());
    const config = network({
      ipv4: range('10.42.0.0/16', 24, ['10.42.1.0', '10.42.255.0']),
      ipv6: range('fd42::/48', 64, ['fd42:0:0:1::', 'fd42:0:0:ffff::']),
    });
    const raw = sure(event?.kind === 'put' ? leaseOf(event.node) : undefined, 'thin-node');
    expect(judgeLease(raw, config)).toMatchObject({
      fault: undefined,
      lease: {
        node: 'thin',
        backendType: 'vxlan',
        ipv4: { subnet: prefix('10.42.1.0/24'), vtep: { vni: 1 } },
        ipv6: { subnet: prefix('fd42:0:0:1::/64') },
      },
    });
  });

  test.each(['', 'True', 'false', 'true ', undefined])('a Node with %j is none of flannel', (manager) => {
    const { 'kube-subnet-manager': _, ...rest } = SOUND;
    const annotations = manager === undefined ? rest : { ...rest, 'kube-subnet-manager': manager };
    expect(leaseOf(nodeOf(annotations))).toBeUndefined();
  });

  test('the older Node comes first, and one without an age last', () => {
    const orders = [5, 77, 0].map((createdS) => leaseOf(nodeOf(SOUND, { createdS }))?.order);
    expect(orders).toEqual([5, 77, Number.MAX_SAFE_INTEGER]);
  });

  test('of a family that the Node says nothing of, its podCIDR is passed over', () => {
    const { node, subnet, subnetV6 } = sure(leaseOf(without('public-ipv6', 'backend-v6-data')), 'lease');
    expect([node, subnet, subnetV6]).toEqual(['a', '10.3.1.0/24', undefined]);
    expect(leaseOf(without('public-ip', 'backend-data'))).toMatchObject({ subnet: undefined });
  });

  test("flannel's nothing is nothing", () => {
    const annotations = { 'backend-type': 'host-gw', 'backend-data': 'null', 'backend-v6-data': 'null' };
    const raw = sure(leaseOf(nodeOf({ ...SOUND, ...annotations })), 'lease');
    const { lease, fault } = judgeLease(raw, network({ backend: { type: 'host-gw' } }));
    expect([lease?.ipv4?.vtep, lease?.ipv6?.subnet, fault]).toEqual([
      undefined,
      prefix('fc00:0:0:1::/64'),
      undefined,
    ]);
  });

  test('the type is matched as flannel does, in any case', () => {
    expect(judged({ 'backend-type': 'VXLAN' }).families).toEqual([4, 6]);
  });

  test('backend data in another form of JSON is read as well', () => {
    const data = '{ "VtepMAC": "12:C6:65:89:B4:E3", "VNI": 1, "More": [] }';
    expect(judged({ 'backend-data': data })).toEqual({ families: [4, 6], fault: undefined });
  });
});

describe('a hostile Node loses only what is wrong with it', () => {
  test.each<[string, Readonly<Record<string, string>>]>([
    ['no address', { 'public-ip': 'x' }],
    ['an address of the other family', { 'public-ip': 'fd77::1' }],
    ['an address of nobody', { 'public-ip': '0.0.0.0' }],
    ['an address of many', { 'public-ip': '224.0.0.1' }],
    ['the address of every node itself', { 'public-ip': '127.0.0.1' }],
    ['an address in its own subnet', { 'public-ip': '10.3.1.9' }],
    ['a long address', { 'public-ip': '1'.repeat(100_000) }],
    ['data that are no JSON', { 'backend-data': '{"VNI":1,' }],
    ['data that are nothing', { 'backend-data': '' }],
    ['data of Go that are nothing', { 'backend-data': 'null' }],
    ['data that are a list', { 'backend-data': '[]' }],
    ['data that are long', { 'backend-data': `{"VNI":1,"VtepMAC":"${'1'.repeat(100_000)}"}` }],
    ['data that are deep', { 'backend-data': '['.repeat(4_000) }],
    ['another VNI', { 'backend-data': '{"VNI":2,"VtepMAC":"12:c6:65:89:b4:e3"}' }],
    ['a VNI that is none', { 'backend-data': '{"VNI":1e99,"VtepMAC":"12:c6:65:89:b4:e3"}' }],
    ['a MAC of many', { 'backend-data': '{"VNI":1,"VtepMAC":"01:00:5e:00:00:01"}' }],
    ['a MAC of nobody', { 'backend-data': '{"VNI":1,"VtepMAC":"00:00:00:00:00:00"}' }],
    ['escapes for a terminal', { 'backend-data': '\u001b[2J\u202e' }],
  ])('%s', (_, different) => {
    const { families, fault } = judged(different);
    expect(families).toEqual([6]);
    expect(fault).toStartWith('IPv4: ');
    expect(fault).toMatch(/^[\x20-\x7e]{1,300}$/);
  });

  test.each([
    ['outside', '10.4.1.0/24'],
    ['the whole network', '10.3.0.0/16'],
    ['everything', '0.0.0.0/0'],
    ['nothing', 'x'],
    ['long', '1'.repeat(100_000)],
    ['escapes', '\u001b[2J'],
  ])('a podCIDR that is %s', (_, podCidr) => {
    const { families, fault } = judged({}, { podCidrs: [podCidr, 'fc00:0:0:1::/64'] });
    expect(families).toEqual([6]);
    expect(fault).toMatch(/^IPv4: [\x20-\x7e]{1,300}$/);
  });

  test.each(['x'.repeat(100_000), 'a b', 'a\tb', '\u001b[2J'])('a name that is none (%#)', (name) => {
    const { families, fault } = judged({}, { name });
    expect(families).toEqual([]);
    expect(fault).toMatch(/^Node name [\x20-\x7e]{1,300}$/);
  });

  test.each(['', 'host-gw', 'x'.repeat(100_000), '\u202e'])('another backend (%#)', (type) => {
    const { families, fault } = judged({ 'backend-type': type });
    expect(families).toEqual([]);
    expect(fault).toMatch(/^Backend type [\x20-\x7e]{1,300}$/);
  });
});
