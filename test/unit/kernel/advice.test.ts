/** What an operator is told to do, by what the node is. @module */
import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ADVICE, Adviser, type VxlanSeen } from '../../../src/kernel/advice.ts';
import { changeFailure } from '../../../src/kernel/failure.ts';
import { LinuxKernel } from '../../../src/kernel/linux.ts';
import { type NodeFacts, readNodeFacts } from '../../../src/kernel/node-facts.ts';
import { FAMILIES } from '../../../src/model/ip.ts';
import type { KernelObject } from '../../../src/model/objects.ts';
import { ERRNO, type ErrnoName, netlinkError } from '../../../src/netlink/error.ts';
import { Session } from '../../../src/netlink/session.ts';
import { ownAddress, tunnelRoute } from '../../contract/kinds.ts';
import { vxlanLink } from '../../sim/samples.ts';
import { acknowledge, datagram, FakeKernel } from '../netlink/fake-kernel.ts';

const UBUNTU_PI = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="23.04"\n';
const PLAIN = '0000000000000000';

interface Node {
  readonly osRelease?: string;
  readonly release?: string;
  readonly capabilities?: string;
  readonly hasModules?: boolean;
  readonly locked?: boolean;
}

/** A node's files, in a directory. */
function factsOf(node: Node): NodeFacts {
  const { osRelease = '', release = '6.1.0-7-arm64', capabilities = PLAIN } = node;
  const root = mkdtempSync(join(tmpdir(), 'flannelette-facts-'));
  const files = {
    'etc/os-release': osRelease,
    'proc/sys/kernel/osrelease': `${release}\n`,
    'proc/sys/kernel/modules_disabled': node.locked ? '1\n' : '0\n',
    'proc/self/status': `Name:\tx\nCapPrm:\t${PLAIN}\nCapEff:\t${capabilities}\n`,
    ...(node.hasModules === false ? {} : { [`lib/modules/${release}/modules.dep`]: '' }),
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const facts = readNodeFacts(root);
  rmSync(root, { recursive: true });
  return facts;
}

interface Refusal extends Node {
  readonly errno: ErrnoName;
  readonly object: KernelObject;
  readonly devices?: readonly VxlanSeen[];
}

function advise({ errno, object, devices = [], ...node }: Refusal) {
  const adviser = new Adviser({ facts: () => factsOf(node), devices: () => devices });
  return adviser.advise(changeFailure('create', object, netlinkError(ERRNO[errno])), object);
}

test.each<readonly [what: string, node: Node, remedy: string]>([
  ['Ubuntu 23.04 for the Pi', { osRelease: UBUNTU_PI, release: '6.2.0-1018-raspi' }, ADVICE.raspi],
  [
    'Ubuntu 21.10 for the Pi',
    { osRelease: 'ID=ubuntu\nVERSION_ID="21.10"', release: '5.13.0-1008-raspi' },
    ADVICE.raspi,
  ],
  [
    'Ubuntu 24.04 for the Pi',
    { osRelease: 'ID=ubuntu\nVERSION_ID="24.04"', release: '6.8.0-1004-raspi' },
    ADVICE.ubuntu.replace('RELEASE', '6.8.0-1004-raspi'),
  ],
  [
    'Ubuntu on a server',
    { osRelease: UBUNTU_PI, release: '6.2.0-20-generic' },
    ADVICE.ubuntu.replace('RELEASE', '6.2.0-20-generic'),
  ],
  ['Raspberry Pi OS', { osRelease: 'ID=debian\nVERSION_ID="12"' }, ADVICE.debian],
  ['Raspbian', { osRelease: "ID=raspbian\nID_LIKE='debian'" }, ADVICE.debian],
  [
    'Rocky',
    { osRelease: 'ID="rocky"\nID_LIKE="rhel centos fedora"' },
    ADVICE.fedora.replace('RELEASE', '6.1.0-7-arm64'),
  ],
  ['Leap', { osRelease: 'ID="opensuse-leap"\nID_LIKE="suse opensuse"' }, ADVICE.suse],
  ['Alpine', { osRelease: 'ID=alpine' }, ADVICE.alpine],
  ['Arch on ARM', { osRelease: 'ID=archarm\nID_LIKE=arch' }, ADVICE.arch],
  ['OpenWrt', { osRelease: 'ID="openwrt"', hasModules: false }, ADVICE.openwrt],
  ['nobody knows what', {}, ADVICE.kernel],
  [
    'one that was upgraded and not rebooted',
    { osRelease: 'ID=debian', hasModules: false },
    ADVICE.reboot.replace('RELEASE', '6.1.0-7-arm64'),
  ],
  ['one whose modules are locked', { osRelease: UBUNTU_PI, locked: true }, ADVICE.locked],
])('no module vxlan on %s', (_, node, remedy) => {
  const failure = advise({ ...node, errno: 'EOPNOTSUPP', object: vxlanLink() });
  expect(failure).toMatchObject({ kind: 'unsupported', remedy });
  expect(failure.message).toEndWith('EOPNOTSUPP (the kernel has no module vxlan)');
});

test('a refusal for want of privilege tells whether the capability is missing or of no use', () => {
  const refused = { errno: 'EPERM', object: vxlanLink() } as const;
  expect(advise(refused)).toMatchObject({ kind: 'denied' });
  expect(advise(refused).remedy).toBeUndefined();
  expect(advise({ ...refused, capabilities: '0000000000001000' }).remedy).toBe(ADVICE.namespace);
  expect(advise({ ...refused, capabilities: '000001ffffffffff' }).remedy).toBe(ADVICE.namespace);
});

test('IPv6 that is switched off is told apart from a missing privilege', () => {
  expect(advise({ errno: 'EACCES', object: ownAddress(6) })).toMatchObject({
    kind: 'unsupported',
    remedy: ADVICE.ipv6,
  });
  expect(advise({ errno: 'EAFNOSUPPORT', object: tunnelRoute(2, 6) }).remedy).toBe(ADVICE.ipv6);
  expect(advise({ errno: 'EACCES', object: ownAddress(4) }).kind).toBe('denied');
});

test('who holds VNI and port is named, and where to look if nobody here does', () => {
  const at = (name: string, family: 4 | 6, vni = 1): VxlanSeen => {
    const { device } = vxlanLink(family, { device: { vni } });
    if (device.type !== 'vxlan') throw new Error('no vxlan');
    return { name, device };
  };
  const refused = { errno: 'EEXIST', object: vxlanLink(4) } as const;
  const devices = [at('other-vni', 4, 9), at('other-family', 6), at('vx9', 4)];
  const failure = advise({ ...refused, devices });
  expect(failure.message).toEndWith('EEXIST (vx9 has VNI 1 and port 8472)');
  expect(failure.remedy).toBe(ADVICE.device.replace('NAME', 'vx9'));
  expect(advise({ ...refused, devices: devices.slice(0, 2) }).remedy).toBe(ADVICE.elsewhere);
  const up = { errno: 'EADDRINUSE', object: { kind: 'up', link: 'flannel.1' } } as const;
  expect(advise({ ...up, devices: [at('flannel.1', 4)] })).toMatchObject({
    kind: 'conflict',
    remedy: ADVICE.port.replaceAll('PORT', '8472'),
  });
});

test('LinuxKernel gives the remedy with the refusal, and reads the node once for a batch', () => {
  const kernel = new FakeKernel((requests) =>
    requests.map((request) => datagram(acknowledge(request, { errno: ERRNO.EOPNOTSUPP }))),
  );
  const session = new Session(kernel);
  const rules = { session: () => undefined };
  const target = new LinuxKernel({ route: session, generic: session, rules, sysctlRoot: '/nonexistent' });
  target.links.set({ index: 2, name: 'eth0', up: true });
  const changes = FAMILIES.map((family) => ({ verb: 'create', object: vxlanLink(family), why: '' }) as const);
  const failures = target.apply(changes);
  expect(failures.size).toBe(2);
  for (const { kind, remedy } of failures.values()) {
    expect(kind).toBe('unsupported');
    expect(remedy?.length).toBeGreaterThan(20);
  }
});
