/**
 * A network namespace with an underlay interface, as the stage for one measurement.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { openNetlink } from '../../ffi/socket.ts';
import { watchNetlink } from '../../ffi/watch.ts';
import type { Family } from '../../src/model/ip.ts';
import { ROUTE_PROTOCOL } from '../../src/model/objects.ts';
import { eachMessage } from '../../src/netlink/frame.ts';
import { NETLINK_ROUTE, RTM, RTMGRP, routeMessage } from '../../src/netlink/route.ts';
import { run } from '../net/witness.ts';
import { type SeedOptions, seedLeases } from './leases.ts';

/** Room for the announcement of every object of the largest measurement. */
const WITNESS_BUFFER_BYTES = 64 * 1024 * 1024;

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

  /** Starts the executable as this node's agent. */
  startAgent(executable: string): BenchAgent {
    const flags = {
      'lease-db': this.path('leases.db'),
      'net-config-path': this.path('net-conf.json'),
      'subnet-file': this.path('subnet.env'),
      'state-dir': this.path('state'),
      socket: this.path('agent.sock'),
      iface: 'eth0',
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const startedMs = performance.now();
    const process = inNetns(this.netns, () =>
      Bun.spawn([executable, 'run', ...args], {
        env: { NODE_NAME: 'bench-node' },
        stdin: 'ignore',
        stdout: 'ignore',
        stderr: Bun.file(this.path('log')),
      }),
    );
    return { process, startedMs };
  }

  /** Tells when the first and the last of `count` routes came into the kernel; by events, at no cost to the agent. */
  untilRoutes(
    count: number,
    protocol: number = ROUTE_PROTOCOL,
  ): Promise<{ readonly firstMs: number; readonly lastMs: number }> {
    const socket = inNetns(this.netns, () =>
      openNetlink({
        protocol: NETLINK_ROUTE,
        groups: RTMGRP.IPV4_ROUTE | RTMGRP.IPV6_ROUTE,
        receiveBufferBytes: WITNESS_BUFFER_BYTES,
      }),
    );
    if (typeof socket === 'number') throw new Error(`Cannot open a netlink socket: errno ${-socket}`);
    return new Promise((resolve, reject) => {
      let seen = 0;
      let firstMs = 0;
      const watch = watchNetlink(socket, {
        onLost: (reason) => reject(new Error(`The witness lost events: ${reason}`)),
        onDatagram: (bytes) =>
          eachMessage(bytes, bytes.length, ({ type }, payload) => {
            if (type !== RTM.NEWROUTE || routeMessage.read(payload).header.protocol !== protocol) return;
            if (seen++ === 0) firstMs = performance.now();
            if (seen !== count) return;
            resolve({ firstMs, lastMs: performance.now() });
            watch.close();
          }),
      });
    });
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

/** A process's memory in KiB and its CPU time, as /proc tells. */
export function readProcess(pid: number): {
  rssKib: number;
  anonKib: number;
  peakKib: number;
  cpuMs: number;
} {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  // proc(5): utime and stime, in ticks of 10 ms, are the 14th and 15th fields.
  const cpuMs = (Number(stat[11]) + Number(stat[12])) * 10;
  return { rssKib: field('VmRSS'), anonKib: field('RssAnon'), peakKib: field('VmHWM'), cpuMs };
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
