/** The own lease of what Kubernetes has assigned, and what it waits for. @module */
import { describe, expect, test } from 'bun:test';
import { ownLease } from '../../../../src/store/kube/own-subnets.ts';
import { network, prefix, request, sure } from '../samples.ts';

const SUBNETS = ['10.3.1.0/24', 'fc00:0:0:1::/64'] as const;

function leaseOf(podCidrs: readonly string[] | undefined, different = {}, config = network()) {
  const node = podCidrs && { podCidrs };
  return ownLease({ request: request('a', 1, different), network: config, node });
}

function faultOf(...args: Parameters<typeof leaseOf>) {
  const lease = leaseOf(...args);
  return lease.ok ? undefined : { code: lease.error.code, message: lease.error.message };
}

describe('ownLease', () => {
  test.each([[SUBNETS], [SUBNETS.toReversed()]])('both families, in any order (%#)', (podCidrs) => {
    const asked = request('a', 1);
    const [v4, v6] = [sure(asked.ipv4, 'IPv4'), sure(asked.ipv6, 'IPv6')];
    expect(leaseOf(podCidrs)).toEqual({
      ok: true,
      value: {
        node: 'a',
        backendType: 'vxlan',
        ipv4: { subnet: prefix(SUBNETS[0]), publicIp: v4.publicIp, vtep: v4.vtep },
        ipv6: { subnet: prefix(SUBNETS[1]), publicIp: v6.publicIp, vtep: v6.vtep },
      },
    });
  });

  test('a family that is not asked for, or not enabled, is left out', () => {
    expect(leaseOf(SUBNETS, { ipv6: undefined })).toMatchObject({ ok: true, value: { ipv6: undefined } });
    expect(leaseOf(SUBNETS, {}, network({ ipv4: undefined }))).toMatchObject({
      ok: true,
      value: { ipv4: undefined, ipv6: { subnet: prefix(SUBNETS[1]) } },
    });
    expect(leaseOf([SUBNETS[0]], { ipv6: undefined })).toMatchObject({ ok: true });
  });

  test('the first of a family is taken', () => {
    expect(leaseOf(['10.3.2.0/24', ...SUBNETS])).toMatchObject({
      value: { ipv4: { subnet: prefix('10.3.2.0/24') } },
    });
  });

  test('bits of a host are no part of it, as Go reads it', () => {
    expect(leaseOf(['10.3.1.7/24', SUBNETS[1]])).toMatchObject({
      value: { ipv4: { subnet: prefix('10.3.1.0/24') } },
    });
  });

  test('no Node', () => {
    expect(faultOf(undefined)).toEqual({
      code: 'node-missing',
      message: "There is no Node 'a' in the cluster yet",
    });
  });

  test('no podCIDR', () => {
    expect(faultOf([])).toEqual({
      code: 'pod-cidr-missing',
      message: "Node 'a' has no IPv4 podCIDR yet",
    });
    expect(faultOf([SUBNETS[0]])).toEqual({
      code: 'pod-cidr-missing',
      message: "Node 'a' has no IPv6 podCIDR yet (it has '10.3.1.0/24')",
    });
  });

  test.each(['', 'x', '10.3.1.0', '10.3.1.0/33', '\u001b[2J'])('%j is no podCIDR', (text) => {
    expect(faultOf([text, SUBNETS[1]])).toMatchObject({ code: 'pod-cidr-missing' });
    expect(faultOf([text, SUBNETS[1]])?.message).not.toContain('\u001b');
  });

  test('outside of the network', () => {
    expect(faultOf(['10.4.1.0/24', SUBNETS[1]])).toEqual({
      code: 'pod-cidr-invalid',
      message: "podCIDR 10.4.1.0/24 of node 'a' is outside of the network 10.3.0.0/16",
    });
    expect(faultOf(['10.0.0.0/8', SUBNETS[1]])).toMatchObject({ code: 'pod-cidr-invalid' });
  });
});
