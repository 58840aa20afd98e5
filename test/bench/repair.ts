/**
 * From the announcement of a damage to the announcement of its repair, by kind of object.
 *
 * @module
 */
import { inNetns } from '../../ffi/netns.ts';
import { ROUTE_PROTOCOL } from '../../src/model/objects.ts';
import { BenchNode, endAgent, startedAgent } from './bench-node.ts';
import { macOf, publicIpOf, subnetOf } from './leases.ts';
import { type Row, rowOf } from './row.ts';
import { type Heard, Witness } from './witness.ts';

const PEERS = 10;
const PAUSE_MS = 60;
const DEVICE = 'flannel.1';

/** One sort of damage. */
interface Damage {
  readonly what: string;
  readonly tool: 'ip' | 'bridge';
  /** On peer `i`. */
  readonly command: (i: number, own: string) => string;
  readonly isDamage: (heard: Heard, i: number, own: string) => boolean;
  readonly isRepair: (heard: Heard, i: number, own: string) => boolean;
}

const base = (i: number) => subnetOf(i, 4).replace(/\/\d+$/, '');
const isRoute = ({ kind, name, gone, protocol }: Heard, i: number) =>
  kind === 'route' && name === base(i) && !gone && protocol === ROUTE_PROTOCOL;
const isDevice = ({ kind, name }: Heard) => kind === 'link' && name === DEVICE;

const ROUTE_GONE: Damage = {
  what: 'route deleted',
  tool: 'ip',
  command: (i) => `route delete ${subnetOf(i, 4)}`,
  isDamage: ({ kind, name, gone }, i) => kind === 'route' && name === base(i) && gone,
  isRepair: isRoute,
};

const ROUTE_TAKEN: Damage = {
  what: 'route replaced',
  tool: 'ip',
  command: (i) => `route replace ${subnetOf(i, 4)} via 172.16.0.99 dev eth0 proto static`,
  isDamage: ({ kind, name, gone, protocol }, i) =>
    kind === 'route' && name === base(i) && !gone && protocol === 4,
  isRepair: isRoute,
};

const VXLAN: readonly Damage[] = [
  {
    what: 'device deleted, to the device',
    tool: 'ip',
    command: () => `link delete ${DEVICE}`,
    isDamage: (heard) => isDevice(heard) && heard.gone,
    isRepair: (heard) => isDevice(heard) && !heard.gone,
  },
  {
    what: 'device deleted, to the last route',
    tool: 'ip',
    command: () => `link delete ${DEVICE}`,
    isDamage: (heard) => isDevice(heard) && heard.gone,
    isRepair: (heard) => isRoute(heard, PEERS - 1),
  },
  {
    what: 'device set down, to up',
    tool: 'ip',
    command: () => `link set ${DEVICE} down`,
    isDamage: (heard) => isDevice(heard) && !heard.up,
    isRepair: (heard) => isDevice(heard) && heard.up,
  },
  {
    what: 'address deleted',
    tool: 'ip',
    command: (_, own) => `address delete ${own}/32 dev ${DEVICE}`,
    isDamage: ({ kind, name, gone }, _, own) => kind === 'address' && name === own && gone,
    isRepair: ({ kind, name, gone }, _, own) => kind === 'address' && name === own && !gone,
  },
  ROUTE_GONE,
  ROUTE_TAKEN,
  {
    what: 'neighbour deleted',
    tool: 'ip',
    command: (i) => `neighbour delete ${base(i)} dev ${DEVICE}`,
    isDamage: ({ kind, name, gone }, i) => kind === 'neighbour' && name === base(i) && gone,
    isRepair: ({ kind, name, gone }, i) => kind === 'neighbour' && name === base(i) && !gone,
  },
  {
    what: 'FDB entry deleted',
    tool: 'bridge',
    command: (i) => `fdb delete ${macOf(i, 4)} dev ${DEVICE} dst ${publicIpOf(i, 4)}`,
    isDamage: ({ kind, name, gone }, i) => kind === 'fdb' && name === macOf(i, 4) && gone,
    isRepair: ({ kind, name, gone }, i) => kind === 'fdb' && name === macOf(i, 4) && !gone,
  },
];

