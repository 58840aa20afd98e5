/**
 * A network namespace of the real kernel as a world. Somebody else is `ip`, `bridge` and `ethtool`, and they are
 * the witnesses too.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { systemClock } from '../../src/clock.ts';
import type { EventSink } from '../../src/kernel/events.ts';
import { KernelAccess } from '../../src/kernel-access.ts';
import type { Clock } from '../../src/model/clock.ts';
import type {
  Change,
  Claims,
  Failure,
  Look,
  LookVisitor,
  Scope,
  Target,
} from '../../src/reconcile/target.ts';
import { run } from '../net/witness.ts';
import { showKernel } from './show-kernel.ts';
import {
  type Alien,
  type AlienLinkChange,
  type AlienObject,
  UNDERLAY,
  UNDERLAY_IPV4,
  UNDERLAY_IPV6,
  type World,
} from './world.ts';

/** The longest that an event may take. */
const HEARD_MS_MAX = 5_000;

/** A new namespace. Its underlay has a far end, so that it has a carrier. */
export function openRealWorld(): World {
  const netns = createNetns();
  for (const command of [
    `ip link add ${UNDERLAY} address 02:00:00:00:99:01 type veth peer name far`,
    'ip link set far up',
    `ip link set ${UNDERLAY} up`,
    `ip address add ${UNDERLAY_IPV4}/24 dev ${UNDERLAY}`,
    `ip address add ${UNDERLAY_IPV6}/64 dev ${UNDERLAY} nodad`,
  ])
    run(netns, command.split(' '));
  return new RealWorld(netns);
}

class RealWorld implements World {
  readonly target: Target;
  readonly alien: Alien;
  readonly directory = mkdtempSync(join(tmpdir(), 'contract-'));
  readonly #netns: Netns;
  readonly #access: KernelAccess;
  #loopbackMtu = 60_000;
  #heardMtu = 0;

  constructor(netns: Netns) {
    this.#netns = netns;
    const clock: Clock = {
      ...systemClock,
      schedule: (delayMs, fn) => systemClock.schedule(delayMs, () => inNetns(netns, fn)),
    };
    const opened = inNetns(netns, () => KernelAccess.open(clock));
    if (!opened.ok) throw new Error(opened.error.message);
    this.#access = opened.value;
    this.target = new TargetInside(netns, opened.value.target);
    this.alien = new ToolAlien(netns);
  }

  setClaims(claims: Claims): void {
    this.#access.setClaims(claims);
  }

  listen(sink: EventSink): void {
    const underlay: EventSink['underlay'] = (event) => {
      if (event.kind === 'link' && event.name === 'lo') this.#heardMtu = event.mtuBytes;
      else sink.underlay(event);
    };
    const onProblem = () => undefined;
    const onPassage = () => undefined;
    inNetns(this.#netns, () => this.#access.listen({ ...sink, underlay, onProblem, onPassage }));
  }

  /** Makes an event that comes after all others, and waits for it. */
  async heard(): Promise<void> {
    const mtu = ++this.#loopbackMtu;
    run(this.#netns, ['ip', 'link', 'set', 'lo', 'mtu', `${mtu}`]);
    const deadlineMs = performance.now() + HEARD_MS_MAX;
    while (this.#heardMtu !== mtu) {
      if (performance.now() > deadlineMs) throw new Error('No event was heard');
      await Bun.sleep(1);
    }
  }

  show(): string[] {
    return showKernel(this.#netns);
  }

  [Symbol.dispose](): void {
    this.#access.close();
    this.#netns.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Settings below /proc/sys are those of the namespace in which they are read. */
class TargetInside implements Target {
  readonly #netns: Netns;
  readonly #target: Target;

  constructor(netns: Netns, target: Target) {
    this.#netns = netns;
    this.#target = target;
  }

  observe(scope: Scope, look: Look, visit: LookVisitor): Failure | undefined {
    return inNetns(this.#netns, () => this.#target.observe(scope, look, visit));
  }

  apply(changes: readonly Change[]): ReadonlyMap<number, Failure> {
    return inNetns(this.#netns, () => this.#target.apply(changes));
  }
}

/** Other people's tools. */
class ToolAlien implements Alien {
  readonly #netns: Netns;

  constructor(netns: Netns) {
    this.#netns = netns;
  }

  make(object: AlienObject): void {
    this.#run(...words('make', object));
  }

  remove(object: AlienObject): void {
    this.#run(...words('remove', object));
  }

  setLink(name: string, { up, mtuBytes, mac, name: newName, learning }: AlienLinkChange): void {
    const set = (...rest: string[]) => this.#run('ip', 'link', 'set', name, ...rest);
    if (up !== undefined) set(up ? 'up' : 'down');
    if (mtuBytes !== undefined) set('mtu', `${mtuBytes}`);
    if (mac !== undefined) set('address', mac);
    if (learning !== undefined) set('type', 'vxlan', learning ? 'learning' : 'nolearning');
    if (newName !== undefined) set('name', newName);
  }

  setSysctl(name: string, value: string): void {
    inNetns(this.#netns, () => writeFileSync(`/proc/sys/${name}`, value));
  }

  setOffload(link: string, feature: string, on: boolean): void {
    this.#run('ethtool', '-K', link, feature, on ? 'on' : 'off');
  }

  #run(...command: string[]): void {
    run(this.#netns, command);
  }
}

function words(verb: 'make' | 'remove', object: AlienObject): string[] {
  const making = verb === 'make';
  switch (object.kind) {
    case 'link':
      return making
        ? ['ip', 'link', 'add', object.name, ...linkWords(object)]
        : ['ip', 'link', 'delete', object.name];
    case 'address': {
      const address = ['ip', 'address', making ? 'add' : 'delete'];
      return [...address, `${object.ip}/${object.length}`, 'dev', object.link];
    }
    case 'route': {
      const { dst, gateway, link, onlink, protocol, metric, blackhole } = object;
      const text = ['ip', 'route', making ? 'replace' : 'delete', ...(blackhole ? ['blackhole'] : []), dst];
      if (gateway !== undefined) text.push('via', gateway);
      if (link !== '') text.push('dev', link);
      text.push('proto', `${protocol}`);
      if (metric !== undefined) text.push('metric', `${metric}`);
      return onlink && making ? [...text, 'onlink'] : text;
    }
    case 'neighbour': {
      const { ip, mac, link } = object;
      const neighbour = ['ip', 'neighbour', making ? 'replace' : 'delete', ip];
      return making
        ? [...neighbour, 'lladdr', mac, 'dev', link, 'nud', 'permanent']
        : [...neighbour, 'dev', link];
    }
    case 'fdb': {
      const { mac, link, dst } = object;
      const entry = ['bridge', 'fdb', making ? 'replace' : 'delete', mac, 'dev', link, 'dst', dst, 'self'];
      return making ? [...entry, 'permanent'] : entry;
    }
  }
}

function linkWords({ mac, mtuBytes, device }: Extract<AlienObject, { kind: 'link' }>): string[] {
  const common = ['address', mac, 'mtu', `${mtuBytes}`, 'type'];
  if (device.type === 'other') return [...common, device.name];
  const { vni, port, local, parent, learning, gbp } = device;
  const text = [...common, 'vxlan', 'id', `${vni}`, 'dstport', `${port}`];
  if (local !== undefined) text.push('local', local);
  if (parent !== undefined) text.push('dev', parent);
  text.push(learning ? 'learning' : 'nolearning');
  return gbp ? [...text, 'gbp'] : text;
}
