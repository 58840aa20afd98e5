/**
 * The text of `--help`, made from the table of flags.
 *
 * @module
 */
import { FLAGS, type Flag, type FlagSpec } from './flags.ts';

/** Fits a terminal of 100 columns. */
const WIDTH = 100;

/** Where the descriptions begin. */
const COMMAND_INDENT = 12;
const FLAG_INDENT = 35;

const COMMANDS: readonly (readonly [name: string, help: string])[] = [
  ['run', "the agent: leases this node's subnet and connects it with the others (the default)"],
  ['status', 'what the agent of this node does, for a person to read'],
  ['cleanup', 'takes flannelette off this node; cleanup --help says more'],
  ['version', 'the version; with --json for programs'],
  ['demo', 'three nodes in network namespaces of their own, broken and repaired before your eyes'],
];

const INTRODUCTION = `flannelette: flannel for small nodes

Usage
  flannelette [run] [flags]
  flannelette status|cleanup|version|demo
  flannelette --help`;

const SYNTAX = `Flags of run
  -x and --x are the same. A value follows after '=' or a space; that of an on/off flag only after
  '='. In the environment --some-flag is FLANNELD_SOME_FLAG; the command line wins over it. The node
  is called as NODE_NAME in the environment says, else as the host.`;

/** The whole help, ending in a newline. */
export function formatHelp(): string {
  const commands = COMMANDS.flatMap(([name, help]) =>
    entry({ name, words: help.split(' '), indent: COMMAND_INDENT }),
  );
  const sections = [...Map.groupBy(FLAGS, (flag) => flag.section)].map(([title, flags]) =>
    [title, ...flags.flatMap(flagEntry)].join('\n'),
  );
  return `${[INTRODUCTION, ['Commands', ...commands].join('\n'), SYNTAX, ...sections].join('\n\n')}\n`;
}

function flagEntry({ name, valueName, help, spec }: Flag): string[] {
  const fallback = fallbackText(spec);
  const words = [...help.split(' '), ...(fallback === '' ? [] : [`(default ${fallback})`])];
  return entry({ name: `--${name} ${valueName}`.trimEnd(), words, indent: FLAG_INDENT });
}

function fallbackText(spec: FlagSpec): string {
  // Off, empty and none go without saying.
  if (spec.type === 'bool') return spec.fallback ? 'true' : '';
  return spec.type === 'list' ? '' : String(spec.fallback);
}

/** One name with its description beside it. Words are kept whole. */
function entry({ name, words, indent }: { name: string; words: string[]; indent: number }): string[] {
  const lines: string[] = [];
  let line = `  ${name}`.padEnd(indent);
  for (const word of words) {
    if (line.length > indent && line.length + word.length > WIDTH) {
      lines.push(line.trimEnd());
      line = ' '.repeat(indent);
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}
