/**
 * Rows of the lease table: whatever stands in them, what is accepted is within the network and sane, takes
 * nothing from leases that were there before, and what is refused is refused in words.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import {
  classify,
  FAMILIES,
  familyOf,
  isStationMac,
  parseIp,
  parsePrefix,
  prefixCovers,
  prefixesOverlap,
} from '../../../src/model/ip.ts';
import { type Lease, leaseFamily } from '../../../src/model/lease.ts';
import { type NetworkConfig, networkFamily } from '../../../src/model/network.ts';
import { isNodeName } from '../../../src/model/node-name.ts';
import { judgeLease } from '../../../src/store/accept.ts';
import { formatAttributes, parseAttributes } from '../../../src/store/attributes.ts';
import { parseCanonical } from '../../../src/store/canonical-attributes.ts';
import type { LeaseAttributes } from '../../../src/store/lease-attributes.ts';
import { LeaseBook } from '../../../src/store/lease-book.ts';
import {
  heldSubnets,
  rawLease,
  readPeerRow,
  readRow,
  storedLease,
} from '../../../src/store/sqlite/lease-row.ts';
import { network, request, rawLease as soundLease, sure } from '../../unit/store/samples.ts';
import { pick, type Random } from '../random.ts';
import { type Json, spoilText, spoilValue } from '../spoil.ts';
import { inputFiles, jsonForm, mustHold, target, type Verdict } from '../target.ts';
import { mustBeLine } from './text-rules.ts';

/** Columns by name; a blob is `{"blob": "hex"}`. */
type Row = Readonly<Record<string, Json>>;

const WORDS = [
  ...[
    '"PublicIP":',
    '"PublicIPv6":',
    '"BackendType":"vxlan"',
    '"BackendData":',
    '"BackendV6Data":',
    '"VNI":1',
  ],
  ...['"VtepMAC":"0a:58:00:00:00:01"', '10.3.1.0/24', '10.3.0.0/16', '10.3.200.0/24', 'fc00:0:0:1::/64'],
  ...['192.168.0.1', '2001:db8::1', 'node-1', 'host-gw', '"', ',', 'VXLAN'],
];