const DAMAGES = { vxlan: VXLAN, 'host-gw': [ROUTE_GONE, ROUTE_TAKEN] } as const;

/** A tool that was started beforehand, so that nothing is forked while it is measured. */
class Hand implements AsyncDisposable {
  readonly #process: Bun.Subprocess<'pipe', 'ignore', 'ignore'>;

  constructor(node: BenchNode, tool: Damage['tool']) {
    this.#process = inNetns(node.netns, () =>
      Bun.spawn([tool, '-force', '-batch', '-'], { stdin: 'pipe', stdout: 'ignore', stderr: 'ignore' }),
    );
  }

  do(command: string): void {
    this.#process.stdin.write(`${command}\n`);
    void this.#process.stdin.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    void this.#process.stdin.end();
    await this.#process.exited;
  }
}

/** How soon after a deletion `ip` itself can make the device again: the kernel's share of the repair. */
export async function linkFloorRows(times: number): Promise<Row[]> {
  using node = new BenchNode({ count: 0, families: [4], backend: 'vxlan' });
  using witness = new Witness(node.netns);
  await using ip = new Hand(node, 'ip');
  const add = `link add ${DEVICE} type vxlan id 1 local 172.16.0.1 dev eth0 dstport 8472 nolearning`;
  const values: number[] = [];
  ip.do(add);
  for (let run = 0; run < times; run++) {
    const made = witness.next(
      repairAfter(
        (heard) => isDevice(heard) && heard.gone,
        (heard) => isDevice(heard) && !heard.gone,
        { i: 0, own: '' },
      ),
    );
    const gone = witness.next((heard) => isDevice(heard) && heard.gone);
    ip.do(`link delete ${DEVICE}\n${add}`);
    values.push((await made).atMs - (await gone).atMs);
    await Bun.sleep(PAUSE_MS);
  }
  return [rowOf('by ip -batch: device deleted and made again', values, { unit: 'ms', digits: 2, p95: true })];
}

/** Rows for one backend. */
export async function repairRows(backend: 'vxlan' | 'host-gw', times: number): Promise<Row[]> {
  using node = new BenchNode({ count: PEERS, families: [4], backend });
  const agent = await startedAgent(node);
  await Bun.sleep(1_500);
  const own = node.ownSubnetBase();
  using witness = new Witness(node.netns);
  await using ip = new Hand(node, 'ip');
  await using bridge = new Hand(node, 'bridge');
  const rows: Row[] = [];
  for (const { what, tool, command, isDamage, isRepair } of DAMAGES[backend]) {
    const values: number[] = [];
    for (let run = 0; run < times; run++) {
      // Each peer in turn: nothing is damaged so often that it looks like a fight.
      const i = run % PEERS;
      const repaired = witness.next(repairAfter(isDamage, isRepair, { i, own }));
      const damaged = witness.next((heard) => isDamage(heard, i, own));
      (tool === 'ip' ? ip : bridge).do(command(i, own));
      values.push((await repaired).atMs - (await damaged).atMs);
      await Bun.sleep(PAUSE_MS);
    }
    rows.push(
      rowOf(`repair, ${backend}: ${what}`, values, {
        unit: 'ms',
        digits: 2,
        p95: true,
        reach: { median: 5, p95: 20 },
      }),
    );
  }
  await endAgent(agent);
  return rows;
}

/** The repair that follows the damage: what was heard before it does not count. */
function repairAfter(
  isDamage: Damage['isDamage'],
  isRepair: Damage['isRepair'],
  { i, own }: { readonly i: number; readonly own: string },
): (heard: Heard) => boolean {
  let isDamaged = false;
  return (heard) => {
    if (isDamaged && isRepair(heard, i, own)) return true;
    isDamaged ||= isDamage(heard, i, own);
    return false;
  };
}
