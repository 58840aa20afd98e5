import { expect, test } from 'bun:test';
import { NOTHING_ON_LINK, onLinkOf } from '../../../src/underlay/on-link.ts';
import type { HostRoute, HostSnapshot } from '../../../src/underlay/snapshot.ts';
import { ip, prefix } from '../../sim/samples.ts';

const LINKS = ['lo', 'eth0', 'eth1', 'tun0'].map((name, i) => ({
  index: i + 1,
  name,
  mtuBytes: 1500,
  up: true,
  loopback: name === 'lo',
  hardware: name.startsWith('eth'),
}));

function route(dst: string, link: number, gateway?: string, metric = 0): HostRoute {
  return { dst: prefix(dst), direct: gateway === undefined, index: link, metric, advertised: false };
}

function snapshot(...routes: HostRoute[]): HostSnapshot {
  return { links: LINKS, addresses: [], routes, reach: undefined };
}

const ROUTES = [
  route('0.0.0.0/0', 2, '192.168.0.254'),
  route('192.168.0.0/24', 2),
  route('192.168.0.64/26', 3),
  route('192.168.0.80/28', 2, '192.168.0.254'),
  route('192.168.0.81/32', 4),
  route('::/0', 3, 'fe80::1'),
  route('fd99::/64', 3),
  route('fd99:0:0:0:8000::/65', 2, 'fd99::fe'),
];

test.each([
  ['192.168.0.1', 'eth0'],
  ['192.168.0.65', 'eth1'],
  ['192.168.0.80', undefined],
  ['192.168.0.81', 'tun0'],
  ['192.168.0.82', undefined],
  ['192.168.0.200', 'eth0'],
  ['10.0.0.1', undefined],
  ['fd99::5', 'eth1'],
  ['fd99::8000:0:0:1', undefined],
  ['2001:db8::1', undefined],
  ['0.0.0.1', undefined],
])('onLinkOf() finds the longest prefix: %s is on %p', (address, link) => {
  expect(onLinkOf(snapshot(...ROUTES))(ip(address))).toBe(link);
});

test('onLinkOf() takes the lowest metric of one destination, and the first of equals', () => {
  const linkTo = onLinkOf(
    snapshot(
      route('10.0.0.0/8', 2, '192.168.0.254', 100),
      route('10.0.0.0/8', 3, undefined, 50),
      route('10.0.0.0/8', 4, undefined, 50),
    ),
  );
  expect(linkTo(ip('10.1.2.3'))).toBe('eth1');
});

test('onLinkOf() takes a default route without a gateway for what it is', () => {
  const linkTo = onLinkOf(snapshot(route('0.0.0.0/0', 4)));
  expect(linkTo(ip('203.0.113.1'))).toBe('tun0');
  expect(linkTo(ip('fd99::1'))).toBeUndefined();
});

test('onLinkOf() knows nothing of a link that is not there', () => {
  expect(onLinkOf(snapshot(route('10.0.0.0/8', 99)))(ip('10.0.0.1'))).toBeUndefined();
});

test('NOTHING_ON_LINK says so', () => {
  expect(NOTHING_ON_LINK(ip('192.168.0.1'))).toBeUndefined();
});
