/**
 * A network namespace with an underlay interface, as the stage for one measurement.
 *
 * @module
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import type { Family } from '../../src/model/ip.ts';
import { ROUTE_PROTOCOL } from '../../src/model/objects.ts';
import { RTMGRP } from '../../src/netlink/route.ts';
import { run } from '../net/witness.ts';
import { type SeedOptions, seedLeases } from './leases.ts';
import { Witness } from './witness.ts';

/** What is measured. */
export const EXECUTABLE = join(import.meta.dir, '../../dist/flannelette');

/** One stage: dispose of it when done. */
export class BenchNode implements Disposable {
  readonly netns: Netns = createNetns();
  readonly directory = mkdtempSync(join(tmpdir(), 'flannelette-bench-'));
  readonly options: SeedOptions;

  constructor(options: SeedOptions) {
    this.options = options;
    for (const command of UNDERLAY) run(this.netns, command.split(' '));
    writeFileSync(this.path('net-conf.json'), JSON.stringify(netConf(options)));
    seedLeases(this.path('leases.db'), options);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Starts the executable as this node's agent, behind what `wrapper` says; `store` are the flags of another one. */
  startAgent(wrapper: readonly string[] = [], store?: Readonly<Record<string, string>>): BenchAgent {
    const database = {
      'lease-db': this.path('leases.db'),
      'net-config-path': this.path('net-conf.json'),
    };
    const flags = {
      ...(store ?? database),
      'subnet-file': this.path('subnet.env'),
      'state-dir': this.path('state'),
      socket: this.path('agent.sock'),
      iface: 'eth0',
      'install-cni': 'false',
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const { PATH = '' } = process.env;
    const startedMs = performance.now();
    const child = inNetns(this.netns, () =>
      Bun.spawn([...wrapper, EXECUTABLE, 'run', ...args], {
        env: { NODE_NAME: 'bench-node', PATH },
        stdin: 'ignore',
        stdout: 'ignore',
        stderr: Bun.file(this.path('log')),
      }),
    );
    return { process: child, startedMs };
  }

  /** The base address of the agent's own IPv4 subnet, once it has one. */
  ownSubnetBase(): string {
    const text = readFileSync(this.path('subnet.env'), 'utf8');
    return (/^FLANNEL_SUBNET=([\d.]+)\.\d+\//m.exec(text)?.[1] ?? '').concat('.0');
  }

  /** How many objects of each kind `ip` and `bridge` find, to prove that the witness was right. */
  counts(): { readonly routes: number; readonly neighbours: number; readonly forwarding: number } {
    const lines = (command: string) => run(this.netns, command.split(' ')).trim().split('\n').filter(Boolean);
    const both = (command: string) =>
      this.options.families.flatMap((family) => lines(`ip -${family} ${command}`));
    return {
      routes: both(`route show proto ${ROUTE_PROTOCOL}`).length,
      neighbours: both('neigh show nud permanent').length,
      forwarding: lines('bridge fdb show').filter((line) => line.includes(' dst ')).length,
    };
  }

  [Symbol.dispose](): void {
    this.netns.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Starts an agent and waits until all of its node's leases are in the kernel. */
export async function startedAgent(node: BenchNode, wrapper: readonly string[] = []): Promise<BenchAgent> {
  const { count, families } = node.options;
  const routes = count === 0 ? undefined : untilRoutes(node, count * families.length);
  const agent = node.startAgent(wrapper);
  await routes;
  while (!existsSync(node.path('subnet.env'))) await Bun.sleep(1);
  return agent;
}

/** A running agent. */
export interface BenchAgent {
  readonly process: Bun.Subprocess;
  readonly startedMs: number;
}

/** Ends an agent and waits until it has ended. */
export async function endAgent({ process }: BenchAgent): Promise<void> {
  process.kill('SIGKILL');
  await process.exited;
}

/** When the first and the last of `count` routes came into the kernel; by events, at no cost to the agent. */
export async function untilRoutes(
  node: BenchNode,
  count: number,
  protocol: number = ROUTE_PROTOCOL,
): Promise<{ readonly firstMs: number; readonly lastMs: number }> {
  using witness = new Witness(node.netns, RTMGRP.IPV4_ROUTE | RTMGRP.IPV6_ROUTE);
  let seen = 0;
  let firstMs = 0;
  const { atMs } = await witness.next((heard) => {
    if (heard.gone || heard.protocol !== protocol) return false;
    if (seen++ === 0) firstMs = heard.atMs;
    return seen === count;
  });
  return { firstMs, lastMs: atMs };
}

const UNDERLAY = [
  'ip link set lo up',
  'ip link add eth0 type veth peer name cable',
  'ip link set cable up',
  'ip addr add 172.16.0.1/12 dev eth0',
  'ip addr add fd77::1/64 dev eth0 nodad',
  'ip link set eth0 up',
];

function netConf({ families, backend }: SeedOptions): object {
  const has = (family: Family) => families.includes(family);
  return {
    EnableIPv4: has(4),
    EnableIPv6: has(6),
    ...(has(4) ? { Network: '10.64.0.0/10', SubnetLen: 24 } : {}),
    ...(has(6) ? { IPv6Network: 'fd42::/40', IPv6SubnetLen: 64 } : {}),
    Backend: { Type: backend },
  };
}
