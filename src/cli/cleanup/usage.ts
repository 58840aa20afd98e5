/**
 * The text behind `flannelette cleanup --help`.
 *
 * @module
 */
import { CLEANUP_FLAGS } from '../../config/cleanup-settings.ts';

const SWITCHES = CLEANUP_FLAGS.map(({ name, help }) => `  --${name.padEnd(10)}${help}`).join('\n');

/** See the module. */
export const CLEANUP_USAGE = `Usage: flannelette cleanup [switches] [the agent's flags]

Takes flannelette off this node: removes its routes, neighbours, forwarding entries, devices and
traffic rules (those in chains of others, too), subnet.env, this node's lease, what its state
directory remembers, the CNI plugin and its conflist (what was there before comes back). What is not
its own it leaves, and says so; forwarding stays switched on. Stop the agent before. It can be run
again at any time.

${SWITCHES}

Of the flags and variables of 'run' these say where things are: --lease-db, or those of etcd, or
--kube-subnet-mgr and those of Kubernetes; --state-dir, --subnet-file, --socket, --cni-bin-dir,
--cni-conf-dir, --install-cni=false (leaves CNI alone), --iptables (rules are there) and NODE_NAME.
Give them as the agent had them; the others have no effect.

Exit status: 0 all gone, 3 something of flannelette's is left, 1 refused or bad usage.
`;
