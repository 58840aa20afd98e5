/**
 * The executable's entry: which command is it? Imports nothing by itself, so that each command pays only for
 * what it loads.
 *
 * @module
 */

const COMMANDS = ['run', 'status', 'cleanup', 'version', 'demo', 'help'] as const;

/** Names under which it is a plugin and never the agent, whoever starts it: by hand, as a runtime would not. */
const PLUGIN_NAME = /(^|\/)(flannel|portmap|loopback)$/;

/** Runs the command and gives back the exit status. */
async function main(args: readonly string[]): Promise<number> {
  // A container runtime starts its plugins without arguments. Only `argv0` has the name that it used.
  const { CNI_COMMAND: verb = '' } = process.env;
  if (args.length === 0 && (verb !== '' || PLUGIN_NAME.test(process.argv0))) {
    return (await import('./cni/plugin.ts')).cniCommand(process.argv0, process.env);
  }
  const [first = 'run', ...rest] = args;
  switch (first) {
    case 'version':
      return (await import('./cli/version.ts')).versionCommand(rest);
    case 'status':
      return (await import('./cli/status.ts')).statusCommand(rest);
    case 'cleanup':
      return (await import('./cleanup/command.ts')).cleanupCommand(rest);
    case 'demo':
      return (await import('./cli/demo/command.ts')).demoCommand(rest);
    // Of the agent itself, not for people: see there.
    case 'kube-credentials':
      return (await import('./store/kube/credentials-command.ts')).kubeCredentialsCommand(rest);
    case 'help':
      console.log((await import('./config/help.ts')).formatHelp());
      return 0;
    case 'run':
      return (await import('./run.ts')).runCommand(rest);
  }
  // Like flanneld, flags alone mean to run.
  if (first.startsWith('-')) return (await import('./run.ts')).runCommand(args);
  console.error(`Unknown command '${first}', expected one of: ${COMMANDS.join(', ')}`);
  return 1;
}

void main(process.argv.slice(2)).then((status) => process.exit(status));
