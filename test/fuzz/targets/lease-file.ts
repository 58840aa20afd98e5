/**
 * leases.tsv: whatever stands in it, it is set aside or its leases are judged like a stranger's, and what is sound in
 * it is saved and loaded as it was.
 *
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { familyOf } from '../../../src/model/ip.ts';
import type { Lease } from '../../../src/model/lease.ts';
import { judgeLease, type RawLease } from '../../../src/store/accept.ts';
import { LeaseFile } from '../../../src/store/remembered/lease-file.ts';
import { network } from '../../unit/store/samples.ts';
import { spoilBytes, spoilText } from '../spoil.ts';
import { inputFiles, mustHold, target, textForm, type Verdict } from '../target.ts';
import { mustBeSane } from './lease-row.ts';
import { mustBeLine } from './text-rules.ts';

const WORDS = [
  ...[
    '"version":1',
    '"store":"kube"',
    '"node":"node-1"',
    '"savedAt":',
    '"publicIpV6":"2001:db8::1"',
    '\t',
    '\n',
  ],
  ...['\tvxlan\t', '10.3.1.0/24', '10.3.0.0/16', 'fc00:0:0:1::/64', '192.168.0.1', '2001:db8::1', '\t\t\t\t'],
];

const NETWORK = network();

/** The bytes of leases.tsv. */
export const leaseFile = target<Uint8Array>({
  name: 'lease-file',
  samples: inputFiles('corpus', 'lease-file'),
  spoil: (random, bytes, other) => {
    if (random(4) === 0) return spoilBytes(random, bytes, other);
    const [text, tail] = [textForm.decode(bytes), textForm.decode(other)];
    return textForm.encode(spoilText(random, text, { words: WORDS, other: tail }));
  },
  run: judge,
  encode: (bytes) => bytes,
  decode: (bytes) => bytes,
});

let directory: string | undefined;

/** One directory for all inputs, removed at the end. */
function place(): string {
  if (directory !== undefined) return directory;
  // Where there is memory, no disk is worn.
  const made = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'flannelette-fuzz-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  directory = made;
  return made;
}

function judge(bytes: Uint8Array): Verdict {
  const path = place();
  const options = { directory: path, node: 'node-1', store: 'kube' };
  mkdirSync(path, { recursive: true });
  writeFileSync(`${path}/leases.tsv`, bytes);
  const { remembered, warning } = new LeaseFile(options).load();
  if (remembered === undefined) {
    mustHold(warning !== undefined, 'It is set aside without a word');
    mustBeLine(warning);
    mustHold(!existsSync(`${path}/leases.tsv`), 'A damaged file stays where it is');
    return 'refused';
  }
  const { ipv4, ipv6 } = remembered.addresses;
  mustHold(ipv4 === undefined || familyOf(ipv4) === 4, `${ipv4} is not IPv4`);
  mustHold(ipv6 === undefined || familyOf(ipv6) === 6, `${ipv6} is not IPv6`);
  mustHold(Number.isFinite(remembered.savedAtMs), 'It was saved at no time');
  const own = remembered.own && soundLease(remembered.own);
  const peers = new Map<string, Lease>();
  for (const raw of remembered.peers) {
    const lease = soundLease(raw);
    if (lease !== undefined) peers.set(lease.node, lease);
  }
  const { addresses, savedAtMs } = remembered;
  const trouble = new LeaseFile(options).save(
    { own, peers, addresses },
    { atMs: savedAtMs, isTimeNews: true },
  );
  mustHold(trouble === undefined, 'What is sound cannot be saved');
  const again = new LeaseFile(options).load().remembered;
  mustHold(isDeepStrictEqual(again?.own && soundLease(again.own), own), 'The own lease is another');
  mustHold(isDeepStrictEqual(again?.peers.map(soundLease), [...peers.values()]), 'The peers are others');
  mustHold(isDeepStrictEqual(again?.addresses, addresses), 'The addresses are others');
  return 'accepted';
}

function soundLease(raw: RawLease): Lease | undefined {
  const { lease, fault } = judgeLease(raw, NETWORK);
  if (fault !== undefined) mustBeLine(fault);
  if (lease !== undefined) mustBeSane(lease, NETWORK);
  else mustHold(fault !== undefined, 'It is refused without a reason');
  return lease;
}
