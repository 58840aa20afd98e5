/**
 * Link features against the real kernel, with ethtool as the witness.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import { ERRNO } from '../../src/netlink/error.ts';
import { ETHTOOL_FAMILY, readFeature, writeFeature } from '../../src/netlink/ethtool.ts';
import { GenericFamilies, NETLINK_GENERIC } from '../../src/netlink/generic.ts';
import { Session } from '../../src/netlink/session.ts';
import { NetlinkLab, VXLAN_INDEX } from './netlink-lab.ts';

const FEATURE = 'tx-checksum-ip-generic';

function open(lab: NetlinkLab) {
  const session = new Session(lab.open({ protocol: NETLINK_GENERIC }));
  const families = new GenericFamilies(session);
  const familyId = families.resolve(ETHTOOL_FAMILY);
  if (typeof familyId !== 'number') throw new Error(familyId.message);
  return { session, families, of: { familyId, link: 'flannel.1', feature: FEATURE } };
}

function witnessed(lab: NetlinkLab): string | undefined {
  return /tx-checksum-ip-generic: (\w+)/.exec(lab.run('ethtool -k flannel.1'))?.[1];
}

test('writeFeature() switches checksum offload off and on, by name and by index', () => {
  using lab = new NetlinkLab();
  const { session, of } = open(lab);
  expect([readFeature(session, of), witnessed(lab)]).toEqual([true, 'on']);
  expect(writeFeature(session, { ...of, on: false })).toBeUndefined();
  expect([readFeature(session, of), witnessed(lab)]).toEqual([false, 'off']);
  expect(writeFeature(session, { ...of, on: false })).toBeUndefined();
  const byIndex = { ...of, link: VXLAN_INDEX };
  expect(writeFeature(session, { ...byIndex, on: true })).toBeUndefined();
  expect([readFeature(session, byIndex), witnessed(lab)]).toEqual([true, 'on']);
});

test('features that cannot be had say so', () => {
  using lab = new NetlinkLab();
  const { session, of } = open(lab);
  const fixed = { ...of, feature: 'rx-vlan-filter' };
  expect(readFeature(session, fixed)).toBe(false);
  expect(writeFeature(session, { ...fixed, on: true })?.message).toBe(
    'EOPNOTSUPP "feature rx-vlan-filter stays off"',
  );
  expect(writeFeature(session, { ...fixed, on: false })).toBeUndefined();
  const unknown = { ...of, feature: 'warp-drive' };
  expect(readFeature(session, unknown)).toEqual({
    errno: ERRNO.EOPNOTSUPP,
    message: 'EOPNOTSUPP "no feature warp-drive"',
  });
  expect(writeFeature(session, { ...unknown, on: true })?.message).toBe(
    'EOPNOTSUPP "bit name not found" at features.wanted.bits[0].name',
  );
  const gone = { ...of, link: 'nosuchlink' };
  expect(readFeature(session, gone)).toMatchObject({ errno: ERRNO.ENODEV });
  expect(writeFeature(session, { ...gone, on: false })?.errno).toBe(ERRNO.ENODEV);
});

test('GenericFamilies asks the kernel once', () => {
  using lab = new NetlinkLab();
  const { session, families } = open(lab);
  const before = session.counters.requests;
  expect(families.resolve(ETHTOOL_FAMILY)).toBeGreaterThan(16);
  expect(session.counters.requests).toBe(before);
  families.forget(ETHTOOL_FAMILY);
  expect(families.resolve(ETHTOOL_FAMILY)).toBeGreaterThan(16);
  expect(session.counters.requests).toBe(before + 1);
  expect(families.resolve('nosuchfamily')).toMatchObject({ errno: ERRNO.ENOENT });
});
