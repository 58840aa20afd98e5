/**
 * Files that others write for CNI: conflists and containerd's config.toml. Whatever stands in them, directories are absolute,
 * plugins have names, and what is ours is known by nothing else.
 *
 * @module
 */
import { readCniPlaces } from '../../../src/config/containerd-config.ts';
import { formatConflist, isOwnConflist, pluginTypes } from '../../../src/install/conflist.ts';
import { planInstall } from '../../../src/install/plan.ts';
import { spoilText } from '../spoil.ts';
import { inputFiles, mustHold, target, textForm, type Verdict } from '../target.ts';
import { mustBeLine } from './text-rules.ts';

const WORDS = [
  '"name":',
  '"plugins":',
  '"type":',
  '"flannelette"',
  '[plugins.cri.cni]',
  'bin_dir = ',
  'conf_dir = ',
];

/** The text of one. */
export const cniFiles = target<string>({
  name: 'cni-files',
  samples: inputFiles('corpus', 'cni-files').map(textForm.decode),
  spoil: (random, text, other) => spoilText(random, text, { words: WORDS, other }),
  run: judge,
  ...textForm,
});

function judge(text: string): Verdict {
  const { confDir, binDir } = readCniPlaces(text);
  for (const path of [confDir, binDir])
    mustHold(path === undefined || (path.startsWith('/') && !path.includes('\0')), `A directory ${path}`);
  const types = pluginTypes(text);
  for (const type of types ?? []) mustHold(/^[^/\0]+$/.test(type), `A plugin '${type}'`);
  mustHold(
    !isOwnConflist(text) || types?.[0] === 'flannelette',
    "Another program's conflist is taken for ours",
  );
  const findings = {
    places: { confDir: confDir ?? '/c', binDir: binDir ?? '/b' },
    program: 'own' as const,
    links: new Map(),
    executables: new Set(types),
    conflist: { text, own: isOwnConflist(text) },
    configs: [text],
  };
  const { steps, problems } = planInstall(findings);
  const isRight = text === formatConflist({ bandwidth: types?.includes('bandwidth') ?? false });
  mustHold(steps.some(({ kind }) => kind === 'conflist') !== isRight, 'A conflist is not put right');
  for (const { message } of problems) mustBeLine(message);
  return types === undefined && confDir === undefined && binDir === undefined ? 'refused' : 'accepted';
}
