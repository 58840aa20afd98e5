/**
 * The configuration that flannel's CNI plugin makes for its delegate out of its own and subnet.env.
 *
 * @module
 */
import { familyOf } from '../../model/ip.ts';
import { OWN_MASQUERADE } from '../bridge-config.ts';
import { CniAbort, cniFailure } from '../failure.ts';
import {
  type JsonObject,
  optionalFlag,
  optionalList,
  optionalObject,
  optionalText,
  type Place,
} from '../json.ts';
import type { SubnetFile } from './subnet-file.ts';

/** Where pods' addresses are written down if the configuration does not say: a power cut leaks none. */
export const DEFAULT_BOOKS = '/run/cni/networks';

/** Where `host-local` writes them down. */
export const HOST_LOCAL_BOOKS = '/var/lib/cni/networks';

/** What the delegate's configuration is made of. */
export interface DelegateSource {
  readonly config: Place;
  readonly name: string;
  readonly version: string;
  readonly file: SubnetFile;
}

/** The delegate's configuration. Throws {@link CniAbort} if the plugin's own is wrong. */
export function delegateConfig({ config, name, version, file }: DelegateSource): JsonObject {
  const { object: wished } = optionalObject(config, 'delegate') ?? { object: {} };
  for (const key of ['name', 'ipam']) {
    if (!Object.hasOwn(wished, key)) continue;
    const msg = `'delegate' dictionary must not have '${key}' field, it'll be set by flannel`;
    throw new CniAbort(cniFailure('INVALID_CONFIG', msg));
  }
  const type = optionalText({ object: wished, path: 'delegate.' }, 'type') ?? 'bridge';
  const ipMasq = optionalFlag({ object: wished, path: 'delegate.' }, 'ipMasq') ?? !file.ipMasq;
  const runtime = optionalObject(config, 'runtimeConfig');
  return {
    ipMasq,
    mtu: file.mtuBytes,
    ...(type === 'bridge' ? { isGateway: true } : {}),
    ...wished,
    type,
    name,
    cniVersion: version,
    ...(runtime === undefined ? {} : { runtimeConfig: runtime.object }),
    ...(type === 'bridge' && ipMasq ? { masqueradedBy: OWN_MASQUERADE } : {}),
    ipam: ipamConfig(optionalObject(config, 'ipam'), file),
  };
}

function ipamConfig(wished: Place | undefined, file: SubnetFile): JsonObject {
  const own = wished ?? { object: {}, path: 'ipam.' };
  const type = optionalText(own, 'type') ?? 'host-local';
  const networks = [...file.networks].sort((a, b) => familyOf(a) - familyOf(b));
  return {
    ...own.object,
    ...(type === 'host-local' ? { dataDir: optionalText(own, 'dataDir') || DEFAULT_BOOKS } : {}),
    type,
    ranges: file.subnets.map((subnet) => [{ subnet }]),
    routes: [...optionalList(own, 'routes'), ...networks.map((dst) => ({ dst }))],
  };
}
