/** The unit file for systemd: what it must say, and what it must not. @module */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSettings } from '../../src/config/settings.ts';

/** The settings of the unit, by name; a name may come more than once. */
function readUnit(): Map<string, string[]> {
  const text = readFileSync(join(import.meta.dir, '../../k3s/flannelette.service'), 'utf8');
  const settings = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      expect(line).toMatch(/^(#.*|\[(Unit|Service|Install)\])?$/);
      continue;
    }
    settings.set(name, [...(settings.get(name) ?? []), value]);
  }
  return settings;
}

const unit = readUnit();

test('the unit speaks sd_notify, is watched, and comes back whatever ends it', () => {
  for (const [name, value] of Object.entries({
    Type: 'notify',
    WatchdogSec: '2min',
    Restart: 'always',
    StartLimitIntervalSec: '0',
  }))
    expect({ [name]: unit.get(name) }).toEqual({ [name]: [value] });
});

test('the unit starts a command line and an environment that the agent takes, with paths that it may write', () => {
  const [program, command, ...argv] = unit.get('ExecStart')?.[0]?.split(' ') ?? [];
  expect([program, command]).toEqual(['/usr/local/bin/flannelette', 'run']);
  const env = Object.fromEntries((unit.get('Environment') ?? []).map((pair) => pair.split('=')));
  const parsed = parseSettings({ argv, env, hostName: 'pi-1', cwd: '/' });
  if (!parsed.ok || parsed.value.kind !== 'settings') throw new Error(JSON.stringify(parsed));
  const { leases, stateDir, socketPath, subnetFile } = parsed.value.settings;
  expect(leases.kind).toBe('kube');
  const runtime =
    unit
      .get('RuntimeDirectory')?.[0]
      ?.split(' ')
      .map((name) => `/run/${name}/`) ?? [];
  const writable = [...runtime, `/var/lib/${unit.get('StateDirectory')?.[0]}/`];
  for (const path of [`${stateDir}/`, socketPath, subnetFile])
    expect(writable.some((directory) => path.startsWith(directory))).toBe(true);
});

test('the unit keeps what pods need when the agent stops, gives one capability, and lets the JIT compiler work', () => {
  expect(unit.get('RuntimeDirectoryPreserve')).toEqual(['yes']);
  expect(unit.get('CapabilityBoundingSet')).toEqual(['CAP_NET_ADMIN']);
  expect(unit.get('AmbientCapabilities')).toEqual(['CAP_NET_ADMIN']);
  expect(unit.get('NoNewPrivileges')).toEqual(['yes']);
  // Code is made at run time; address space is reserved and not used; /proc/sys/net is written.
  for (const name of ['MemoryDenyWriteExecute', 'LimitAS', 'ProtectKernelTunables', 'PrivateNetwork'])
    expect({ name, value: unit.get(name) }).toEqual({ name, value: undefined });
  expect(unit.get('RestrictAddressFamilies')?.[0]?.split(' ').sort()).toEqual([
    'AF_INET',
    'AF_INET6',
    'AF_NETLINK',
    'AF_UNIX',
  ]);
});
