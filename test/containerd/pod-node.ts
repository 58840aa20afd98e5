/**
 * A node that runs pods: beside its network it has files, mounts and processes of its own, Debian's containerd, and an
 * agent. Whatever the three write where they do on a machine goes with the node.
 *
 * @module
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inNetns, openNetnsAt } from '../../ffi/netns.ts';
import { Agent, type Site } from '../../src/cli/demo/agents.ts';
import type { Pod } from '../../src/cli/demo/pods.ts';
import type { NodeSpace } from '../../src/cli/demo/topology.ts';
import { type Family, familyOf, type Ip, parseIp } from '../../src/model/ip.ts';
import { eventually } from '../net/agent-support.ts';
import { Cri, type PortMapping, type SandboxConfig } from './cri.ts';
import { IMAGE, writeImage } from './image.ts';

/**
 * The first process of a node: what is written below these folders is kept in memory, over what the machine has
 * there. Its end is that of everything on the node.
 */
const BOOT = `set -e
disk="$1/disk"
for folder in etc opt var/lib; do
  mkdir -p "$disk/upper/$folder" "$disk/work/$folder"
  options="lowerdir=/$folder,upperdir=$disk/upper/$folder,workdir=$disk/work/$folder"
  mount -t overlay overlay -o "$options" "/$folder"
done
mkdir -p /var/lib/containerd "$disk/containerd"
mount --bind "$disk/containerd" /var/lib/containerd
mount -t tmpfs tmpfs /run
# The agent is told another place for what it writes there.
ln -s "$1" /run/flannel
echo up
while sleep 1; do :; done
`;

/** Where containerd looks for plugins unless told otherwise, and where they are installed. */
export const PLUGINS = '/opt/cni/bin';

const CONFIG = '/etc/containerd/config.toml';
const SOCKET = '/run/containerd/containerd.sock';

/** A pod that containerd runs. It is removed as a kubelet does: `await using pod = await node.runPod()`. */
export interface CriPod extends Pod, AsyncDisposable {
  readonly id: string;
  readonly config: SandboxConfig;
}

/** A node: `await using node = await PodNode.boot(lab.node(1).space, lab.site)`. */
export class PodNode implements AsyncDisposable {
  readonly space: NodeSpace;
  /** For logs and for what a test writes, which outlives the node. */
  readonly directory: string;
  readonly cri: Cri;
  readonly #site: Site;
  readonly #init: Bun.Subprocess<'ignore', 'pipe', 'inherit'>;
  readonly #pid: number;
  #agent: Agent | undefined;
  #containerd: Bun.Subprocess | undefined;
  #hasImage = false;
  static #pods = 0;

  private constructor(space: NodeSpace, { site, init, pid }: Booted) {
    this.space = space;
    this.#site = site;
    this.#init = init;
    this.#pid = pid;
    this.directory = join(site.directory, space.name);
    this.cri = new Cri(this.path(SOCKET));
  }

  /** Makes the node, or boots it again with the disk that it had; neither agent nor containerd run yet. */
  static async boot(space: NodeSpace, site: Site): Promise<PodNode> {
    const folder = join(site.directory, space.name);
    const disk = join(folder, 'disk');
    if (mkdirSync(disk, { recursive: true }) !== undefined) execute(['mount', '-t', 'tmpfs', 'tmpfs', disk]);
    const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const shell = ['sh', '-c', BOOT, 'init', folder];
    const command = ['setpriv', '--pdeathsig', 'KILL', ...namespaces, ...shell];
    const init = inNetns(space.netns, () => Bun.spawn(command, { stdio: ['ignore', 'pipe', 'inherit'] }));
    const { value } = await init.stdout.getReader().read();
    if (value === undefined) throw new Error(`${space.name} does not come up`);
    const node = new PodNode(space, { site, init, pid: onlyChild(init.pid) });
    node.write(CONFIG, CONTAINERD_CONFIG);
    return node;
  }

  /** Where this process finds a file of the node. */
  path(file: string): string {
    return `/proc/${this.#pid}/root${file}`;
  }

  /** Writes a file of the node. */
  write(file: string, text: string): void {
    mkdirSync(dirname(this.path(file)), { recursive: true });
    writeFileSync(this.path(file), text);
  }

