/**
 * What of this node decides how the kernel's refusals are remedied. Read only when there is one.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';

/** See the module. */
export interface NodeFacts {
  /** os-release(5): `ubuntu`, `debian`, `raspbian`. */
  readonly distribution: string;
  /** The distribution and those that it is made from. */
  readonly family: readonly string[];
  /** `23.04`; empty where the distribution has none. */
  readonly version: string;
  /** The running kernel, as `uname -r` says it. */
  readonly kernelRelease: string;
  /** Whether the running kernel's modules are on the disk: after an upgrade, only the next one's may be. */
  readonly hasModules: boolean;
  /** sysctl kernel.modules_disabled: no module is loaded until the next boot. */
  readonly modulesLocked: boolean;
  /** Whether the process has CAP_NET_ADMIN in its own user namespace. */
  readonly hasNetAdmin: boolean;
}

/** linux/capability.h */
const CAP_NET_ADMIN = 12n;

/**
 * Reads the facts.
 *
 * @param root where the file system begins: `''`, except in tests
 */
export function readNodeFacts(root = ''): NodeFacts {
  const release = osRelease(readText(`${root}/etc/os-release`) || readText(`${root}/usr/lib/os-release`));
  const distribution = release.get('ID') ?? '';
  const kernelRelease = readText(`${root}/proc/sys/kernel/osrelease`);
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText(`${root}/proc/self/status`))?.[1] ?? '0';
  return {
    distribution,
    family: [distribution, ...(release.get('ID_LIKE') ?? '').split(' ')].filter((name) => name !== ''),
    version: release.get('VERSION_ID') ?? '',
    kernelRelease,
    hasModules: existsSync(`${root}/lib/modules/${kernelRelease}`),
    modulesLocked: readText(`${root}/proc/sys/kernel/modules_disabled`) === '1',
    hasNetAdmin: ((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) === 1n,
  };
}

/** os-release(5): shell assignments, with or without quotes. */
function osRelease(text: string): Map<string, string> {
  const lines = text.matchAll(/^([A-Z_]+)=(["']?)([\w. +:-]*)\2$/gm);
  return new Map([...lines].map(([, name = '', , value = '']) => [name, value]));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
