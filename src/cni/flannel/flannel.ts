/**
 * The plugin `flannel`: makes a bridge's configuration out of subnet.env and carries it out itself, or has the
 * reference plugins do it where they can more.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomically } from '../../write-file.ts';
import { AddressBook } from '../address-book.ts';
import { addToBridge, checkOnBridge, removeFromBridge } from '../bridge.ts';
import { readBridgeConfig, whyForeign } from '../bridge-config.ts';
import { executePlugin } from '../execute.ts';
import { CNI_CODE, CniAbort, cniFailure, thrownText } from '../failure.ts';
import { type JsonObject, optionalList, optionalObject, optionalText, type Place } from '../json.ts';
import { hasPorts, hostPortsFolder } from '../portmap/folder.ts';
import { type CniRequest, parseConfig } from '../request.ts';
import { previousResult } from '../result.ts';
import { validAttachments } from '../valid-attachments.ts';
import { DEFAULT_BOOKS, delegateConfig, HOST_LOCAL_BOOKS } from './delegate.ts';
import { readSubnetFile, type SubnetFile } from './subnet-file.ts';

const SUBNET_FILE = '/run/flannel/subnet.env';
/** Where each container's delegate configuration is kept until its DEL. */
const DATA_DIR = '/var/lib/cni/flannel';
const NOT_AVAILABLE = 50;

/** Answers one request. */
export async function flannel(request: CniRequest): Promise<JsonObject | undefined> {
  switch (request.verb) {
    case 'ADD':
      return add(request);
    case 'DEL':
      return remove(request);
    case 'CHECK':
      return check(request);
    case 'GC':
      return collect(request);
    case 'STATUS':
      readSubnets(request, NOT_AVAILABLE);
      return undefined;
  }
}

function dataDir({ config }: CniRequest): string {
  return optionalText(config, 'dataDir') || DATA_DIR;
}

async function add(request: CniRequest): Promise<JsonObject | undefined> {
  const { config, name, version } = request;
  const file = readSubnets(request, CNI_CODE.TRY_AGAIN_LATER);
  const delegate = delegateConfig({ config, name, version, file });
  const place: Place = { object: delegate, path: '' };
  const type = optionalText(place, 'type') ?? '';
  if (type === 'flannel' || type === 'flannelette') {
    throw new CniAbort(cniFailure('INVALID_CONFIG', `delegate.type must not be '${type}' itself`));
  }
  const why = whyForeign(place, request.environment);
  // Before anything is made: DEL knows nothing else.
  const bridge = why === undefined ? readBridgeConfig(place) : undefined;
  save(request, delegate);
  const result =
    bridge === undefined
      ? executePlugin(request, { type, config: JSON.stringify(delegate), why: why ?? '' })
      : addToBridge(request, bridge, HOST_LOCAL_BOOKS);
  if (result !== undefined && asksForPorts(config)) await addPorts(request, result);
  return result;
}

/** Only where our own entry of the list declares the capability. */
function asksForPorts(config: Place): boolean {
  const runtime = optionalObject(config, 'runtimeConfig');
  return runtime !== undefined && optionalList(runtime, 'portMappings').length > 0;
}

async function addPorts(request: CniRequest, result: JsonObject): Promise<void> {
  const { addHostPorts } = await import('../portmap/host-ports.ts');
  try {
    addHostPorts(request, result);
  } catch (thrown) {
    const environment = { ...request.environment, CNI_COMMAND: 'DEL' };
    // What could not be done is told, not what could not be undone.
    await remove({ ...request, verb: 'DEL', environment }).catch(() => undefined);
    throw thrown;
  }
}

async function removePorts(request: CniRequest): Promise<void> {
  const folder = hostPortsFolder(request.config);
  if (!hasPorts(folder, request)) return;
  const { removeHostPortsOf } = await import('../portmap/host-ports.ts');
  removeHostPortsOf(folder, request);
}

