/**
 * Answers of etcd's gateway: whatever comes, each reader takes it or says in words why not, and the leases in it are
 * judged like any others. In the inputs keys and values are plain text; here they become base64.
 *
 * @module
 */
import { judgeLease } from '../../../src/store/accept.ts';
import { etcdProblem, refusalFailure } from '../../../src/store/etcd/failure.ts';
import { leaseName, rawLease, readName, subnetsOf } from '../../../src/store/etcd/keys.ts';
import {
  type KeyValue,
  readError,
  readLease,
  readRange,
  readTxn,
  readWatch,
} from '../../../src/store/etcd/messages.ts';
import { network } from '../../unit/store/samples.ts';
import { pick, type Random } from '../random.ts';
import { spoilText } from '../spoil.ts';
import { inputFiles, mustHold, target, textForm, type Verdict } from '../target.ts';
import { mustBeSane } from './lease-row.ts';
import { mustBeLine } from './text-rules.ts';

const WORDS = [
  ...[
    '"header":{"revision":"1"}',
    '"kvs":',
    '"events":',
    '"result":',
    '"error":',
    '"fragment":true',
    '"more":true',
  ],
  ...[
    '"created":true',
    '"canceled":true',
    '"compact_revision":"1"',
    '"type":"DELETE"',
    '"lease":"1"',
    '"ID":"-1"',
  ],
  ...[
    '"key":"10.3.1.0-24"',
    '"key":"fc00::-64"',
    '10.3.0.0-16',
    '10.3.1.7-24',
    '&fc00::-64',
    '-24&',
    '"TTL":"0"',
  ],
  ...['"mod_revision":"9007199254740993"', '"create_revision":"-1"', '\\"PublicIP\\":', '\\"VtepMAC\\":'],
];

const NETWORKS = [
  network(),
  network({ ipv6: undefined }),
  network({ ipv4: undefined }),
  network({ backend: { type: 'host-gw' } }),
] as const;

/** One answer, or one line of a watch. */
export const etcdAnswer = target<string>({
  name: 'etcd-answer',
  samples: inputFiles('corpus', 'etcd-answer').map(textForm.decode),
  spoil: (random, text, other) => spoilText(random, text, { words: WORDS, other }),
  run: judge,
  ...textForm,
});

function judge(text: string, random: Random): Verdict {
  const json = parse(text);
  const lists = [readRange(json), readWatch(json), readTxn(json), readLease(json)];
  for (const each of lists) if (!each.ok) mustBeLine(each.error);
  const { code, text: words } = readError(json);
  const failure = refusalFailure({ endpoint: 'http://a:1', code, text: words, status: 400 });
  mustBeLine(etcdProblem(failure).message);
  const range = readRange(json);
  const watch = readWatch(json);
  const keyValues = range.ok ? [...range.value.keyValues] : [];
  if (watch.ok && watch.value.kind === 'events')
    keyValues.push(...watch.value.events.map(({ keyValue }) => keyValue));
  for (const keyValue of keyValues) mustBeGood(keyValue, random);
  return lists.some(({ ok }) => ok) ? 'accepted' : 'refused';
}

function mustBeGood(keyValue: KeyValue, random: Random): void {
  const { key: name, createRevision, modRevision } = keyValue;
  for (const revision of [createRevision, modRevision])
    mustHold(Number.isInteger(revision) && revision >= 0, `Revision ${revision}`);
  const subnets = subnetsOf(name);
  const isKey = subnets.ipv4 !== undefined || subnets.ipv6 !== undefined;
  if (isKey) mustHold(readName(leaseName(subnets)) !== undefined, 'A name of ours is none');
  const raw = rawLease(name, keyValue);
  const config = pick(random, NETWORKS);
  const { lease, fault } = judgeLease(raw, config);
  if (fault !== undefined) mustBeLine(fault);
  if (lease !== undefined) mustBeSane(lease, config);
  else mustHold(fault !== undefined, 'It is refused without a reason');
}

/** As the gateway sends it: what is bytes there is base64. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text, (member, value: unknown) =>
      (member === 'key' || member === 'value') && typeof value === 'string'
        ? Buffer.from(value).toString('base64')
        : value,
    );
  } catch {
    return undefined;
  }
}