  /** The agent that was started last. */
  get agent(): Agent {
    if (this.#agent === undefined) throw new Error(`No agent was started on ${this.space.name}`);
    return this.#agent;
  }

  /** Starts an agent, which writes where a node's agent writes. */
  startAgent(flags: readonly string[] = []): Agent {
    // It stays among the processes of this machine, which the node's own /proc does not have.
    const proc = ['unshare', '--mount', 'sh', '-c', 'mount -t proc proc /proc && exec "$@"', 'sh'];
    const command = ['nsenter', '--target', `${this.#pid}`, '--mount', '--', ...proc, ...this.#site.command];
    this.#agent = new Agent(
      this.space,
      { ...this.#site, command },
      {
        arguments: ['--ip-masq', '--install-cni', ...flags],
      },
    );
    return this.#agent;
  }

  /** Starts containerd and waits until it answers. */
  async startContainerd(): Promise<void> {
    const log = openSync(join(this.directory, 'containerd.log'), 'a');
    const command = this.#entering(['containerd', '--config', CONFIG]);
    this.#containerd = inNetns(this.space.netns, () => Bun.spawn(command, { stdio: ['ignore', log, log] }));
    closeSync(log);
    await eventually(() => this.cri.condition('RuntimeReady'));
    if (this.#hasImage) return;
    const archive = join(this.directory, 'image.tar');
    writeImage(archive);
    this.run(['ctr', '--namespace', 'k8s.io', 'images', 'import', archive]);
    this.#hasImage = true;
  }

  /** Ends containerd; its pods go on. */
  async stopContainerd(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#containerd === undefined) throw new Error(`No containerd was started on ${this.space.name}`);
    process.kill(onlyChild(this.#containerd.pid), signal);
    await this.#containerd.exited;
  }

  /** Runs a command on the node and gives back what it prints; throws if it fails. */
  run(command: readonly string[], environment: Readonly<Record<string, string>> = {}): string {
    const env = { ...process.env, ...environment };
    const { exitCode, stdout, stderr } = inNetns(this.space.netns, () =>
      Bun.spawnSync(this.#entering(command), { env, stdin: 'ignore', stderr: 'pipe' }),
    );
    if (exitCode === 0) return stdout.toString();
    throw new Error(`'${command.join(' ')}' ended with ${exitCode}: ${stdout}${stderr}`);
  }

  /** Starts a pod. */
  async runPod({ ports = [] }: { ports?: readonly PortMapping[] } = {}): Promise<CriPod> {
    const name = `pod-${++PodNode.#pods}`;
    const config: SandboxConfig = {
      metadata: { name, uid: `${this.space.name}-${name}`, namespace: 'default' },
      port_mappings: ports,
      linux: { cgroup_parent: this.#cgroup },
    };
    const id = await this.cri.runPod(config);
    const status = await this.cri.podStatus(id);
    const ips = new Map<Family, Ip>();
    for (const ip of status.ips.map(parseIp)) if (ip !== undefined) ips.set(familyOf(ip), ip);
    // As an absolute link /var/run would lead out of the node.
    const netns = openNetnsAt(this.path(status.netns.replace(/^\/var\/run\//, '/run/')));
    return {
      ...{ id, config, node: this.space, netns, ips },
      [Symbol.dispose]: () => netns.close(),
      [Symbol.asyncDispose]: async () => {
        netns.close();
        await this.cri.removePod(id);
      },
    };
  }

  /** Starts a container in a pod that runs a line of shell, and gives back its ID. */
  runContainer(pod: CriPod, line: string): Promise<string> {
    return this.cri.runContainer(pod, { image: IMAGE, command: ['/bin/sh', '-c', line] });
  }

  /** Ends everything on the node, as pulling the plug would, and takes its cgroups away. Its disk stays. */
  async powerOff(): Promise<void> {
    if (this.#agent?.ended === false) await this.#agent.stop('SIGKILL');
    this.#init.kill('SIGKILL');
    await Promise.all([this.#init.exited, this.#containerd?.exited]);
    const find = ['find', '/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*${this.#cgroup}*`];
    await eventually(() => execute([...find, '-exec', 'rmdir', '{}', '+']));
  }

  /** Ends the node, and takes its disk away. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerOff();
    Bun.spawnSync(['umount', '--lazy', join(this.directory, 'disk')]);
  }

  /** Below it are the cgroups of all pods. */
  get #cgroup(): string {
    return `/flannelette-${process.pid}-${this.space.name}`;
  }

  #entering(command: readonly string[]): string[] {
    return ['nsenter', '--target', `${this.#pid}`, '--mount', '--pid', '--', ...command];
  }
}

interface Booted {
  readonly site: Site;
  readonly init: Bun.Subprocess<'ignore', 'pipe', 'inherit'>;
  readonly pid: number;
}

const CONTAINERD_CONFIG = `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGE}"
  restrict_oom_score_adj = true
`;

function execute(command: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...command], { stderr: 'pipe' });
  if (exitCode !== 0) throw new Error(`'${command.join(' ')}' ended with ${exitCode}: ${stderr}`);
}

/** The process that a program which stays as its parent has started. */
function onlyChild(pid: number): number {
  return Number.parseInt(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'), 10);
}
