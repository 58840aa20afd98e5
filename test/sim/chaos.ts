/**
 * Everything that can happen to a node, at random but the same for the same seed.
 *
 * @module
 */
import { type KernelObject, keyOf, ROUTE_PROTOCOL } from '../../src/model/objects.ts';
import { UNDERLAY } from '../contract/world.ts';
import type { Random } from '../fuzz/random.ts';
import { plantAliens } from './chaos-aliens.ts';
import { ChaosPeers, pickFrom } from './chaos-peers.ts';
import { changesOf, Rig } from './rig.ts';
import { HOST_GW, ip, macOf, prefix, underlayOf, VXLAN, vxlanLink } from './samples.ts';

/** What only an audit notices. */
const SILENT: ReadonlySet<string> = new Set(['setting changes', 'events are lost, and nobody knows']);

/** A node in trouble. */
export class Chaos {
  readonly rig: Rig;
  readonly log: string[] = [];
  readonly #random: Random;
  readonly #peers: ChaosPeers;
  readonly #alert: boolean;
  #away = false;

  /** @param alert whether every event is heard at once, and everything that happens has one */
  constructor(seed: number, alert: boolean) {
    this.rig = new Rig({ seed });
    this.#alert = alert;
    this.#random = this.rig.random;
    plantAliens(this.rig.alien);
    this.#peers = new ChaosPeers(this.rig);
    for (let n = 2; n < 10; n++) this.#peers.set(n, { subnet: n, mac: n, publicIp: n, families: [4, 6] });
    this.rig.replan();
    this.#peers.tell('all');
  }

