import { expect, test } from 'bun:test';
import { OwnLeaseClaim } from '../../../src/agent/own-lease.ts';
import type { LeaseRequest, OwnLease } from '../../../src/model/lease-source.ts';
import { FakeClock, settled } from '../../sim/fake-clock.ts';
import { FakeSource, type Grant } from '../../sim/fake-source.ts';
import { ip } from '../../sim/samples.ts';

function request(address: string): LeaseRequest {
  const ipv4 = { publicIp: ip(address), vtep: undefined, previous: undefined };
  return { node: 'node-1', backendType: 'host-gw', ipv4, ipv6: undefined };
}

function make() {
  const clock = new FakeClock();
  const source = new FakeSource();
  const leases: string[] = [];
  const problems: string[] = [];
  const claim = new OwnLeaseClaim({
    source,
    clock,
    random: () => 0.5,
    onLease: ({ lease }: OwnLease) => void leases.push(`${lease.ipv4?.subnet} at ${lease.ipv4?.publicIp}`),
    onProblem: (problem) => void problems.push(problem?.message ?? 'over'),
  });
  return { clock, source, claim, leases, problems };
}

test('OwnLeaseClaim gives what is granted', async () => {
  const { claim, leases, problems } = make();
  claim.want(request('192.168.0.1'));
  await settled();
  expect(leases).toEqual(['10.42.1.0/24 at 192.168.0.1']);
  expect(problems).toEqual([]);
  expect(String(claim.current?.lease.ipv4?.subnet)).toBe('10.42.1.0/24');
});

test('OwnLeaseClaim tries again with growing pauses, and tells of a problem once', async () => {
  const { clock, source, claim, leases, problems } = make();
  source.refuse('locked');
  claim.want(request('192.168.0.1'));
  await clock.advance(10_000);
  expect(source.requests.length).toBe(8);
  expect(problems).toEqual(['locked']);
  source.refuse('corrupt');
  await clock.advance(20_000);
  source.refuse(undefined);
  await clock.advance(60_000);
  expect(problems).toEqual(['locked', 'corrupt', 'over']);
  expect(leases.length).toBe(1);
  expect(claim.problem).toBeUndefined();
  expect(clock.pendingCount).toBe(0);
});

test('OwnLeaseClaim asks for another thing at once, also while it waits to try again', async () => {
  const { source, claim, leases } = make();
  source.refuse('locked');
  claim.want(request('192.168.0.1'));
  await settled();
  source.refuse(undefined);
  claim.want(request('192.168.0.2'));
  await settled();
  expect(leases).toEqual(['10.42.1.0/24 at 192.168.0.2']);
});

test('OwnLeaseClaim never asks twice at a time, and ends with what was wanted last', async () => {
  const { source, claim, leases } = make();
  const grants: (() => void)[] = [];
  source.answer = (asked) => new Promise<Grant>((resolve) => grants.push(() => resolve(source.grant(asked))));
  for (const last of [1, 2, 3]) claim.want(request(`192.168.0.${last}`));
  expect(source.requests.length).toBe(1);
  grants.shift()?.();
  await settled();
  expect(source.requests.length).toBe(2);
  grants.shift()?.();
  await settled();
  expect(leases).toEqual(['10.42.1.0/24 at 192.168.0.1', '10.42.1.0/24 at 192.168.0.3']);
  expect(source.requests.length).toBe(2);
});

test('OwnLeaseClaim is silent once it is stopped', async () => {
  const { clock, source, claim, leases } = make();
  let grant: () => void = () => undefined;
  source.answer = (asked) =>
    new Promise<Grant>((resolve) => {
      grant = () => resolve(source.grant(asked));
    });
  claim.want(request('192.168.0.1'));
  claim.stop();
  grant();
  await clock.advance(60_000);
  expect(leases).toEqual([]);
  const waiting = make();
  waiting.source.refuse('locked');
  waiting.claim.want(request('192.168.0.1'));
  await settled();
  waiting.claim.stop();
  expect(waiting.clock.pendingCount).toBe(0);
});
