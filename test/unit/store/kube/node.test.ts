/** Which parts of a Node are read, and how many. @module */
import { describe, expect, test } from 'bun:test';
import { type KubeNode, readNode } from '../../../../src/store/kube/node.ts';
import { ProtoReader } from '../../../../src/store/kube/protobuf.ts';
import { field, filterOf, message, type NodeParts, nodeBytes } from './wire.ts';

function read(bytes: Buffer, prefix?: string): KubeNode | undefined {
  return readNode(new ProtoReader(bytes, 0, bytes.length), filterOf('me', prefix));
}

function readParts(parts: NodeParts, prefix?: string): KubeNode | undefined {
  return read(nodeBytes(parts), prefix);
}

describe('readNode', () => {
  test('who it is and how old', () => {
    expect(readParts({ name: 'b', uid: 'x', version: '77', createdS: 1_700_000_000 })).toMatchObject({
      name: 'b',
      uid: 'x',
      resourceVersion: '77',
      createdS: 1_700_000_000,
    });
  });

  test('only annotations of the prefix, by what is behind it', () => {
    const annotations = {
      'flannel.alpha.coreos.com/backend-type': 'vxlan',
      'flannel.alpha.coreos.com/': 'nothing behind',
      'flannel.alpha.coreos.co': 'shorter',
      'flannel.beta/backend-type': 'udp',
      other: 'x',
    };
    expect(readParts({ annotations })?.annotations).toEqual(
      new Map([
        ['backend-type', 'vxlan'],
        ['', 'nothing behind'],
      ]),
    );
    expect(readParts({ annotations }, 'flannel.beta/')?.annotations).toEqual(
      new Map([['backend-type', 'udp']]),
    );
  });

  test('no more annotations than a joke has', () => {
    const many = Array.from({ length: 500 }, (_, n) => [`flannel.alpha.coreos.com/${n}`, 'x']);
    expect(readParts({ annotations: Object.fromEntries(many) })?.annotations.size).toBe(64);
  });

  test('the list of podCIDRs, else the single one', () => {
    expect(readParts({ podCidr: '10.3.9.0/24', podCidrs: ['10.3.1.0/24', 'fc00::/64'] })?.podCidrs).toEqual([
      '10.3.1.0/24',
      'fc00::/64',
    ]);
    expect(readParts({ podCidr: '10.3.9.0/24' })?.podCidrs).toEqual(['10.3.9.0/24']);
    expect(readParts({})?.podCidrs).toEqual([]);
    expect(readParts({ podCidrs: Array(99).fill('10.3.1.0/24') })?.podCidrs.length).toBe(16);
  });

  test('the status of the own node only', () => {
    const parts: NodeParts = {
      addresses: [
        ['InternalIP', '10.0.0.1'],
        ['ExternalIP', '203.0.113.1'],
        ['ExternalIP', '2001:db8::1'],
      ],
      conditions: [
        ['Ready', 'True', 'KubeletReady'],
        ['NetworkUnavailable', 'True', 'NoRoute'],
      ],
    };
    expect(readParts({ ...parts, name: 'other' })?.status).toBeUndefined();
    expect(readParts({ ...parts, name: 'me' })?.status).toEqual({
      externalIps: ['203.0.113.1', '2001:db8::1'],
      networkUnavailable: { status: 'True', reason: 'NoRoute' },
    });
    expect(readParts({ name: 'me' })?.status).toEqual({ externalIps: [], networkUnavailable: undefined });
    const addresses = Array(99).fill(['ExternalIP', '203.0.113.1']);
    expect(readParts({ name: 'me', addresses })?.status?.externalIps.length).toBe(16);
  });

  test('what is broken inside is none', () => {
    const metadata = field(1, message(field(1, 'b')));
    expect(read(metadata)).toMatchObject({ name: 'b', createdS: 0, podCidrs: [] });
    expect(read(message(metadata, field(2, Buffer.from([0x0a, 9]))))).toBeUndefined();
    expect(read(field(1, message(field(1, 'b'), Buffer.from([0x0a, 9]))))).toBeUndefined();
    expect(read(message(metadata, Buffer.from([0x80])))).toBeUndefined();
    expect(read(Buffer.alloc(0))).toBeUndefined();
  });
});