function readSubnets({ config }: CniRequest, code: number): SubnetFile {
  const path = optionalText(config, 'subnetFile') || SUBNET_FILE;
  const ask =
    "'flannelette status' says what the agent waits for, 'systemctl status flannelette' whether it runs";
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    const msg = `the agent has not written ${path} yet: this node has no pod subnet`;
    throw new CniAbort({ code, msg, details: `${thrownText(thrown)}; ${ask}` });
  }
  const file = readSubnetFile(text);
  if (file.ok) return file.value;
  throw new CniAbort({ code, msg: `${path} is not complete: ${file.error}`, details: ask });
}

function save(request: CniRequest, delegate: JsonObject): void {
  const folder = dataDir(request);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeAtomically(join(folder, request.containerId), { text: JSON.stringify(delegate), mode: 0o600 });
  } catch (thrown) {
    throw new CniAbort(cniFailure('IO_FAILURE', `cannot write in ${folder}`, thrownText(thrown)));
  }
}

/** What was saved for a container, or `undefined` if there is nothing, or nothing that can be read. */
function saved(request: CniRequest): { text: string; place: Place } | undefined {
  try {
    const text = readFileSync(join(dataDir(request), request.containerId), 'utf8');
    return { text, place: parseConfig(text) };
  } catch {
    return undefined;
  }
}

async function remove(request: CniRequest): Promise<undefined> {
  await removePorts(request);
  const state = saved(request);
  // Gone already, or nothing ever was.
  if (state === undefined) return;
  const why = whyForeign(state.place, request.environment);
  if (why === undefined) removeFromBridge(request, foldersOf(request.name, state.place));
  else {
    const type = optionalText(state.place, 'type') ?? '';
    executePlugin(request, { type, config: state.text, why });
  }
  // Last, so that what failed is asked for again.
  rmSync(join(dataDir(request), request.containerId), { force: true });
}

/** Wherever the addresses of a network may be written down: here, or by flannel and `host-local` before us. */
function foldersOf(name: string, place: Place): string[] {
  const books = new Set([readBridgeConfig(place).books, DEFAULT_BOOKS, HOST_LOCAL_BOOKS]);
  return [...books].map((folder) => `${folder}/${name}`);
}

async function check(request: CniRequest): Promise<undefined> {
  const state = saved(request);
  if (state === undefined) {
    const details = 'Delete the pod; it is made anew';
    throw new CniAbort(
      cniFailure('UNKNOWN_CONTAINER', `nothing is known of ${request.containerId}`, details),
    );
  }
  const previous = previousResult(request.config);
  if (previous !== undefined && asksForPorts(request.config)) {
    const { checkHostPorts } = await import('../portmap/host-ports.ts');
    checkHostPorts(request, previous);
  }
  // flannel's own plugin looks at nothing.
  if (whyForeign(state.place, request.environment) !== undefined) return;
  checkOnBridge(request, readBridgeConfig(state.place));
}

/** Takes away what no container of the list has. */
async function collect(request: CniRequest): Promise<undefined> {
  const attachments = validAttachments(request);
  const valid = new Set(attachments.map(({ containerId }) => containerId));
  const folder = hostPortsFolder(request.config);
  if (existsSync(folder)) {
    const { collectHostPorts } = await import('../portmap/host-ports.ts');
    collectHostPorts(folder, request.name, attachments);
  }
  for (const containerId of listed(dataDir(request))) {
    if (valid.has(containerId)) continue;
    const left = { ...request, containerId, verb: 'DEL' as const, netns: '' };
    const state = saved(left);
    if (state === undefined || optionalText(state.place, 'name') !== request.name) continue;
    if (whyForeign(state.place, {}) !== undefined) continue;
    const ifnames = foldersOf(request.name, state.place).flatMap((folder) =>
      interfacesOf(folder, containerId),
    );
    // Without an address there is nothing but what was saved.
    for (const ifname of ifnames) removeFromBridge({ ...left, ifname }, foldersOf(request.name, state.place));
    rmSync(join(dataDir(request), containerId), { force: true });
  }
}

function interfacesOf(folder: string, containerId: string): string[] {
  if (!AddressBook.exists(folder)) return [];
  using book = new AddressBook(folder);
  return book.interfacesOf(containerId);
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.endsWith('.tmp'));
  } catch {
    return [];
  }
}
