/**
 * Who may import whom.
 *
 * @module
 */

/** What an area may import besides itself: folders, files and modules (`node:*` is all of Node's). */
export interface Area {
  readonly values: readonly string[];
  /** Only with `import type`. */
  readonly types?: readonly string[];
}

/** A file belongs to the longest name that its path begins with. An area may import what is listed, no more. */
export const AREAS: Readonly<Record<string, Area>> = {
  'src/model': { values: [] },
  'src/plan': { values: ['src/model'] },
  'src/ipam': { values: ['src/model'] },
  'src/underlay': { values: ['src/model'] },
  'src/reconcile': { values: ['src/model'] },
  'src/config': { values: ['src/model', 'valibot', 'node:util'] },
  'src/netlink': { values: ['src/model/ip.ts'] },
  'src/kernel': {
    values: ['src/model', 'src/netlink', 'src/write-file.ts', 'node:*'],
    types: ['src/reconcile/target.ts', 'src/underlay/snapshot.ts'],
  },
  'src/store': {
    values: [
      'src/model',
      'src/ipam',
      'src/clock.ts',
      'src/write-file.ts',
      'valibot',
      'bun:sqlite',
      '@kubernetes/client-node',
      'node:*',
    ],
    types: ['src/reconcile/target.ts'],
  },
  'src/removal': { values: ['src/model'], types: ['src/reconcile/target.ts'] },
  'src/http': { values: ['src/model', 'hono', 'node:*'], types: ['src/reconcile'] },
  'src/metrics': { values: ['src/model', 'node:fs'] },
  'src/agent': {
    values: ['src/model', 'src/plan', 'src/reconcile', 'src/underlay'],
    types: ['src/log.ts', 'src/log-limit.ts'],
  },
  'src/cli': { values: ['src/model', 'src/config', 'valibot', 'node:*'] },
  // The demo is a laboratory, not an agent: it makes namespaces, links and pods with its own hands.
  'src/cli/demo': {
    values: ['src/model', 'src/config', 'src/cli', 'src/netlink', 'ffi', 'k3s', 'valibot', 'node:*'],
  },
  'src/cli/cleanup': { values: ['src/model', 'src/config', 'src/cli', 'src/removal'] },
  // A process for one pod: it ends at once, and so works with its own hands.
  'src/cni': {
    values: [
      'src/model',
      'src/plan',
      'src/ipam',
      'src/netlink',
      'src/kernel/port-description.ts',
      'src/kernel/port-tables.ts',
      'src/write-file.ts',
      'ffi',
      'node:*',
    ],
  },
  'src/install': {
    values: [
      'src/model',
      'src/config',
      'src/reconcile/fights.ts',
      'src/store/state-file.ts',
      'src/write-file.ts',
      'valibot',
      'node:*',
    ],
  },
  // What flanneld has left; loaded once a start.
  'src/leftovers': {
    values: ['src/model', 'src/netlink', 'src/kernel', 'src/iptables', 'ffi', 'node:fs'],
  },
  // Loaded only with --iptables.
  'src/iptables': { values: ['src/model', 'src/netlink', 'src/kernel', 'ffi'] },
  // What every part may use, and what belongs to none.
  'src/clock.ts': { values: ['src/model'] },
  'src/log.ts': { values: ['src/model', 'node:fs'] },
  'src/log-limit.ts': { values: ['src/model'], types: ['src/log.ts'] },
  'src/sd-notify.ts': { values: ['src/model'] },
  'src/watchdog.ts': { values: ['src/model'] },
  'src/service.ts': { values: ['src/model', 'src/watchdog.ts'], types: ['src/sd-notify.ts'] },
  'src/waiting-note.ts': {
    values: ['src/model', 'src/write-file.ts', 'node:fs', 'node:os', 'node:path'],
  },
  'src/write-file.ts': { values: ['node:fs', 'node:path'] },
  // Where the parts are put together.
  'src/until-done.ts': { values: ['src/model'], types: ['src/agent/journal.ts'] },
  'src/kernel-access.ts': {
    values: ['src/model', 'src/kernel', 'src/netlink', 'src/netfilter-access.ts', 'ffi'],
    types: ['src/reconcile/target.ts', 'src/underlay/snapshot.ts'],
  },
  'src/netfilter-access.ts': { values: ['src/model', 'src/kernel', 'src/netlink', 'ffi'] },
  'src/listen.ts': { values: [], types: ['src/agent', 'src/kernel/events.ts', 'src/kernel-access.ts'] },
  'src/recall.ts': {
    values: ['src/agent/identity.ts', 'src/config/subnet-env.ts', 'node:fs'],
    types: ['src/agent/parts.ts', 'src/log.ts', 'src/model', 'src/store/state-file.ts'],
  },
  'src/host-ports.ts': {
    values: [
      'src/model',
      'src/agent/host-port-keeper.ts',
      'src/clock.ts',
      'src/cni/portmap/restore.ts',
      'node:fs',
    ],
    types: ['src/agent/journal.ts'],
  },
  'src/cni-install.ts': {
    values: ['src/model', 'src/install', 'src/kernel/directory-watch.ts', 'src/clock.ts', 'node:fs'],
    types: ['src/agent/journal.ts', 'src/log.ts'],
  },
  'src/keepers.ts': {
    values: [
      'src/model',
      'src/leftovers',
      'src/iptables',
      'src/host-ports.ts',
      'src/cleanup/processes.ts',
      'src/cni-install.ts',
      'src/clock.ts',
    ],
    types: ['src/install/installer.ts', 'src/agent'],
  },
  'src/network.ts': { values: ['src/model', 'src/config', 'node:fs'] },
  'src/run.ts': { values: ['src', 'node:*'] },
  'src/start.ts': { values: ['src', 'ffi', 'k3s', 'arm/memory.ts'] },
  'src/cleanup': { values: ['src', 'ffi', 'k3s', 'node:*'] },
  'src/main.ts': { values: [] },
  ffi: { values: ['bun:ffi', 'node:*'], types: ['src/netlink/session.ts'] },
  k3s: { values: ['src/model', 'src/config', 'valibot', 'node:*'] },
  arm: { values: ['node:*'] },
};

/** What only one place may import, whatever the areas say. */
export const ONLY_IN: Readonly<Record<string, string>> = {
  'bun:ffi': 'ffi/libc.ts',
  'bun:sqlite': 'src/store/sqlite',
  hono: 'src/http',
  // Eight megabytes where it is loaded, so only a process that ends at once does.
  '@kubernetes/client-node': 'src/store/kube/credentials-command.ts',
};
