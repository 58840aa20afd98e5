/**
 * The plugin `portmap`: chained after the one that makes the interface, it makes the container's hostPorts.
 *
 * @module
 */
import { isThere } from '../../../ffi/files.ts';
import { CniAbort, cniFailure } from '../failure.ts';
import type { JsonObject } from '../json.ts';
import type { CniRequest, Plugin } from '../request.ts';
import { previousResult } from '../result.ts';
import { validAttachments } from '../valid-attachments.ts';
import { hasPorts, hostPortsFolder } from './folder.ts';
import { removeFormerPorts } from './former.ts';
import { readMappings, readMasquerading } from './port-config.ts';

/** The plugin's answers. A pod without hostPorts, as most are, loads nothing for them. */
export const portmap: Plugin = {
  ADD: add,
  DEL: remove,
  CHECK: check,
  GC: collect,
  STATUS: () => undefined,
};

async function add(request: CniRequest): Promise<JsonObject> {
  const previous = needPrevious(request);
  if (asksForPorts(request)) (await load()).addHostPorts(request, previous);
  return { ...previous, cniVersion: request.version };
}

async function remove(request: CniRequest): Promise<undefined> {
  const folder = hostPortsFolder(request.config);
  if (hasPorts(folder, request)) (await load()).removeHostPortsOf(folder, request);
  else removeFormerPorts(request);
}

async function check(request: CniRequest): Promise<undefined> {
  const previous = needPrevious(request);
  if (asksForPorts(request)) (await load()).checkHostPorts(request, previous);
}

async function collect(request: CniRequest): Promise<undefined> {
  const folder = hostPortsFolder(request.config);
  const valid = validAttachments(request);
  if (isThere(folder)) (await load()).collectHostPorts(folder, request.name, valid);
}

function load() {
  return import('./host-ports.ts');
}

/** Also a configuration that is not needed yet is told to be wrong. */
function asksForPorts({ config }: CniRequest): boolean {
  readMasquerading(config);
  return readMappings(config).length > 0;
}

function needPrevious({ config }: CniRequest): JsonObject {
  const previous = previousResult(config);
  if (previous !== undefined) return previous;
  const msg = 'portmap must be called as a chained plugin: there is no prevResult';
  throw new CniAbort(cniFailure('INVALID_CONFIG', msg, 'List it after the plugin that makes the interface'));
}
