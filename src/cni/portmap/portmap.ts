/**
 * The plugin `portmap`: chained after the one that makes the interface, it makes the container's hostPorts.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { CniAbort, cniFailure } from '../failure.ts';
import type { JsonObject } from '../json.ts';
import type { CniRequest } from '../request.ts';
import { previousResult } from '../result.ts';
import { validAttachments } from '../valid-attachments.ts';
import { hasPorts, hostPortsFolder } from './folder.ts';
import { readMappings, readMasquerading } from './port-config.ts';

/** Answers one request. A pod without hostPorts, as most are, loads nothing for them. */
export async function portmap(request: CniRequest): Promise<JsonObject | undefined> {
  const { config, name } = request;
  const folder = hostPortsFolder(config);
  switch (request.verb) {
    case 'ADD': {
      const previous = needPrevious(request);
      if (asksForPorts(request)) (await load()).addHostPorts(request, previous);
      return { ...previous, cniVersion: request.version };
    }
    case 'DEL':
      if (hasPorts(folder, request)) (await load()).removeHostPortsOf(folder, request);
      return undefined;
    case 'CHECK': {
      const previous = needPrevious(request);
      if (asksForPorts(request)) (await load()).checkHostPorts(request, previous);
      return undefined;
    }
    case 'GC': {
      const valid = validAttachments(request);
      if (existsSync(folder)) (await load()).collectHostPorts(folder, name, valid);
      return undefined;
    }
    case 'STATUS':
      return undefined;
  }
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
