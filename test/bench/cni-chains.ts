/**
 * The chains of CNI plugins that are compared: ours, and the reference's.
 *
 * @module
 */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REFERENCE } from '../net/cni-plugin.ts';
import { EXECUTABLE } from './bench-node.ts';

const SUBNET_ENV = `FLANNEL_NETWORK=10.42.0.0/16
FLANNEL_SUBNET=10.42.1.1/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`;
const BRIDGE = { hairpinMode: true, forceAddress: true, isDefaultGateway: true };
/** What a runtime runs for one pod, in the order of ADD. */
export interface Chain {
  readonly name: string;
  readonly plugins: readonly { readonly program: string; readonly config: object }[];
  /** Which of them is told of hostPorts, if there are any. */
  readonly portsAt: number;
}

/** Folders and chains, gone at the end. */
export class ChainStage implements Disposable {
  readonly #folder = mkdtempSync('/dev/shm/flannelette-bench-');

  constructor() {
    writeFileSync(join(this.#folder, 'subnet.env'), SUBNET_ENV);
    for (const name of ['flannel', 'portmap', 'loopback']) symlinkSync(EXECUTABLE, join(this.#folder, name));
  }

  get fifo(): string {
    return join(this.#folder, 'fifo');
  }

  /** With what our conflist names, or what K3s' does. */
  ours(list: 'own' | "K3s'"): Chain {
    const program = (name: string) => join(this.#folder, name);
    const flannel = {
      name: 'cbr0',
      type: 'flannel',
      subnetFile: program('subnet.env'),
      dataDir: program('state'),
      ipam: { dataDir: program('books') },
      delegate: BRIDGE,
    };
    const portmap = { name: 'cbr0', type: 'portmap', hostPortDir: program('ports') };
    return {
      name: list === 'own' ? 'ours' : "ours in K3s' list",
      plugins: [
        { program: program('loopback'), config: { name: 'lo', type: 'loopback' } },
        { program: program('flannel'), config: { ...flannel, hostPortDir: program('ports') } },
        ...(list === 'own' ? [] : [{ program: program('portmap'), config: portmap }]),
      ],
      portsAt: list === 'own' ? 1 : 2,
    };
  }

  reference(): Chain {
    const ipam = {
      type: 'host-local',
      dataDir: join(this.#folder, 'reference'),
      ranges: [[{ subnet: '10.42.1.0/24' }]],
      routes: [{ dst: '10.42.0.0/16' }],
    };
    const bridge = { name: 'cbr0', type: 'bridge', mtu: 1450, isGateway: true, ...BRIDGE, ipam };
    const program = (name: string) => join(REFERENCE, name);
    return {
      name: 'reference',
      plugins: [
        { program: program('loopback'), config: { name: 'lo', type: 'loopback' } },
        { program: program('bridge'), config: bridge },
        { program: program('portmap'), config: { name: 'cbr0', type: 'portmap' } },
      ],
      portsAt: 2,
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
