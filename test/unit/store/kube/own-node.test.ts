/** The own Node, as it comes, changes and goes. @module */
import { describe, expect, test } from 'bun:test';
import type { PublicAddresses } from '../../../../src/model/lease-source.ts';
import type { KubeNode } from '../../../../src/store/kube/node.ts';
import { OwnNode } from '../../../../src/store/kube/own-node.ts';
import { ip, network } from '../samples.ts';
import { PREFIX } from './wire.ts';

const NONE: PublicAddresses = { ipv4: undefined, ipv6: undefined };

function nodeWith(
  annotations: Readonly<Record<string, string>>,
  different: Partial<KubeNode> = {},
): KubeNode {
  return {
    name: 'a',
    uid: 'first',
    resourceVersion: '10',
    createdS: 1,
    annotations: new Map(Object.entries(annotations)),
    podCidrs: ['10.3.1.0/24', 'fc00:0:0:1::/64'],
    status: undefined,
    ...different,
  };
}

function rig() {
  const addresses: PublicAddresses[] = [];
  const nodes: (KubeNode | undefined)[] = [];
  const own = new OwnNode({
    node: 'a',
    network: network(),
    prefix: PREFIX,
    externalIp: false,
    setNetworkUnavailable: false,
    publisher: { setNode: (node) => nodes.push(node), setWanted: () => {} },
    log: () => {},
    onLost: () => {},
    onPublicAddresses: (each) => addresses.push(each),
    onProblem: () => {},
  });
  return { own, addresses, nodes };
}

describe('the public addresses of a Node', () => {
  test('are told with the first Node, even if it has none: an earlier one may have had some', () => {
    const { own, addresses } = rig();
    own.put(nodeWith({}));
    own.put(nodeWith({}, { resourceVersion: '11' }));
    expect(addresses).toEqual([NONE]);
  });

  test('stay while there is no Node, and follow the next one', () => {
    const { own, addresses } = rig();
    own.put(nodeWith({ 'node-public-ip': '203.0.113.1' }));
    own.gone();
    expect(addresses).toEqual([{ ipv4: ip('203.0.113.1'), ipv6: undefined }]);
    own.put(nodeWith({}, { uid: 'second' }));
    expect(addresses.slice(1)).toEqual([NONE]);
  });
});

describe('what is older than what is known', () => {
  const old = nodeWith({ 'backend-type': 'old' }, { resourceVersion: '9' });

  test('is passed over: the answer to a patch may come before what the watch tells', () => {
    const { own, nodes } = rig();
    own.put(nodeWith({}));
    own.put(old);
    expect(nodes.length).toBe(1);
  });

  test('is believed once everything is told anew: an etcd may have been restored', () => {
    const { own, nodes } = rig();
    own.put(nodeWith({}));
    own.restarted();
    own.put(old);
    own.put(nodeWith({}, { resourceVersion: '8' }));
    expect(nodes.slice(1)).toEqual([old]);
  });
});
