/** What tells `flannelette cleanup` that somebody manages the pod network. @module */
import { expect, test } from 'bun:test';
import { kindOf } from '../../src/cleanup/processes.ts';

test.each([
  [['/usr/local/bin/flannelette', 'run', '--iface', 'eth0'], 'agent'],
  [['flannelette'], 'agent'],
  [['./flannelette-linux-arm64', '--lease-db=/l.db'], 'agent'],
  [['flannelette', 'status'], undefined],
  [['flannelette', 'cleanup', '--adopt'], undefined],
  [['flannelette-exporter', 'run'], undefined],
  [['/opt/bin/flanneld', '--ip-masq', '--kube-subnet-mgr'], 'flanneld'],
  [['sh', '-c', 'flannelette run'], undefined],
  [['vi', 'flanneld'], undefined],
  [[], undefined],
  [[''], undefined],
])('kindOf(%j) is %p', (commandLine, kind) => {
  expect<string | undefined>(kindOf(commandLine)).toBe(kind);
});
