/**
 * hostPorts of a plugin `portmap` that was here before us: what it has made with iptables only it can take away.
 *
 * @module
 */
import { ASIDE_SUFFIX } from '../../model/plugin-names.ts';
import { executePlugin } from '../execute.ts';
import { CniAbort } from '../failure.ts';
import { isJsonObject } from '../json.ts';
import type { CniRequest } from '../request.ts';

/**
 * Has the plugin that was set aside do a DEL, if there is one and the runtime says that the container had ports. What it
 * cannot do it has said on standard error: it is no reason to keep the container.
 */
export function removeFormerPorts(request: CniRequest): void {
  const { runtimeConfig } = request.config.object;
  const { portMappings } = isJsonObject(runtimeConfig) ? runtimeConfig : {};
  if (!Array.isArray(portMappings) || portMappings.length === 0) return;
  const why = 'the container may have been made with it';
  try {
    executePlugin(request, { type: `portmap${ASIDE_SUFFIX}`, config: request.stdin, why });
  } catch (thrown) {
    if (!(thrown instanceof CniAbort)) throw thrown;
  }
}
