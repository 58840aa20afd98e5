/**
 * Pages and watches of the Kubernetes API: however they are spoiled, they are read or refused, a watch in pieces says
 * what it says at once, and the leases in them are judged like any others.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import { judgeLease } from '../../../src/store/accept.ts';
import { annotationFaults, leaseOf } from '../../../src/store/kube/annotations.ts';
import { EventReader } from '../../../src/store/kube/event-reader.ts';
import { readPage } from '../../../src/store/kube/message.ts';
import type { KubeNode } from '../../../src/store/kube/node.ts';
import { filterOf, PREFIX } from '../../unit/store/kube/wire.ts';
import { network, range } from '../../unit/store/samples.ts';
import { pick, type Random } from '../random.ts';
import { spoilBytes } from '../spoil.ts';
import { inputFiles, mustHold, target, type Verdict } from '../target.ts';
import { mustBeSane } from './lease-row.ts';
import { mustBeLine } from './text-rules.ts';

const NETWORKS = [
  network(),
  network({
    ipv4: range('10.42.0.0/16', 24, ['10.42.1.0', '10.42.255.0']),
    ipv6: range('fd42::/48', 64, ['fd42:0:0:1::', 'fd42:0:0:ffff::']),
  }),
  network({ backend: { type: 'host-gw' } }),
] as const;

const ASKED = { what: 'watch nodes', server: 'https://a:6443', files: [] };

/** A page if it begins as objects do, else a watch. */
export const kubeAnswer = target<Uint8Array>({
  name: 'kube-answer',
  samples: inputFiles('corpus', 'kube-answer'),
  spoil: spoilBytes,
  run: judge,
  encode: (bytes) => bytes,
  decode: (bytes) => bytes,
});

function judge(bytes: Uint8Array, random: Random): Verdict {
  const buffer = Buffer.from(bytes);
  const page = readPage(buffer, filterOf('thin'));
  if (page !== undefined) {
    for (const node of page.nodes) mustBeGood(node, random);
    return 'accepted';
  }
  const whole = watched(buffer, buffer.length);
  const pieces = watched(buffer, 1 + random(300));
  // Of two faults in a row either may be told.
  const isSame = (pieces.failure === undefined) === (whole.failure === undefined);
  mustHold(isSame && isDeepStrictEqual(pieces.told, whole.told), 'In pieces it says something else');
  mustHold(isDeepStrictEqual(pieces.nodes, whole.nodes), 'In pieces it has other Nodes');
  for (const node of whole.nodes) mustBeGood(node, random);
  if (whole.failure !== undefined) mustBeLine(whole.failure);
  return whole.failure === undefined && whole.isComplete ? 'accepted' : 'refused';
}

/** What a watch tells that comes in pieces of `size` bytes. */
function watched(buffer: Buffer, size: number) {
  const nodes: KubeNode[] = [];
  const told: string[] = [];
  const reader = new EventReader({
    filter: filterOf('thin'),
    isList: true,
    sink: {
      put: (node) => nodes.push(node),
      gone: (name) => told.push(name),
      listed: (names) => told.push(...names),
    },
  });
  for (let at = 0; at < buffer.length; at += size) {
    const failure = reader.push(buffer.subarray(at, at + size), ASKED);
    if (failure !== undefined) return { nodes, told, failure: failure.problem.message, isComplete: false };
  }
  return { nodes, told, failure: undefined, isComplete: reader.isComplete };
}

function mustBeGood(node: KubeNode, random: Random): void {
  mustHold(node.name !== '', 'A Node without a name');
  mustHold(node.annotations.size <= 64 && node.podCidrs.length <= 16, 'More than a Node has');
  mustHold(node.createdS >= 0 && Number.isInteger(node.createdS), `Made at ${node.createdS}`);
  for (const fault of annotationFaults(node.annotations, PREFIX)) mustBeLine(fault);
  const raw = leaseOf(node);
  if (raw === undefined) return;
  const config = pick(random, NETWORKS);
  const { lease, fault } = judgeLease(raw, config);
  if (fault !== undefined) mustBeLine(fault);
  if (lease !== undefined) mustBeSane(lease, config);
  else mustHold(fault !== undefined, 'It is refused without a reason');
}
