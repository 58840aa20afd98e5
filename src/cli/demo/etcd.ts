/**
 * A real etcd for the demo's agents.
 *
 * @module
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Site } from './agents.ts';
import type { DemoOptions } from './arguments.ts';
import { DemoFailure } from './failure.ts';
import { plugInStore } from './store-cable.ts';
import type { UnderlayNetwork } from './topology.ts';

const { PATH = '' } = process.env;

const CONFIG_KEY = '/coreos.com/network/config';
const CLIENT_PORT = 2379;
const PEER_PORT = 2380;

/** An etcd that does not serve by then will not. */
const START_MS_MAX = 20_000;
const ASK_INTERVAL_MS = 20;

/**
 * Starts it with the network's configuration in it, and says how agents find it.
 *
 * @throws DemoFailure if it does not start
 */
export async function startEtcdStore(
  { families }: Pick<DemoOptions, 'families'>,
  { site, underlay }: { readonly site: Site; readonly underlay: UnderlayNetwork },
): Promise<Site> {
  const [family = 4] = families;
  const address = plugInStore(underlay, family);
  const host = family === 4 ? address : `[${address}]`;
  const endpoint = `http://${host}:${CLIENT_PORT}`;
  const log = join(site.directory, 'etcd.log');
  startEtcd({ endpoint, peer: `http://${host}:${PEER_PORT}`, directory: site.directory, log });
  await serving(endpoint, log);
  const config = readFileSync(join(site.directory, 'net-conf.json'), 'utf8');
  await ask(`${endpoint}/v3/kv/put`, { key: base64(CONFIG_KEY), value: base64(config) });
  return { ...site, storeArguments: ['--etcd-endpoints', endpoint] };
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
