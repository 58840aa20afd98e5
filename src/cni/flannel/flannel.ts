/**
 * The plugin `flannel`: makes a bridge's configuration out of subnet.env and carries it out itself, or has the
 * reference plugins do it where they can more.
 *
 * @module
 */
import { isThere, readFile } from '../../../ffi/files.ts';
import { ERRNO } from '../../netlink/error.ts';
import { AddressBook } from '../address-book.ts';
import type { Attachment } from '../attachment.ts';
import { addToBridge, removeFromBridge } from '../bridge.ts';
import { type BridgeConfig, readBridgeConfig, whyForeign } from '../bridge-config.ts';
import { checkOnBridge } from '../check.ts';
import { executePlugin, findPlugin } from '../execute.ts';
import { CNI_CODE, CniAbort, cniFailure } from '../failure.ts';
import { ioFailure } from '../io.ts';
import { type JsonObject, optionalList, optionalObject, optionalText, type Place } from '../json.ts';
import { hasPorts, hostPortsFolder } from '../portmap/folder.ts';
import { removeFormerPorts } from '../portmap/former.ts';
import type { CniRequest, Plugin } from '../request.ts';
import { previousResult } from '../result.ts';
import { validAttachments } from '../valid-attachments.ts';
import { DEFAULT_BOOKS, delegateConfig, HOST_LOCAL_BOOKS } from './delegate.ts';
import { attachmentsWith, forget, type Remembered, remember, remembered, takeTurn } from './memory.ts';
import { readSubnetFile, type SubnetFile } from './subnet-file.ts';
import { explainAbsence } from './waiting.ts';

const SUBNET_FILE = '/run/flannel/subnet.env';
const NOT_AVAILABLE = 50;
const ASK = "Another program has written it; 'flannelette status' says how the agent is";

/** The plugin's answers. */
export const flannel: Plugin = {
  ADD: add,
  DEL: remove,
  CHECK: check,
  GC: collect,
  STATUS: status,
};

async function add(request: CniRequest): Promise<JsonObject | undefined> {
  const { config, environment } = request;
  const { place, type, why } = readDelegate(request, CNI_CODE.TRY_AGAIN_LATER);
  // What is remembered is asked to do DEL: it has to be there, and to be right.
  if (why !== undefined) findPlugin(environment, { type, why });
  const bridge = why === undefined ? readBridgeConfig(place) : undefined;
  const text = JSON.stringify(place.object);
  // Before anything is made: DEL knows nothing else.
  using _ = takeTurn(request, { mayFail: false });
  const undo = remember(request, text);
  const result =
    bridge === undefined
      ? executePlugin(request, { type, config: text, why: why ?? '' })
      : addOrUndo(request, bridge, undo);
  const outbound = bridge?.ipMasq === true;
  if (result !== undefined && (outbound || asksForPorts(config))) await addPorts(request, result, outbound);
  return result;
}

/** What subnet.env and the configuration make of the delegate; `why` says why another plugin has to be executed for it. */
interface Delegate {
  readonly place: Place;
  readonly type: string;
  readonly why: string | undefined;
}

function readDelegate(request: CniRequest, code: number): Delegate {
  const { config, name, version, environment } = request;
  const file = readSubnets(request, code);
  const place: Place = { object: delegateConfig({ config, name, version, file }), path: '' };
  const type = optionalText(place, 'type') ?? '';
  if (type === 'flannel' || type === 'flannelette') {
    throw new CniAbort(cniFailure('INVALID_CONFIG', `delegate.type must not be '${type}' itself`));
  }
  return { place, type, why: whyForeign(place, environment) };
}

/** A container that is added twice keeps what it has, and what is remembered of it. */
function addOrUndo(request: CniRequest, bridge: BridgeConfig, undo: () => void): JsonObject {
  try {
    return addToBridge(request, bridge, foldersOf(request.name, bridge.books));
  } catch (thrown) {
    undo();
    throw thrown;
  }
}

/** Only where our own entry of the list declares the capability. */
function asksForPorts(config: Place): boolean {
  const runtime = optionalObject(config, 'runtimeConfig');
  return runtime !== undefined && optionalList(runtime, 'portMappings').length > 0;
}

async function addPorts(request: CniRequest, result: JsonObject, outbound: boolean): Promise<void> {
  const { addHostPorts } = await import('../portmap/host-ports.ts');
  try {
    addHostPorts(request, result, outbound);
  } catch (thrown) {
    const environment = { ...request.environment, CNI_COMMAND: 'DEL' };
    // What could not be done is told, not what could not be undone.
    await takeAway({ ...request, verb: 'DEL', environment }).catch(() => undefined);
    throw thrown;
  }
}

async function removePorts(request: CniRequest): Promise<void> {
  const folder = hostPortsFolder(request.config);
  if (hasPorts(folder, request))
    (await import('../portmap/host-ports.ts')).removeHostPortsOf(folder, request);
  else removeFormerPorts(request);
}

