/**
 * What it costs to add and delete a pod: our plugins beside the reference's, each chain on a node of its own, both with
 * their files on the same tmpfs.
 *
 * @module
 */
import { closeSync, constants, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { pathOf, REFERENCE } from '../net/cni-plugin.ts';
import { type Chain, ChainStage } from './cni-chains.ts';
import { readProcess } from './process.ts';
import { lacking, type Row, rowOf } from './row.ts';
import { median } from './statistics.ts';

const PARALLEL = 16;
const FIRST_PORT = 20_000;
/** A plugin that has nothing more to do than to print waits by then. */
const HELD_MS = 500;

/** One call. */
interface Use {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** One pod after the other, then many at once; the chains take turns, so that what else the machine does befalls all. */
export async function cniRows(times: number): Promise<Row[]> {
  using stage = new ChainStage();
  const rows: Row[] = [];
  for (const hostPort of [undefined, FIRST_PORT]) {
    using reference = new Measured(stage.reference(), hostPort);
    using own = new Measured(stage.ours('own'), hostPort);
    using k3s = new Measured(stage.ours("K3s'"), hostPort);
    const all = [reference, own, k3s];
    for (let i = 0; i < times; i++) for (const each of all) await each.addAndDeleteOne();
    for (let i = 0; i < times / 10; i++) for (const each of all) await each.addAndDeleteMany();
    rows.push(...reference.rows(), ...own.rows(reference), ...k3s.rows());
  }
  return [...rows, ...(await memoryRows(stage))];
}

const VERBS = ['ADD', 'DEL'] as const;

/** A node with one chain, pods without a network, and what came of calls. */
class Measured implements Disposable {
  readonly #chain: Chain;
  readonly #hostPort: number | undefined;
  readonly #node = createNetns();
  readonly #pods = Array.from({ length: PARALLEL }, () => createNetns());
  readonly one: Record<'ADD' | 'DEL', Use[]> = { ADD: [], DEL: [] };
  readonly many: Record<'ADD' | 'DEL', Use[]> = { ADD: [], DEL: [] };

  constructor(chain: Chain, hostPort: number | undefined) {
    this.#chain = chain;
    this.#hostPort = hostPort;
  }

  async addAndDeleteOne(): Promise<void> {
    for (const verb of VERBS) {
      for (const pod of this.#pods.slice(0, 1)) this.one[verb].push(await this.#call(verb, pod, 0));
    }
  }

  async addAndDeleteMany(): Promise<void> {
    for (const verb of VERBS) {
      const startMs = performance.now();
      const uses = await Promise.all(this.#pods.map((pod, at) => this.#call(verb, pod, at)));
      const cpuMs = uses.reduce((sum, use) => sum + use.cpuMs, 0);
      this.many[verb].push({ wallMs: performance.now() - startMs, cpuMs });
    }
  }

  #call(verb: 'ADD' | 'DEL', pod: Netns, at: number): Promise<Use> {
    const hostPort = this.#hostPort === undefined ? undefined : this.#hostPort + at;
    return callAll(this.#chain, { verb, node: this.#node, pod, id: `pod-${at}`, hostPort });
  }

  /** Both verbs; `beside` is what ADD is meant not to exceed. */
  rows(beside?: Measured): Row[] {
    const pods = `${this.#hostPort === undefined ? 'a pod' : 'a pod with a hostPort'}, ${this.#chain.name}`;
    return VERBS.flatMap((verb) => {
      const named = (what: string) => `${verb} of ${pods}: ${what}`;
      const reach = (of: (measured: Measured) => number) =>
        beside === undefined || verb === 'DEL' ? {} : { reach: { median: Math.round(of(beside) * 10) / 10 } };
      const cpu = ({ many }: Measured) => many[verb].map(({ cpuMs }) => cpuMs);
      const wall = (uses: readonly Use[]) => uses.map(({ wallMs }) => wallMs);
      return [
        rowOf(named('one'), wall(this.one[verb]), {
          unit: 'ms',
          p99: true,
          ...reach(({ one }) => median(wall(one[verb]))),
        }),
        rowOf(named(`${PARALLEL} at once`), wall(this.many[verb]), { unit: 'ms' }),
        rowOf(named(`CPU for ${PARALLEL} at once`), cpu(this), {
          unit: 'ms',
          ...reach((measured) => median(cpu(measured))),
        }),
      ];
    });
  }

  [Symbol.dispose](): void {
    for (const each of this.#pods) each.close();
    this.#node.close();
  }
}

interface Pod {
  readonly verb: 'ADD' | 'DEL';
  readonly node: Netns;
  readonly pod: Netns;
  readonly id: string;
  readonly hostPort?: number | undefined;
}

/** The chain as a runtime calls it: each plugin is given the result of the one before, DEL goes backwards. */
async function callAll({ plugins, portsAt }: Chain, target: Pod): Promise<Use> {
  const startMs = performance.now();
  let cpuMs = 0;
  let prevResult: unknown;
  for (const { program, config } of target.verb === 'ADD' ? plugins : plugins.toReversed()) {
    const isChained = program.endsWith('portmap') && prevResult !== undefined;
    const stdin = JSON.stringify({
      cniVersion: '1.0.0',
      ...config,
      ...(plugins[portsAt]?.program === program ? portsOf(target) : {}),
      ...(isChained ? { prevResult } : {}),
    });
    const process = start(program, { ...target, stdin, stdout: 'pipe' });
    const text = await new Response(process.stdout).text();
    if ((await process.exited) !== 0) throw new Error(`${program} ${target.verb}: ${text}`);
    // In microseconds, with those of the plugins that it ran.
    cpuMs += Number(process.resourceUsage()?.cpuTime.total ?? 0) / 1000;
    prevResult = text === '' ? undefined : JSON.parse(text);
  }
  return { wallMs: performance.now() - startMs, cpuMs };
}

function portsOf({ hostPort }: Pod): object {
  if (hostPort === undefined) return {};
  return { runtimeConfig: { portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }] } };
}

interface Start extends Pod {
  readonly stdin: string;
}

function start<O extends 'pipe' | number>(
  program: string,
  { verb, node, pod, id, stdin, stdout }: Start & { stdout: O },
) {
  return inNetns(node, () =>
    Bun.spawn([program], {
      stdin: Buffer.from(stdin),
      stdout,
      stderr: 'ignore',
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        CNI_COMMAND: verb,
        CNI_CONTAINERID: id,
        CNI_NETNS: pathOf(pod),
        CNI_IFNAME: program.endsWith('loopback') ? 'lo' : 'eth0',
        CNI_PATH: REFERENCE,
      },
    }),
  );
}

async function memoryRows(stage: ChainStage): Promise<Row[]> {
  const rows: Row[] = [];
  for (const chain of [stage.reference(), stage.ours('own')]) {
    const [, plugin] = chain.plugins;
    const measure = `memory of one plugin process at the end of its ADD, ${chain.name}`;
    const use = plugin === undefined ? undefined : await heldUse(plugin, stage.fifo);
    rows.push(
      use === undefined
        ? lacking(measure, 'it did not wait')
        : {
            ...rowOf(measure, [use.peakKib / 1024], { unit: 'MB' }),
            spread: `${(use.anonKib / 1024).toFixed(1)} anonymous`,
          },
    );
  }
  return rows;
}

/** Reads a process that has done all but print its result, for which there is no room. */
async function heldUse({ program, config }: Chain['plugins'][number], fifo: string) {
  using node = createNetns();
  using pod = createNetns();
  rmSync(fifo, { force: true });
  Bun.spawnSync(['mkfifo', fifo]);
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const full = fill(fd);
  const blocking = openSync(fifo, constants.O_WRONLY);
  try {
    const stdin = JSON.stringify({ cniVersion: '1.0.0', ...config });
    const process = start(program, { verb: 'ADD', node, pod, id: 'held', stdin, stdout: blocking });
    await Bun.sleep(HELD_MS);
    const use = process.exitCode === null ? readProcess(process.pid) : undefined;
    readSync(fd, Buffer.alloc(full));
    await process.exited;
    await start(program, { verb: 'DEL', node, pod, id: 'held', stdin, stdout: blocking }).exited;
    return use;
  } finally {
    closeSync(blocking);
    closeSync(fd);
  }
}

/** Fills a pipe and gives back with how much. */
function fill(fd: number): number {
  for (let size = 0, part = 4096; ; size += part) {
    try {
      writeSync(fd, Buffer.alloc(part));
    } catch {
      return size;
    }
  }
}
