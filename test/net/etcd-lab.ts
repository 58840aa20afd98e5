/**
 * A laboratory whose agents have their leases and their network's configuration in a real etcd.
 *
 * @module
 */
import { EtcdServer } from '../etcd/server.ts';
import { LAB_ADDRESS, plugIntoLab } from '../kube/lab-cable.ts';
import { createLab, type Lab, type LabOptions } from './lab.ts';

const PREFIX = '/coreos.com/network';

/** What the agents' configuration is kept at. */
export const CONFIG_KEY = `${PREFIX}/config`;

/** What the keys of leases begin with. */
export const SUBNETS = `${PREFIX}/subnets/`;

/** The laboratory and its etcd. */
export interface EtcdLab extends AsyncDisposable {
  readonly lab: Lab;
  /** Reached at an address of the nodes' own subnet. */
  readonly etcd: EtcdServer;
}

/** Makes both. etcd runs, and holds nothing. */
export async function createEtcdLab(options: LabOptions): Promise<EtcdLab> {
  await using stack = new AsyncDisposableStack();
  const etcd = stack.use(new EtcdServer({ host: LAB_ADDRESS }));
  const storeArguments = ['--etcd-endpoints', etcd.endpoint];
  const lab = stack.use(await createLab({ ...options, storeArguments }));
  stack.use(plugIntoLab(lab));
  await etcd.start();
  const held = stack.move();
  return { lab, etcd, [Symbol.asyncDispose]: () => held.disposeAsync() };
}
