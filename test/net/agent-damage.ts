/**
 * Damage done to a node's kernel by other people's tools, and the watch on its repair.
 *
 * @module
 */
import { expect } from 'bun:test';
import type { Pod } from '../../src/cli/demo/pods.ts';
import { readView, viewLines } from '../../src/cli/demo/view.ts';
import type { Family } from '../../src/model/ip.ts';
import { deviceName } from './agent-expected.ts';
import { readOverlay } from './agent-overlay.ts';
import type { LeasePart } from './agent-store.ts';
import {
  eventually,
  expectOverlay,
  expectPodsTalk,
  type LogLine,
  readLog,
  repairsOf,
} from './agent-support.ts';
import type { LabNode } from './lab.ts';

/** What is broken, with the commands that do it. */
export interface Damage {
  readonly what: string;
  /** What the log has to say of the repair, at least once. */
  readonly repaired: RegExp;
  /** One command a line, without quoting. */
  readonly commands: (scene: Scene) => string;
  /** Whether the agent is held until all commands have run. */
  readonly isAsleep?: boolean;
}

/** Where it is done. */
export interface Scene {
  readonly family: Family;
  /** The VXLAN device of the family. */
  readonly device: string;
  readonly own: LeasePart;
  readonly peer: LeasePart;
}

const FOREIGN_MAC = '02:00:00:00:00:99';

/** Addresses that no lease and no node has. */
function stranger({ family }: Scene) {
  return family === 4
    ? { base: '10.42.250.0', subnet: '10.42.250.0/24', address: '10.42.250.7/24', gateway: '192.168.77.99' }
    : {
        base: 'fd42:0:0:fa::',
        subnet: 'fd42:0:0:fa::/64',
        address: 'fd42:0:0:fa::7/64',
        gateway: 'fd77::99',
      };
}

const hostPart = ({ family }: Scene) => (family === 4 ? '32' : '128');

/** The device and what makes it the node's. */
const DEVICE_DAMAGES: readonly Damage[] = [
  {
    what: 'device deleted',
    repaired: /^link flannel\S+ .*missing/,
    commands: ({ device }) => `ip link delete ${device}`,
  },
  {
    what: 'device set down',
    repaired: /^link flannel\S+ up /,
    commands: ({ device }) => `ip link set ${device} down`,
  },
  {
    what: 'MTU changed',
    repaired: /^link flannel\S+ .*mtuBytes/,
    commands: ({ device }) => `ip link set ${device} mtu 1300`,
  },
  {
    what: 'MAC changed',
    repaired: /^link flannel\S+ .*mac/,
    commands: ({ device }) => `ip link set ${device} address ${FOREIGN_MAC}`,
  },
  {
    what: 'learning switched on',
    repaired: /^link flannel\S+ .*learning/,
    commands: ({ device }) => `ip link set ${device} type vxlan learning`,
  },
  {
    what: 'device replaced by one of another VNI',
    repaired: /^link flannel\S+ .*vni/,
    commands: ({ device }) =>
      `ip link delete ${device}\nip link add ${device} type vxlan id 77 dev eth0 dstport 8472`,
    isAsleep: true,
  },
  {
    what: 'address removed',
    repaired: /^address .*missing/,
    commands: (scene) => `ip address delete ${scene.own.base}/${hostPart(scene)} dev ${scene.device}`,
  },
  {
    what: 'foreign address of the pod network added',
    repaired: /^address .*not wanted/,
    commands: (scene) => `ip address add ${stranger(scene).address} dev ${scene.device}`,
  },
];