  /** Lets one thing happen. */
  async step(): Promise<void> {
    const [name, act] = this.#pick(
      this.#alert ? this.#actions.filter(([each]) => !SILENT.has(each)) : this.#actions,
    );
    this.log.push(name);
    try {
      act();
    } catch (error) {
      // The kernel says no: what was to be damaged is not there.
      if (!(error instanceof Error) || !/^E[A-Z]+$|^No link/.test(error.message)) throw error;
    }
    if (this.#alert || this.#random(3) === 0) this.rig.hear();
    if (this.#random(3) === 0) await this.rig.clock.advance(this.#random(500));
  }

  /**
   * Ends all trouble, and lets the engine come to rest. Tells whether more than two passes changed something, apart
   * from one for what a second list had to confirm. If it is left to itself it tries again in its own time.
   */
  async heal(): Promise<boolean> {
    const { rig } = this;
    rig.refuse();
    rig.blind(undefined);
    rig.deaf = false;
    if (this.#away) this.#underlayReturns();
    rig.alien.setLink(UNDERLAY, { up: true });
    this.#restoreUnderlayAddresses();
    // A large loss takes a second list, which the store is asked for.
    this.#peers.tell('all');
    const help = [() => rig.replan(), () => rig.reconciler.look('healed'), undefined][this.#random(3)];
    help?.();
    const { length } = rig.passes;
    await rig.quiet();
    const passes = rig.passes.slice(length);
    const changing = passes.filter((pass) => changesOf(pass) > 0).length;
    const confirmed = passes.some(({ held }) => held > 0) ? 1 : 0;
    return help !== undefined && changing > 2 + confirmed;
  }

  readonly #actions = Object.entries<() => void>({
    'peer comes': () => this.#peers.comes(),
    'peer goes': () => this.#peers.goes(),
    'peer has another MAC': () => this.#peers.changes('mac'),
    'peer has another address': () => this.#peers.changes('publicIp'),
    'peer has another subnet': () => this.#peers.changes('subnet'),
    'peer has other families': () => this.#peers.changes('families'),
    'peers swap subnets': () => this.#peers.swap('subnet'),
    'peers swap MACs': () => this.#peers.swap('mac'),
    'engine is told': () => this.#peers.tell('untold'),
    'engine is told all': () => this.#peers.tell('all'),
    'all peers go': () => this.#peers.allGo(),
    'object vanishes': () => this.#damage((object) => this.rig.alien.remove(object)),
    'object changes': () => this.#damage((object) => this.rig.alien.make(this.#spoilt(object))),
    'stray object appears': () => this.rig.alien.make(this.#stray()),
    'link vanishes': () => this.rig.alien.remove({ ...vxlanLink(), name: this.#ourLink() }),
    'link goes down': () => this.rig.alien.setLink(this.#ourLink(), { up: false }),
    'link changes': () =>
      this.rig.alien.setLink(
        this.#ourLink(),
        this.#pick([{ mtuBytes: 1280 }, { mac: macOf(99, 4) }, { learning: true }]),
      ),
    'setting changes': () => this.#damageSettings(),
    'underlay goes down': () => this.rig.alien.setLink(UNDERLAY, { up: false }),
    'underlay comes up': () => this.rig.alien.setLink(UNDERLAY, { up: true }),
    'underlay vanishes': () => {
      this.rig.alien.remove({ ...vxlanLink(), name: UNDERLAY });
      this.#away = true;
    },
    'underlay returns': () => this.#underlayReturns(),
    'underlay has another address': () => this.#readdress(),
    'underlay has another MTU': () => {
      const mtuBytes = this.#pick([1400, 1500, 9000]);
      this.rig.alien.setLink(UNDERLAY, { mtuBytes });
      this.rig.replan({ underlay: { ...this.rig.underlay, mtuBytes } });
    },
    'plan changes': () => this.#changePlan(),
    'errors begin': () => this.#beginErrors(),
    'looks fail': () => this.rig.blind({ kind: 'other', message: 'Cannot read routes: EINTR' }),
    'errors end': () => {
      this.rig.refuse();
      this.rig.blind(undefined);
    },
    'events are lost, and we know': () => {
      this.rig.kernel.events.length = 0;
      this.rig.reconciler.look('events were lost');
    },
    'events are lost, and nobody knows': () => {
      this.rig.kernel.events.length = 0;
    },
  });

  #ourLink(): string {
    return this.#pick(['flannel.1', 'flannel-v6.1', 'flannel.7']);
  }

  /** One of the peers' objects that are there, or the node's address. */
  #damage(
    act: (
      object: Exclude<
        KernelObject,
        { kind: 'link' | 'up' | 'sysctl' | 'offload' | 'file' | 'table' | 'passage' }
      >,
    ) => void,
  ) {
    const objects = this.rig.wanted().flatMap((object) => {
      const { kind } = object;
      return kind === 'route' || kind === 'neighbour' || kind === 'fdb' || kind === 'address' ? [object] : [];
    });
    if (objects.length > 0) act(this.#pick(objects));
  }

  #spoilt<T extends KernelObject>(object: T): T {
    switch (object.kind) {
      case 'route':
        return this.#pick([
          {
            ...object,
            gateway: ip(object.dst.includes(':') ? 'fd99::77' : '192.168.0.77'),
            link: UNDERLAY,
            onlink: false,
          },
          { ...object, protocol: 3 },
        ]);
      case 'neighbour':
        return { ...object, mac: macOf(77, 4) };
      case 'fdb':
        return { ...object, dst: object.dst.includes(':') ? ip('fd99::77') : ip('192.168.0.77') };
      default:
        return object;
    }
  }

  #stray() {
    const link = this.#ourLink();
    const dst = prefix(`10.42.${this.#random(60)}.0/24`);
    const route = { kind: 'route', dst, gateway: undefined, link, onlink: false, metric: undefined } as const;
    return this.#pick([
      { ...route, protocol: 4 },
      { ...route, protocol: ROUTE_PROTOCOL, link: UNDERLAY },
      { ...route, protocol: 4, metric: 60 },
      { kind: 'neighbour', link, ip: ip(`10.42.${this.#random(60)}.0`), mac: macOf(88, 4) } as const,
      {
        kind: 'fdb',
        link,
        mac: macOf(88, 4),
        dst: ip(link.includes('v6') ? 'fd99::88' : '192.168.0.88'),
      } as const,
      { kind: 'address', link, ip: ip(`10.42.${this.#random(60)}.9`), length: 32 } as const,
    ]);
  }

  #damageSettings(): void {
    const { rig } = this;
    const link = this.#ourLink();
    if (rig.kernel.links.get(link) !== undefined) {
      rig.alien.setSysctl(`net/ipv6/conf/${link}/accept_ra`, '1');
      rig.alien.setOffload(link, 'tx-checksum-ip-generic', true);
    }
    rig.kernel.files.set('/run/flannel/subnet.env', 'garbage');
  }

  #underlayReturns(): void {
    if (this.rig.kernel.links.get(UNDERLAY) === undefined) this.rig.makeUnderlay();
    this.#away = false;
  }

  #readdress(): void {
    const { rig } = this;
    const next = 1 + this.#random(3);
    const [ipv4, ipv6] = [ip(`192.168.200.${next}`), ip(`fd99::200:${next}`)];
    rig.replan({ underlay: underlayOf({ mtuBytes: rig.underlay.mtuBytes, ipv4, ipv6 }) });
    this.#restoreUnderlayAddresses();
  }

  #restoreUnderlayAddresses(): void {
    const { alien, underlay, kernel } = this.rig;
    if (kernel.links.get(UNDERLAY) === undefined) return;
    const wanted = [
      { kind: 'address', link: UNDERLAY, ip: underlay.ipv4 ?? ip('192.168.0.1'), length: 16 },
      { kind: 'address', link: UNDERLAY, ip: underlay.ipv6 ?? ip('fd99::1'), length: 64 },
    ] as const;
    for (const address of wanted) alien.make(address);
    const keep = new Set<string>(wanted.map(keyOf));
    for (const address of kernel.links.get(UNDERLAY)?.addresses.values() ?? [])
      if (!keep.has(keyOf(address))) alien.remove(address);
  }

  #changePlan(): void {
    const { rig } = this;
    const backend = this.#pick([
      VXLAN,
      VXLAN,
      HOST_GW,
      { ...VXLAN, vni: 7 },
      { ...VXLAN, directRouting: true },
      { ...VXLAN, learning: true, mtuBytes: 1350 },
      { ...VXLAN, port: 4789 },
      { ...VXLAN, gbp: true },
    ]);
    const near = this.#pick([/[13579]$/, /[02468]$/, /^$/]);
    const underlay = { ...rig.underlay, onLink: (to: string) => (near.test(to) ? UNDERLAY : undefined) };
    rig.replan({ backend, families: this.#peers.someFamilies(), underlay });
    this.#peers.republish();
    // A restart reads everything anew.
    this.#peers.tell('all');
  }

  #beginErrors(): void {
    const of = this.#pick([
      'route ',
      'neighbour ',
      'fdb ',
      'address ',
      'link ',
      'file ',
      '10.42.5.0',
      'fd42',
      '',
    ]);
    const verbs = this.#pick([
      ['create', 'replace', 'recreate', 'remove'],
      ['remove'],
      ['create', 'replace'],
    ]);
    const rarely = this.#random(2) === 0;
    const errno = this.#pick([22, 105, 16, 1]);
    this.rig.refuse(
      (key, verb) => key.includes(of) && verbs.includes(verb) && !(rarely && this.#random(4) > 0),
      errno,
    );
  }

  #pick<T>(items: readonly T[]): T {
    return pickFrom(this.#random, items);
  }
}
