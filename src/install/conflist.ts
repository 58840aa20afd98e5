/**
 * The CNI configuration list that makes a container runtime use this program, and how it is known again.
 *
 * @module
 */

/** As `kube-flannel` and K3s call it, so that it takes the place of theirs. */
export const CONFLIST_NAME = '10-flannel.conflist';

/** The program's own name as a plugin; its configuration and its file are known by it. */
export const PROGRAM_NAME = 'flannelette';

/** The other names that it answers to: of flannel's plugin, and of what its conflists and containerd go with. */
export const LINK_NAMES = ['flannel', 'portmap', 'loopback'] as const;

/** What containerd takes for a configuration (`libcni.ConfFiles`), in the order of the names. */
const CONFIG_NAME = /\.(?:conf|conflist|json)$/;

/** The text of the file. `bandwidth` says whether that plugin is there: none is named that is not. */
export function formatConflist({ bandwidth }: { readonly bandwidth: boolean }): string {
  const conflist = {
    name: 'cbr0',
    cniVersion: '1.0.0',
    plugins: [
      {
        type: PROGRAM_NAME,
        delegate: { hairpinMode: true, forceAddress: true, isDefaultGateway: true },
        capabilities: { portMappings: true },
      },
      ...(bandwidth ? [{ type: 'bandwidth', capabilities: { bandwidth: true } }] : []),
    ],
  };
  return `${JSON.stringify(conflist, undefined, 2)}\n`;
}

/** The plugins that a conflist names, in their order; `undefined` if the text is no conflist. */
export function pluginTypes(text: string): readonly string[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { name, plugins } = isObject(value) ? value : {};
  if (typeof name !== 'string' || name === '' || !Array.isArray(plugins) || plugins.length === 0) {
    return undefined;
  }
  const types = plugins.flatMap((plugin: unknown) => {
    const { type } = isObject(plugin) ? plugin : {};
    return typeof type === 'string' && /^[^/\p{C}]+$/u.test(type) ? [type] : [];
  });
  return types.length === plugins.length ? types : undefined;
}

/** Whether a conflist is one that this program makes, of whatever version: nobody else names its plugin so. */
export function isOwnConflist(text: string): boolean {
  return pluginTypes(text)?.[0] === PROGRAM_NAME;
}

/** Of the names in a configuration directory those that the runtime reads before `own`. */
export function namesBefore(names: readonly string[], own: string): string[] {
  return names.filter((name) => CONFIG_NAME.test(name) && name < own).sort();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
