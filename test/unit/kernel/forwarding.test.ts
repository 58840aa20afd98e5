import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readForwarding } from '../../../src/kernel/forwarding.ts';
import { forwardingSetting } from '../../../src/model/objects.ts';

let proc: string;

beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'flannelette-proc-'));
});

afterEach(() => rmSync(proc, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(proc, path)), { recursive: true });
  writeFileSync(join(proc, path), text);
}

const BOTH = [forwardingSetting(4), forwardingSetting(6)];

test('readForwarding() shows settings that there are, as sysctl names them', () => {
  put('sys/net/ipv4/ip_forward', '1\n');
  expect(readForwarding(BOTH, { proc, session: undefined })).toEqual({
    settings: { 'net.ipv4.ip_forward': '1' },
    notes: [],
  });
});

test('readForwarding() notes that iptables-legacy has a filter, which nf_tables does not show', () => {
  put('net/ip_tables_names', 'nat\nfilter\n');
  put('net/ip6_tables_names', 'nat\n');
  const { notes } = readForwarding(BOTH, { proc, session: undefined });
  expect(notes).toEqual([
    'iptables-legacy has rules that may drop what pods send, and the agent cannot see: iptables-legacy -S FORWARD',
  ]);
  put('net/ip6_tables_names', 'filter\n');
  expect(readForwarding(BOTH, { proc, session: undefined }).notes.length).toBe(2);
  expect(readForwarding([forwardingSetting(6)], { proc, session: undefined }).notes).toEqual([
    'ip6tables-legacy has rules that may drop what pods send, and the agent cannot see: ip6tables-legacy -S FORWARD',
  ]);
});
