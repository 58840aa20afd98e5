import { expect, test } from 'bun:test';
import { stateSentence, waitingSentence } from '../../../src/agent/sentence.ts';
import { problem } from '../../../src/model/problem.ts';
import { leaseOf } from '../../sim/samples.ts';

const HELD = problem('removal-held', '5 removals wait', 'Wait');
const GONE = problem('interface-missing', 'Interface eth0 is gone', 'Plug it in');

test('stateSentence() tells what there is, or what is wrong and what to do', () => {
  const parts = { ready: true, problems: [], peers: 12, backend: 'vxlan', lease: leaseOf(1) };
  expect(stateSentence(parts)).toBe('Ready: 12 peers, vxlan, 10.42.1.0/24, fd42:0:0:1::/64');
  expect(stateSentence({ ...parts, peers: 1, backend: 'host-gw', lease: undefined })).toBe(
    'Ready: 1 peer, host-gw',
  );
  expect(stateSentence({ ...parts, problems: [HELD] })).toBe(
    'Ready: 12 peers, vxlan, 10.42.1.0/24, fd42:0:0:1::/64; but 5 removals wait. Wait',
  );
  expect(stateSentence({ ...parts, ready: false, problems: [GONE, HELD] })).toBe(
    'Not ready: Interface eth0 is gone. Plug it in (and 1 more)',
  );
});

test('waitingSentence() is for the time before there is an agent', () => {
  expect(waitingSentence([])).toBe('Starting');
  expect(waitingSentence([GONE])).toBe('Not ready: Interface eth0 is gone. Plug it in');
});