function status(request: CniRequest): undefined {
  const { place, type, why } = readDelegate(request, NOT_AVAILABLE);
  if (why !== undefined) executePlugin(request, { type, config: JSON.stringify(place.object), why });
}

function readSubnets({ config }: CniRequest, code: number): SubnetFile {
  const path = optionalText(config, 'subnetFile') || SUBNET_FILE;
  const text = readFile(path);
  if (typeof text === 'number') {
    if (-text !== ERRNO.ENOENT) throw new CniAbort({ ...ioFailure(`read ${path}`, -text).failure, code });
    throw new CniAbort({ code, ...explainAbsence(path) });
  }
  const file = readSubnetFile(text);
  if (file.ok) return file.value;
  throw new CniAbort({ code, msg: `${path} is not complete: ${file.error}`, details: ASK });
}

async function remove(request: CniRequest): Promise<undefined> {
  using _ = takeTurn(request, { mayFail: true });
  await takeAway(request);
}

async function takeAway(request: CniRequest): Promise<void> {
  await removePorts(request);
  const state = remembered(request);
  if (state === undefined) {
    // Gone already, or never there; or the memory of it is lost, and what follows from names alone is not.
    removeFromBridge({ ...request, netns: '' }, foldersOf(request.name, dataDirOf(request.config)));
  } else takeRemembered(request, state);
  // Last, so that what failed is asked for again.
  forget(request);
}

function takeRemembered(request: CniRequest, { place, text }: Remembered): void {
  const why = whyForeign(place, request.environment);
  if (why === undefined) removeFromBridge(request, foldersOf(request.name, dataDirOf(place)));
  else executePlugin(request, { type: optionalText(place, 'type') ?? '', config: text, why });
}

function dataDirOf(config: Place): string | undefined {
  const ipam = optionalObject(config, 'ipam');
  return ipam === undefined ? undefined : optionalText(ipam, 'dataDir') || undefined;
}

/** Wherever the addresses of a network may be written down: here, or by flannel and `host-local` before us. */
function foldersOf(name: string, dataDir: string | undefined): string[] {
  const books = new Set([dataDir ?? DEFAULT_BOOKS, DEFAULT_BOOKS, HOST_LOCAL_BOOKS]);
  return [...books].map((folder) => `${folder}/${name}`);
}

async function check(request: CniRequest): Promise<undefined> {
  const state = remembered(request);
  if (state === undefined) {
    const details = 'Delete the pod; it is made anew';
    throw new CniAbort(
      cniFailure('UNKNOWN_CONTAINER', `nothing is known of ${request.containerId}`, details),
    );
  }
  const previous = previousResult(request.config);
  const isForeign = whyForeign(state.place, request.environment) !== undefined;
  const bridge = isForeign ? undefined : readBridgeConfig(state.place);
  const outbound = bridge?.ipMasq === true;
  if (previous !== undefined && (outbound || asksForPorts(request.config))) {
    const { checkHostPorts } = await import('../portmap/host-ports.ts');
    checkHostPorts(request, previous, outbound);
  }
  // flannel's own plugin looks at nothing; of the reference, ptp for one does not find the routes that it has made.
  if (bridge !== undefined) checkOnBridge(request, bridge);
}

/** Takes away what no attachment of the list has. */
async function collect(request: CniRequest): Promise<undefined> {
  const attachments = validAttachments(request);
  const folder = hostPortsFolder(request.config);
  if (isThere(folder)) {
    const { collectHostPorts } = await import('../portmap/host-ports.ts');
    collectHostPorts(folder, request.name, attachments);
  }
  const valid = new Set(attachments.map(({ containerId, ifname }) => `${containerId} ${ifname}`));
  const failures: unknown[] = [];
  for (const { containerId, ifname } of attachmentsWith(request)) {
    // flannel wrote no interface down; its addresses say which.
    const ifnames = ifname === undefined ? interfacesOf(request, containerId) : [ifname];
    for (const each of ifnames.filter((name) => !valid.has(`${containerId} ${name}`))) {
      try {
        collectOne(request, { containerId, ifname: each });
      } catch (thrown) {
        // It is no reason to keep the others.
        failures.push(thrown);
      }
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** By a DEL, also of a delegate that is executed. */
function collectOne(request: CniRequest, { containerId, ifname }: Attachment): void {
  const variables = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: containerId, CNI_IFNAME: ifname, CNI_NETNS: '' };
  const environment = { ...request.environment, ...variables };
  const left: CniRequest = { ...request, verb: 'DEL', containerId, ifname, netns: '', environment };
  const state = remembered(left);
  if (state === undefined) return;
  takeRemembered(left, state);
  forget(left);
}

/** The interfaces for which a container has addresses. */
function interfacesOf({ name, config }: CniRequest, containerId: string): string[] {
  return foldersOf(name, dataDirOf(config)).flatMap((folder) => {
    using book = AddressBook.ofFolder(folder);
    return book?.interfacesOf(containerId) ?? [];
  });
}
