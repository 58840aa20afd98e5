/** Whose files and leases are. @module */
import { describe, expect, test } from 'bun:test';
import type { Left } from '../../../src/removal/findings.ts';
import { leaseOf, macOf, prefix } from '../../sim/samples.ts';
import {
  BOOT,
  commands,
  directRoute,
  findings,
  leasesWith,
  left,
  NOBODYS_STATE,
  whyLeft,
} from './findings.ts';

describe('subnet.env', () => {
  const file = findings().subnetEnv;
  const other = { ...file, kind: 'read', digest: 'e'.repeat(64), subnets: [prefix('10.42.8.0/24')] } as const;
  const unread = {
    kind: 'unreadable',
    path: '/srv/leases.db',
    message: 'It is locked',
    remedy: 'Wait',
  } as const;
  const remove = 'rm /run/flannel/subnet.env';

  test('is ours if it is what was written last, whatever became of the lease', () => {
    expect(commands(findings({ leases: unread }))).toContain(remove);
  });

  test('is ours if all its subnets are leased to this node, whatever became of the state', () => {
    const subnetEnv = { ...other, subnets: [prefix('10.42.1.0/24')] };
    expect(commands(findings({ state: NOBODYS_STATE, subnetEnv }))).toContain(remove);
  });

  test.each([
    ['another subnet', other, leasesWith(), 'others'],
    [
      'one subnet of ours, and one that is not',
      { ...other, subnets: [prefix('10.42.1.0/24'), prefix('fd42:0:0:9::/64')] },
      leasesWith(),
      'others',
    ],
    ['no subnet', { ...other, subnets: [] }, leasesWith(), 'others'],
  ] as const)('with %s is left', (_, subnetEnv, leases, whose) => {
    const found = findings({ subnetEnv, leases });
    expect(commands(found, true)).not.toContain(remove);
    expect(left(found).find(({ what }) => what === file.path)?.whose).toBe(whose);
  });

  test('may be ours if nothing can be read that would tell', () => {
    const found = findings({ subnetEnv: other, leases: unread, state: NOBODYS_STATE });
    expect(left(found).find(({ what }) => what === file.path)?.whose).toBe('maybe');
  });

  test('is left to flanneld if leases cannot be read and routes of its kind lead into the pod network', () => {
    const routes = [directRoute(2, { protocol: BOOT })];
    const found = findings({ leases: unread, kernel: { links: [], entries: [], routes } });
    expect(whyLeft(found, file.path)).toContain('flanneld has taken the node over');
  });
});

describe('lease and state', () => {
  const gone = findings({
    kernel: { links: [], routes: [], entries: [] },
    state: NOBODYS_STATE,
    subnetEnv: { kind: 'none', path: '/run/flannel/subnet.env' },
    socket: { path: '/run/flannelette/agent.sock', kind: 'none' },
    directories: [],
  });
  const isOurs = ({ whose }: Left) => whose !== 'others';

  test.each([
    ['no database named', { kind: 'unnamed' } as const],
    ['no database there', { kind: 'none', path: '/srv/leases.db' } as const],
  ])('with %s a lease may be left as long as anything tells of one', (_, leases) => {
    expect(left(findings({ leases })).some(isOurs)).toBe(true);
    expect(left({ ...gone, leases }).some(isOurs)).toBe(false);
    expect(commands({ ...gone, leases })).toEqual([]);
  });

  test.each([
    ['its subnet', {}],
    ['its address', { subnetEnv: gone.subnetEnv, macs: new Set([macOf(7, 4)]) }],
  ])('a lease under another name that has %s is pointed out', (_, changes) => {
    const subnet = 'macs' in changes ? 9 : 1;
    const peers = [leaseOf(2), leaseOf(7, { families: [4], subnet })];
    const leases = leasesWith({ own: undefined, peers });
    const [told] = left(findings({ leases, ...changes })).filter(isOurs);
    expect(told?.what).toBe(`the lease 10.42.${subnet}.0/24 of node node-7`);
    expect(told?.why).toEndWith('run this again with NODE_NAME=node-7');
    expect(commands(findings({ leases, ...changes })).filter((command) => command.startsWith('# '))).toEqual(
      [],
    );
  });

  test('a database with nobody else in it is left with the way to remove it', () => {
    const leases = leasesWith({ own: undefined, peers: [], others: 0, path: "/a b/it's.db" });
    expect(whyLeft({ ...gone, leases }, "lease database /a b/it's.db")).toEndWith(
      `rm -f '/a b/it'\\''s.db' '/a b/it'\\''s.db-wal' '/a b/it'\\''s.db-shm' '/a b/it'\\''s.db-changed'`,
    );
  });

  test('a directory with other files in it stays', () => {
    const entries = ['node.json', 'a', 'b', 'c', 'd', 'e', 'f'];
    const found = findings({ directories: [{ path: '/var/lib/flannelette', entries }] });
    expect(commands(found)).toContain('rm /var/lib/flannelette/node.json');
    expect(commands(found)).not.toContain('rmdir /var/lib/flannelette');
    expect(whyLeft(found, '/var/lib/flannelette')).toEndWith('a, b, c, d, e and 1 more');
  });

  test('a directory in another goes before it', () => {
    const directories = [
      { path: '/x/flannelette/state', entries: ['node.json'] },
      { path: '/x/flannelette', entries: ['state'] },
    ];
    const state = { ...findings().state, directory: '/x/flannelette/state' };
    expect(commands(findings({ directories, state })).slice(-2)).toEqual([
      'rmdir /x/flannelette/state',
      'rmdir /x/flannelette',
    ]);
  });

  test('what cannot be read, and what is no socket, is left', () => {
    const state = { ...NOBODYS_STATE, file: 'unreadable', reason: 'EACCES' } as const;
    const socket = { path: '/run/x', kind: 'foreign' } as const;
    const told = left({ ...gone, state, socket }).map(({ what, whose }) => `${whose}: ${what}`);
    expect(told).toEqual([
      'others: lease database /srv/leases.db',
      'others: /run/x',
      'maybe: /var/lib/flannelette',
    ]);
  });
});