/** What stands on the device for peers. */
const PEER_DAMAGES: readonly Damage[] = [
  {
    what: 'route deleted',
    repaired: /^route .*missing/,
    commands: ({ peer }) => `ip route delete ${peer.subnet}`,
  },
  {
    what: 'route replaced by one with another gateway and link',
    repaired: /^route .*changed/,
    commands: (scene) => `ip route replace ${scene.peer.subnet} via ${stranger(scene).gateway} dev eth0`,
  },
  {
    what: 'route given another gateway on the device',
    repaired: /^route .*changed/,
    commands: (scene) =>
      `ip route replace ${scene.peer.subnet} via ${stranger(scene).base} dev ${scene.device} onlink proto 102`,
  },
  {
    what: 'route put behind another of the same destination',
    repaired: /^route .*(changed|missing)/,
    commands: (scene) =>
      `ip route prepend ${scene.peer.subnet} via ${stranger(scene).base} dev ${scene.device} onlink`,
  },
  {
    what: 'route given another protocol',
    repaired: /^route .*changed/,
    commands: ({ peer, device }) =>
      `ip route replace ${peer.subnet} via ${peer.base} dev ${device} onlink proto static`,
  },
  {
    what: 'neighbour deleted',
    repaired: /^neighbour .*missing/,
    commands: ({ peer, device }) => `ip neighbour delete ${peer.base} dev ${device}`,
  },
  {
    what: 'neighbour given another MAC',
    repaired: /^neighbour .*changed/,
    commands: ({ peer, device }) =>
      `ip neighbour replace ${peer.base} lladdr ${FOREIGN_MAC} dev ${device} nud permanent`,
  },
  {
    what: 'neighbour made to age',
    repaired: /^neighbour .*missing/,
    commands: ({ peer, device }) =>
      `ip neighbour replace ${peer.base} lladdr ${peer.mac} dev ${device} nud stale`,
  },
  {
    what: 'forwarding entry deleted',
    repaired: /^fdb .*missing/,
    commands: ({ peer, device }) => `bridge fdb delete ${peer.mac} dev ${device}`,
  },
  {
    what: 'forwarding entry led elsewhere',
    repaired: /^fdb .*changed/,
    commands: (scene) =>
      `bridge fdb replace ${scene.peer.mac} dev ${scene.device} dst ${stranger(scene).gateway}`,
  },
  {
    what: 'all neighbours flushed',
    repaired: /^neighbour .*missing/,
    commands: ({ device }) => `ip neighbour flush dev ${device} nud permanent`,
  },
  {
    what: 'all routes flushed',
    repaired: /^route .*missing/,
    commands: ({ device, family }) => `ip -${family} route flush dev ${device} proto 102`,
  },
];

/** What nobody wants. */
const STRAY_DAMAGES: readonly Damage[] = [
  {
    what: 'stray route',
    repaired: /^route .*no lease/,
    commands: (scene) =>
      `ip route add ${stranger(scene).subnet} via ${stranger(scene).base} dev ${scene.device} onlink`,
  },
  {
    what: 'stray neighbour',
    repaired: /^neighbour .*no lease/,
    commands: (scene) =>
      `ip neighbour add ${stranger(scene).base} lladdr ${FOREIGN_MAC} dev ${scene.device} nud permanent`,
  },
  {
    what: 'stray forwarding entry',
    repaired: /^fdb .*no lease/,
    commands: (scene) => `bridge fdb add ${FOREIGN_MAC} dev ${scene.device} dst ${stranger(scene).gateway}`,
  },
];

/** All that can happen to a VXLAN node's own objects. */
export const DAMAGES: readonly Damage[] = [...DEVICE_DAMAGES, ...PEER_DAMAGES, ...STRAY_DAMAGES];

/** The scene of one family on a node. */
export function sceneOf(family: Family, own: LeasePart, peer: LeasePart): Scene {
  return { family, device: deviceName(family), own, peer };
}

/** Does the damage and watches until everything is as it was; gives back how long that took, in milliseconds. */
export async function expectRepair(
  node: LabNode,
  damage: Pick<Damage, 'repaired' | 'isAsleep'> & { readonly commands: string },
  pods: readonly Pod[],
): Promise<number> {
  const before = readOverlay(node);
  const [repairs, logged] = [await repairsOf(node), readLog(node.agent).length];
  const watch = watchRepair(node);
  if (damage.isAsleep === true) process.kill(node.agent.pid, 'SIGSTOP');
  for (const command of damage.commands.split('\n')) node.run(...command.split(' '));
  if (damage.isAsleep === true) process.kill(node.agent.pid, 'SIGCONT');
  const ms = await watch();
  await expectOverlay(node, () => before);
  await expectPodsTalk(pods);
  await eventually(async () => expect(await repairsOf(node)).toBeGreaterThan(repairs));
  const told = readLog(node.agent).filter(({ msg }) => msg === 'Repaired');
  expect(told.map(({ object }) => object)).toContainEqual(expect.stringMatching(damage.repaired));
  expectNoRepetition(readLog(node.agent).slice(logged));
  return ms;
}

/** Measures from now on, looking more often than a tool can be started; the tools have the last word. */
function watchRepair({ space: { rtnl } }: LabNode): () => Promise<number> {
  const look = () => viewLines(readView(rtnl, (link) => link.startsWith('flannel')));
  const before = look();
  const startMs = performance.now();
  return async () => {
    const isRestored = () => before.symmetricDifference(look()).size === 0;
    while (!isRestored() && performance.now() < startMs + 5_000) await Bun.sleep(1);
    return Math.round(performance.now() - startMs);
  };
}

/** Each thing is told once, however many looks its repair took. */
function expectNoRepetition(lines: readonly LogLine[]): void {
  const told = lines.filter(({ level, msg }) => msg === 'Repaired' || level !== 'info');
  const texts = told.map(({ level, msg, object }) => `${level} ${msg} ${object}`);
  expect(texts.filter((text, i) => texts.indexOf(text) < i)).toEqual([]);
}
