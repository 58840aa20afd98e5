/**
 * Where the agents of the demo have their leases: a file, or a real etcd that is started for them.
 *
 * @module
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openNetnsOf } from '../../../ffi/netns.ts';
import type { Family } from '../../model/ip.ts';
import type { Site } from './agents.ts';
import type { DemoOptions } from './arguments.ts';
import { DemoFailure } from './failure.ts';
import { Rtnl } from './rtnl.ts';
import { BRIDGE, UNDERLAY_LENGTHS, type UnderlayNetwork, underlayAddress, writeSysctls } from './topology.ts';

const { PATH = '' } = process.env;

/** A node number that no node has. */
const STORE_NUMBER = 254;

const CONFIG_KEY = '/coreos.com/network/config';
const CLIENT_PORT = 2379;
const PEER_PORT = 2380;

/** An etcd that does not serve by then will not. */
const START_MS_MAX = 20_000;
const ASK_INTERVAL_MS = 20;

/**
 * Says before anything is made whether the store can be had.
 *
 * @param path where programs are looked for
 * @throws DemoFailure if not
 */
export function requireStore({ store }: Pick<DemoOptions, 'store'>, path = PATH): void {
  if (store === 'kube') throw new DemoFailure('The demo cannot show leases in Kubernetes yet');
  if (store === 'etcd' && Bun.which('etcd', { PATH: path }) === null)
    throw new DemoFailure('There is no etcd on this machine', ['Install it: apt install etcd-server']);
}

/**
 * Starts what the agents need, and says how they find it.
 *
 * @throws DemoFailure if it does not start
 */
export async function startStore(
  { store, families }: Pick<DemoOptions, 'store' | 'families'>,
  { site, underlay }: { readonly site: Site; readonly underlay: UnderlayNetwork },
): Promise<Site> {
  if (store !== 'etcd') return site;
  const [family = 4] = families;
  plugIn(underlay, family);
  const address = underlayAddress(STORE_NUMBER, family);
  const host = family === 4 ? address : `[${address}]`;
  const endpoint = `http://${host}:${CLIENT_PORT}`;
  const log = join(site.directory, 'etcd.log');
  startEtcd({ endpoint, peer: `http://${host}:${PEER_PORT}`, directory: site.directory, log });
  await serving(endpoint, log);
  const config = readFileSync(join(site.directory, 'net-conf.json'), 'utf8');
  await ask(`${endpoint}/v3/kv/put`, { key: base64(CONFIG_KEY), value: base64(config) });
  return { ...site, storeArguments: ['--etcd-endpoints', endpoint] };
}

/** A cable from this process's own network to the bridge. */
function plugIn(underlay: UnderlayNetwork, family: Family): void {
  using own = openNetnsOf(process.pid);
  using rtnl = new Rtnl(own);
  using bridge = new Rtnl(underlay.bridge);
  // Without duplicate address detection an address works at once.
  writeSysctls(own, { 'net/ipv6/conf/default/accept_dad': 0, 'net/ipv6/conf/all/accept_dad': 0 });
  rtnl.setLink('lo', { up: true });
  rtnl.addVeth({ name: 'store0' }, { name: 'store', netns: underlay.bridge });
  bridge.setLink('store', { bridge: BRIDGE, up: true });
  rtnl.setLink('store0', { up: true });
  const ip = underlayAddress(STORE_NUMBER, family);
  rtnl.add({ kind: 'address', link: 'store0', ip, length: UNDERLAY_LENGTHS[family] });
}

interface EtcdPlace {
  readonly endpoint: string;
  readonly peer: string;
  readonly directory: string;
  readonly log: string;
}

/** It ends with the demo's own processes, whatever happens. */
function startEtcd({ endpoint, peer, directory, log }: EtcdPlace): void {
  const data = join(directory, 'etcd');
  mkdirSync(data, { mode: 0o700 });
  const command = [
    ...['etcd', '--name', 'demo', '--data-dir', data, '--logger', 'zap'],
    ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', `demo=${peer}`],
  ];
  const etcd = Bun.spawn(command, { cwd: '/', env: { PATH }, stdio: ['ignore', 'ignore', Bun.file(log)] });
  etcd.unref();
}

async function serving(endpoint: string, log: string): Promise<void> {
  const deadlineMs = performance.now() + START_MS_MAX;
  for (;;) {
    try {
      await ask(`${endpoint}/v3/maintenance/status`, {});
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) {
        const said = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-3);
        throw new DemoFailure(`etcd does not serve: ${String(error)}`, said);
      }
    }
    await Bun.sleep(ASK_INTERVAL_MS);
  }
}

async function ask(url: string, body: Readonly<Record<string, string>>): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(START_MS_MAX),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
