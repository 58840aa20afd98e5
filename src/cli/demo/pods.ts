/**
 * Pods as a container runtime makes them: a namespace for each, and the executable as a CNI plugin does the rest.
 *
 * @module
 */
import { join } from 'node:path';
import * as v from 'valibot';
import { createNetns, inNetns, type Netns } from '../../../ffi/netns.ts';
import { addressAt, type Family, familyOf, type Ip, parseIp } from '../../model/ip.ts';
import type { Agent } from './agents.ts';
import { DemoFailure } from './failure.ts';
import { Rtnl } from './rtnl.ts';
import { untilCarrying } from './settle.ts';
import type { NodeSubnets } from './subnet-env.ts';
import { type NodeSpace, writeSysctls } from './topology.ts';

/** The plugin's default, and what runtimes call a pod's interface. */
const BRIDGE = 'cni0';
const POD_LINK = 'eth0';

/** As K3s and kube-flannel have it. */
const DELEGATE = { hairpinMode: true, forceAddress: true, isDefaultGateway: true };

/** What is read of the plugin's result (CNI 1.0.0), and of its errors. */
const resultSchema = v.object({ ips: v.array(v.object({ address: v.string() })) });
const errorSchema = v.object({ msg: v.string(), details: v.optional(v.string(), '') });

/** A pod's namespace and addresses. */
export interface Pod extends Disposable {
  readonly node: NodeSpace;
  readonly netns: Netns;
  /** Its own address of each family that the node has a subnet of. */
  readonly ips: ReadonlyMap<Family, Ip>;
}

/** What a pod is made with. */
export interface PodOptions {
  /** Of the pod's node; it is ready. */
  readonly agent: Agent;
  readonly subnets: NodeSubnets;
  /** The executable, as it is started without arguments. */
  readonly command: readonly string[];
}

/** Makes a pod on the agent's node. Throws {@link DemoFailure} with the plugin's words if that cannot be. */
export async function addPod({ agent, subnets, command }: PodOptions): Promise<Pod> {
  const { node } = agent;
  using stack = new DisposableStack();
  const netns = stack.use(createNetns());
  using rtnl = new Rtnl(netns);
  writeSysctls(netns, { 'net/ipv6/conf/default/disable_ipv6': 0 });
  // A runtime has the plugin `loopback` do this.
  rtnl.setLink('lo', { up: true });
  const ips = await callPlugin(agent, { netns, command });
  const gateways = [...subnets.subnets.values()].map((subnet) => addressAt(subnet, 1n));
  await untilCarrying([
    { netns: node.netns, rtnl: node.rtnl, link: BRIDGE, ips: gateways },
    { netns, rtnl, link: POD_LINK, ips: [...ips.values()] },
  ]);
  const held = stack.move();
  return { node, netns, ips, [Symbol.dispose]: () => held.dispose() };
}

/** ADD in the node's namespace. Gives back the pod's addresses. */
async function callPlugin(
  { node, directory, subnetFile }: Agent,
  { netns, command: [program = '', ...args] }: { netns: Netns; command: readonly string[] },
): Promise<ReadonlyMap<Family, Ip>> {
  const config = {
    cniVersion: '1.0.0',
    name: 'demo',
    type: 'flannelette',
    subnetFile,
    // All that it writes is below the node's directory, not where a machine's plugins write.
    dataDir: join(directory, 'cni'),
    ipam: { dataDir: join(directory, 'addresses') },
    delegate: DELEGATE,
  };
  const env = {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: `pod-of-${node.name}`,
    CNI_NETNS: `/proc/${process.pid}/fd/${netns.fd}`,
    CNI_IFNAME: POD_LINK,
    CNI_PATH: directory,
  };
  const stdin = Buffer.from(JSON.stringify(config));
  const plugin = inNetns(node.netns, () =>
    Bun.spawn([program, ...args], { argv0: config.type, cwd: '/', env, stdin, stderr: 'pipe' }),
  );
  const [printed, said] = await Promise.all([plugin.stdout.text(), plugin.stderr.text()]);
  if ((await plugin.exited) !== 0) throw failureOf(node, [printed, said]);
  const { ips } = v.parse(v.pipe(v.string(), v.parseJson(), resultSchema), printed);
  return new Map(ips.flatMap(({ address }) => addressOf(address)));
}

function addressOf(address: string): [Family, Ip][] {
  const ip = parseIp(address.replace(/\/.*/, ''));
  return ip === undefined ? [] : [[familyOf(ip), ip]];
}

function failureOf({ name }: NodeSpace, texts: readonly string[]): DemoFailure {
  const error = v.safeParse(v.pipe(v.string(), v.parseJson(), errorSchema), texts[0]);
  const details = error.success ? [error.output.msg, error.output.details] : texts;
  return new DemoFailure(`The plugin made no pod on ${name}`, details.filter(Boolean));
}
