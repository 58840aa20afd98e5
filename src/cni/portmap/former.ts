/**
 * hostPorts of a plugin `portmap` that was here before us: what it has made with iptables only it can take away.
 *
 * @module
 */
import { ASIDE_SUFFIX } from '../../model/plugin-names.ts';
import { executeProgram, findPlugin } from '../execute.ts';
import { CniAbort } from '../failure.ts';
import { isJsonObject } from '../json.ts';
import type { CniRequest } from '../request.ts';

/** In it no plugin is found (`portmap` runs none), and empty the variable must not be. */
const NOWHERE = '/dev/null';

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
    const program = findPlugin(request.environment, { type: `portmap${ASIDE_SUFFIX}`, why });
    // By its own name: K3s has one program for all plugins. If it is another copy of this one, it is to go no further.
    const argv0 = program.slice(0, -ASIDE_SUFFIX.length);
    const environment = { ...request.environment, CNI_PATH: NOWHERE };
    executeProgram(program, { ...request, environment }, { config: request.stdin, argv0 });
  } catch (thrown) {
    if (!(thrown instanceof CniAbort)) throw thrown;
  }
}