/** What is an address, and fit for no peer or for one that is there already. */
const ODD_ADDRESSES = [
  ...['0.0.0.0', '224.0.0.1', '239.255.255.255', '127.0.0.1', '255.255.255.255', '192.168.0.1', '::', '::1'],
  ...['ff02::1', 'fe80::1', '::ffff:224.0.0.1', '2001:db8::1', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff'],
  ...['01:00:5e:00:00:01', '0a:58:00:00:00:01', '0a:58:00:00:80:02', '0a:58:00:00:00:64'],
] as const;

const NETWORKS = [
  network(),
  network({ ipv6: undefined }),
  network({ ipv4: undefined }),
  network({ backend: { type: 'host-gw' } }),
] as const;

const OWN = sure(judgeLease(soundLease(100, { node: 'own' }), network()).lease, 'own lease');

const codec = jsonForm<Row>();

/** A row as SQLite gives it. */
export const leaseRow = target<Row>({
  name: 'lease-row',
  samples: inputFiles('corpus', 'lease-row').map(codec.decode),
  spoil: spoilRow,
  run: judge,
  ...codec,
});

/** Puts an odd address in the place of one or all. */
function readdressed(random: Random, attributes: string): string {
  const address = /"(?:[\da-f]+[.:]+){2,}[\da-f]+"/g;
  const odd = () => JSON.stringify(pick(random, ODD_ADDRESSES));
  return attributes.replaceAll(address, (one) => (random(2) === 0 ? odd() : one));
}

/** Mostly the attributes are spoiled, within their text; now and then they are freshly written first. */
function spoilRow(random: Random, row: Row, { attributes: tail = '' }: Row): Row {
  const { attributes: told = '' } = row;
  const fresh = formatAttributes(request('a', random(65_536)));
  const attributes = random(3) === 0 ? fresh : String(told);
  const spliced = { words: WORDS, other: String(tail) };
  const spoiled = pick(random, [
    () => attributes,
    () => readdressed(random, attributes),
    () => spoilText(random, attributes, spliced),
    () => spoilText(random, attributes, spliced),
  ])();
  const changed = { ...row, attributes: spoiled };
  if (random(2) === 0) return changed;
  const column = pick(random, [
    'node',
    'subnet',
    'subnet6',
    'attributes',
    'expires_ms',
    'created',
    'removed_ms',
  ]);
  const value = random(6) === 0 ? { blob: '00ff' } : spoilValue(random, row[column] ?? '', WORDS);
  return { ...changed, [column]: value };
}

function judge(input: Row, random: Random): Verdict {
  const columns = Object.fromEntries(Object.entries(input).map(([name, value]) => [name, columnOf(value)]));
  const row = readPeerRow(columns);
  const whole = readRow(columns);
  mustHold((row === undefined) === (whole === undefined), 'It is a row to one reader only');
  if (row === undefined) return 'refused';
  mustAgree(row.attributes);
  heldSubnets(row);
  const stored = storedLease(row);
  mustHold(stored === undefined || stored.node === row.node, 'The stored lease is of another node');
  const raw = rawLease(row);
  const config = pick(random, NETWORKS);
  const { lease, fault } = judgeLease(raw, config);
  if (fault !== undefined) mustBeLine(fault);
  if (lease !== undefined) mustBeSane(lease, config);
  else mustHold(fault !== undefined, 'It is refused without a reason');
  if (config === NETWORKS[0]) mustHarmNobody(raw, config);
  return lease === undefined ? 'refused' : 'accepted';
}

function columnOf(value: Json): unknown {
  return typeof value === 'object' && value !== null && 'blob' in value ? new Uint8Array([0, 255]) : value;
}

/** The short way and the long way say the same, and what was read is written back byte for byte. */
function mustAgree(text: string): void {
  const parsed = parseAttributes(text);
  const short = parseCanonical(text);
  if (short !== undefined) {
    const long = parseAttributes(` ${text}`);
    mustHold(long.ok && isDeepStrictEqual(long.value, short), 'The short way reads something else');
  }
  if (!parsed.ok) {
    mustBeLine(parsed.error);
    return;
  }
  const { ipv4, ipv6 } = parsed.value;
  for (const { fault } of [ipv4, ipv6]) if (fault !== undefined) mustBeLine(fault);
  if (ipv4.fault !== undefined || ipv6.fault !== undefined) return;
  const written = formatAttributes(sourceOf(parsed.value));
  const again = parseAttributes(written);
  mustHold(again.ok, 'What was written cannot be read');
  mustHold(formatAttributes(sourceOf(again.value)) === written, 'Written the second time it is another text');
}

function sourceOf({ backendType, ipv4, ipv6 }: LeaseAttributes) {
  const half = ({ publicIp, vtep }: LeaseAttributes['ipv4']) =>
    publicIp === undefined ? undefined : { publicIp, vtep };
  return { backendType, ipv4: half(ipv4), ipv6: half(ipv6) };
}

/** Fails unless a lease that was accepted is one that a node can use. */
export function mustBeSane(lease: Lease, config: NetworkConfig): void {
  mustHold(isNodeName(lease.node), 'The node has no name');
  mustHold(lease.backendType === config.backend.type, `Backend ${lease.backendType}`);
  for (const family of FAMILIES) {
    const half = leaseFamily(lease, family);
    if (half === undefined) continue;
    const range = networkFamily(config, family);
    const { subnet, publicIp, vtep } = half;
    mustHold(
      range !== undefined && prefixCovers(range.network, subnet),
      `${subnet} is outside of the network`,
    );
    mustHold(parsePrefix(subnet) === subnet, `${subnet} is not canonical`);
    mustHold(
      parseIp(publicIp) === publicIp && familyOf(publicIp) === family,
      `${publicIp} is not IPv${family}`,
    );
    const kind = classify(publicIp);
    mustHold(kind === 'global' || kind === 'link-local', `${publicIp} is ${kind}`);
    if (config.backend.type !== 'vxlan') continue;
    mustHold(vtep !== undefined && vtep.vni === config.backend.vni, 'The VNI is not ours');
    mustHold(isStationMac(vtep.mac) && /^(?:[\da-f]{2}:){5}[\da-f]{2}$/.test(vtep.mac), `MAC ${vtep.mac}`);
  }
}

/** It came last, so it must not take anything from the own lease or from peers, however it is numbered. */
function mustHarmNobody(raw: ReturnType<typeof rawLease>, config: NetworkConfig): void {
  const book = new LeaseBook({ node: 'own', network: config });
  book.setOwn(OWN);
  for (const n of [1, 2]) book.put(soundLease(n, { order: -1e9 + n }));
  if (raw.node !== 'node-1' && raw.node !== 'node-2') book.put(raw);
  const peers = book.take()?.set.peers;
  const lease = peers?.get(raw.node);
  if (!(raw.order > -1e9)) return;
  mustHold(peers?.has('node-1') === true && peers.has('node-2'), 'A peer lost its lease');
  if (lease === undefined) return;
  for (const other of [OWN, peers.get('node-1'), peers.get('node-2')]) {
    if (other === undefined || other.node === lease.node) continue;
    for (const family of FAMILIES) {
      const [ours, theirs] = [leaseFamily(lease, family), leaseFamily(other, family)];
      if (ours === undefined || theirs === undefined) continue;
      mustHold(!prefixesOverlap(ours.subnet, theirs.subnet), `${ours.subnet} overlaps that of ${other.node}`);
      mustHold(ours.vtep?.mac !== theirs.vtep?.mac, `The MAC is that of ${other.node}`);
    }
  }
}
