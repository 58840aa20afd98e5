/**
 * The text behind `flannelette cleanup --help`.
 *
 * @module
 */
import { CLEANUP_FLAGS } from '../../config/cleanup-settings.ts';

const SWITCHES = CLEANUP_FLAGS.map(({ name, help }) => `  --${name.padEnd(10)}${help}`).join('\n');

/** See the module. */
export const CLEANUP_USAGE = `Usage: flannelette cleanup [switches] [the agent's flags]

Takes flannelette off this node: removes the routes, neighbours, forwarding entries and devices that it has made,
subnet.env, this node's lease, and what it remembers in its state directory. What is not its own it leaves, and
says so. The agent has to be stopped before. It can be run again at any time.

${SWITCHES}

Of the flags and variables of 'run' these say where things are: --lease-db, --state-dir, --subnet-file, --socket,
NODE_NAME. Give them as the agent had them; the others may be given and have no effect.

Exit status: 0 all gone, 3 something of flannelette's is left, 1 refused or this command line is wrong.
`;
