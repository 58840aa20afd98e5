/**
 * The same objects by iproute2's own batch tools, for comparison in the same run.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { inNetns } from '../../ffi/netns.ts';
import { RTPROT } from '../../src/netlink/route.ts';
import { run } from '../net/witness.ts';
import { BenchNode, untilRoutes } from './bench-node.ts';
import { macOf, publicIpOf, type SeedOptions, subnetOf } from './leases.ts';

/** How long the tools took. */
export interface ToolTimes {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** Programs all peers with `bridge -batch` and `ip -batch`, one after the other, devices made beforehand. */
export async function programWithTools(options: SeedOptions): Promise<ToolTimes> {
  using node = new BenchNode({ ...options, count: 0 });
  const batches = makeBatches(node, options);
  // The same witness listens as beside the agent: its share of the work is the same, too.
  const routes = untilRoutes(node, options.count * options.families.length, RTPROT.BOOT);
  let cpuMs = 0;
  const startMs = performance.now();
  for (const command of batches) {
    const tool = inNetns(node.netns, () => Bun.spawn(command, { stdin: 'ignore', stderr: 'pipe' }));
    const exitCode = await tool.exited;
    if (exitCode !== 0) throw new Error(`'${command.join(' ')}' failed: ${await tool.stderr.text()}`);
    cpuMs += Number(tool.resourceUsage()?.cpuTime.total ?? 0) / 1_000;
  }
  const wallMs = performance.now() - startMs;
  await routes;
  return { wallMs, cpuMs };
}

function makeBatches(node: BenchNode, { count, families, backend }: SeedOptions): string[][] {
  const fdb: string[] = [];
  const commands: string[][] = [];
  for (const family of families) {
    const device = family === 4 ? 'flannel.1' : 'flannel-v6.1';
    const lines: string[] = [];
    if (backend === 'vxlan') {
      const local = family === 4 ? '172.16.0.1' : 'fd77::1';
      run(
        node.netns,
        `ip link add ${device} type vxlan id 1 local ${local} dev eth0 dstport 8472 nolearning`.split(' '),
      );
      run(node.netns, `ip link set ${device} up`.split(' '));
    }
    for (let i = 0; i < count; i++) {
      const subnet = subnetOf(i, family);
      const base = subnet.slice(0, subnet.indexOf('/'));
      const publicIp = publicIpOf(i, family);
      if (backend === 'host-gw') {
        lines.push(`route replace ${subnet} via ${publicIp} dev eth0`);
        continue;
      }
      fdb.push(`fdb replace ${macOf(i, family)} dev ${device} dst ${publicIp} self permanent`);
      lines.push(`neigh replace ${base} lladdr ${macOf(i, family)} dev ${device} nud permanent`);
      lines.push(`route replace ${subnet} via ${base} dev ${device} onlink`);
    }
    const file = node.path(`ip-${family}.batch`);
    writeFileSync(file, `${lines.join('\n')}\n`);
    commands.push(['ip', `-${family}`, '-batch', file]);
  }
  if (fdb.length === 0) return commands;
  const file = node.path('bridge.batch');
  writeFileSync(file, `${fdb.join('\n')}\n`);
  return [['bridge', '-batch', file], ...commands];
}
