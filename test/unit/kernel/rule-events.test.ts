import { expect, test } from 'bun:test';
import { chainHeader } from '../../../src/kernel/forward-chains.ts';
import { readRuleEvents } from '../../../src/kernel/rule-events.ts';
import type { ChainFamily, ChainPlace } from '../../../src/model/forward-chains.ts';
import { chainAddress } from '../../../src/model/forward-chains.ts';
import { PORT_TABLE } from '../../../src/model/host-ports.ts';
import { describe as describeObject } from '../../../src/model/objects.ts';
import type { Codec } from '../../../src/netlink/codec.ts';
import {
  chainMessage,
  NF_INET,
  NFT_MSG,
  nfgenmsg,
  ruleMessage,
  tableMessage,
} from '../../../src/netlink/nftables.ts';
import { Writer } from '../../../src/netlink/wire.ts';
import { datagram } from '../netlink/fake-kernel.ts';

const KNOWN = 'ip filter FORWARD';

/** What is told of a message, where `ip filter FORWARD` is a chain that was read. */
function told(type: number, payload: Uint8Array, portId = 7): string[] {
  const lines: string[] = [];
  const passage = {
    concerns: (place: ChainPlace, isForward?: boolean) => isForward === true || chainAddress(place) === KNOWN,
    concernsTable: ({ family, table }: Pick<ChainPlace, 'family' | 'table'>) =>
      KNOWN.startsWith(`${family} ${table} `),
    doubt: () => lines.push('doubt'),
  };
  const bytes = datagram({ type, sequence: 0, payload });
  // nlmsg_pid
  new DataView(bytes.buffer).setUint32(12, portId, true);
  readRuleEvents(
    bytes,
    { ownPortId: 1, passage },
    {
      moved: ({ object, owner }, gone) =>
        lines.push(`${gone ? 'gone ' : ''}${owner} ${describeObject(object)}`),
      look: (cause) => lines.push(cause),
      hostPorts: () => lines.push('hostPorts'),
      passage: () => lines.push('passage'),
    },
  );
  return lines;
}

function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer(1_024);
  codec.write(writer, value);
  return writer.bytes.slice(0, writer.at);
}

function table(name: string, family: ChainFamily = 'ip') {
  return encode(tableMessage, { header: chainHeader(family), attrs: { name } });
}

function chain(name: string, hook?: number, family: ChainFamily = 'ip') {
  const attrs = { table: 'filter', name, hook: hook === undefined ? undefined : { number: hook } };
  return encode(chainMessage, { header: chainHeader(family), attrs });
}

function rule(name: string, of = 'filter') {
  return encode(ruleMessage, { header: chainHeader('ip'), attrs: { table: of, chain: name } });
}

const NEWS = ['alien passage of pods through chains of others', 'passage'];

test.each([
  ['a chain at the forward hook', NFT_MSG.NEWCHAIN, chain('new', NF_INET.FORWARD, 'inet'), NEWS],
  ['a chain at another', NFT_MSG.NEWCHAIN, chain('new', NF_INET.POST_ROUTING), []],
  ['a chain of no hook', NFT_MSG.NEWCHAIN, chain('KUBE-SVC-1'), []],
  ['the end of one that was read', NFT_MSG.DELCHAIN, chain('FORWARD'), NEWS],
  ['a rule in one that was read', NFT_MSG.NEWRULE, rule('FORWARD'), NEWS],
  ['the end of one', NFT_MSG.DELRULE, rule('FORWARD'), NEWS],
  ['a rule elsewhere', NFT_MSG.NEWRULE, rule('KUBE-SVC-1'), []],
  ['the end of a table that was read', NFT_MSG.DELTABLE, table('filter'), NEWS],
  ['the end of another', NFT_MSG.DELTABLE, table('filter', 'ip6'), []],
  ['a table that was read and is dormant no more', NFT_MSG.NEWTABLE, table('filter'), NEWS],
  ['a table', NFT_MSG.NEWTABLE, table('nat'), []],
  ['our table', NFT_MSG.NEWTABLE, table('flannel-ipv4'), ['ours table ip flannel-ipv4']],
  [
    'the end of our table',
    NFT_MSG.DELTABLE,
    table('flannel-ipv6', 'ip6'),
    ['gone ours table ip6 flannel-ipv6'],
  ],
  ['a rule of ours', NFT_MSG.DELRULE, rule('forward', 'flannel-ipv4'), ['ours table ip flannel-ipv4']],
  ["a table of another family with our table's name", NFT_MSG.NEWTABLE, table('flannel-ipv4', 'inet'), []],
  ['hostPorts', NFT_MSG.NEWRULE, rule('x', PORT_TABLE), ['hostPorts']],
])('readRuleEvents() of %s', (_, type, payload, expected) => {
  expect(told(type, payload)).toEqual([...expected]);
});

test('readRuleEvents() hears nothing of our own doings, of other families and of other messages', () => {
  expect(told(NFT_MSG.DELRULE, rule('FORWARD'), 1)).toEqual([]);
  const bridge = encode(tableMessage, {
    header: nfgenmsg.of({ family: 7 }),
    attrs: { name: 'flannel-ipv4' },
  });
  expect(told(NFT_MSG.DELTABLE, bridge)).toEqual([]);
  expect(told(NFT_MSG.NEWGEN, rule('FORWARD'))).toEqual([]);
});

test('readRuleEvents() of what does not parse asks for a look, which trusts nothing that was read before', () => {
  expect(told(NFT_MSG.NEWRULE, new Uint8Array([2, 0, 0, 0, 255, 0, 1, 0]))).toEqual([
    'doubt',
    expect.stringMatching(/^unreadable event: /),
  ]);
});

test.each([
  ['its own chain', NFT_MSG.NEWRULE, rule('FLANNEL-FWD'), 1],
  ['the chain that leads to it', NFT_MSG.DELRULE, rule('POSTROUTING', 'nat'), 1],
  ['a chain that is gone', NFT_MSG.DELCHAIN, chain('FLANNEL-FWD'), 1],
  ['its table', NFT_MSG.DELTABLE, table('nat', 'ip6'), 1],
  ['a new table, which is empty', NFT_MSG.NEWTABLE, table('nat'), 0],
  ['a chain of others', NFT_MSG.NEWRULE, rule('KUBE-SERVICES', 'nat'), 0],
  ['the same name in the other table', NFT_MSG.NEWRULE, rule('FLANNEL-FWD', 'nat'), 0],
  ['a table of nft itself', NFT_MSG.DELTABLE, table('nat', 'inet'), 0],
])("readRuleEvents() tells of flannel's chains in iptables: %s", (_, type, payload, expected) => {
  const all = { iptables: 0 };
  readRuleEvents(
    datagram({ type, sequence: 0, payload }),
    { ownPortId: 1, passage: { concerns: () => false, concernsTable: () => false, doubt: () => {} } },
    { moved: () => {}, look: () => {}, passage: () => {}, iptables: () => void all.iptables++ },
  );
  expect(all.iptables).toBe(expected);
});
