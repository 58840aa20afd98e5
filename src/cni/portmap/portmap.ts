/**
 * The plugin `portmap`: chained after the one that makes the interface, it makes the container's hostPorts.
 *
 * @module
 */
import { CniAbort, cniFailure } from '../failure.ts';
import type { JsonObject } from '../json.ts';
import type { CniRequest } from '../request.ts';
import { previousResult } from '../result.ts';
import { validAttachments } from '../valid-attachments.ts';
import { hasPorts, hostPortsFolder } from './folder.ts';
import { addHostPorts, checkHostPorts, collectHostPorts, removeHostPortsOf } from './host-ports.ts';

/** Answers one request. */
export function portmap(request: CniRequest): JsonObject | undefined {
  const folder = hostPortsFolder(request.config);
  switch (request.verb) {
    case 'ADD': {
      const previous = needPrevious(request);
      addHostPorts(request, previous);
      return { ...previous, cniVersion: request.version };
    }
    case 'DEL':
      if (hasPorts(folder, request)) removeHostPortsOf(folder, request);
      return undefined;
    case 'CHECK':
      checkHostPorts(request, needPrevious(request));
      return undefined;
    case 'GC':
      collectHostPorts(folder, request.name, validAttachments(request));
      return undefined;
    case 'STATUS':
      return undefined;
  }
}

function needPrevious({ config }: CniRequest): JsonObject {
  const previous = previousResult(config);
  if (previous !== undefined) return previous;
  const msg = 'portmap must be called as a chained plugin: there is no prevResult';
  throw new CniAbort(cniFailure('INVALID_CONFIG', msg, 'List it after the plugin that makes the interface'));
}
