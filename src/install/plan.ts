/**
 * From what is found in the directories of CNI to what has to be done there. Pure: equal findings give equal plans.
 *
 * @module
 */
import { type Problem, problem } from '../model/problem.ts';
import {
  CONFLIST_NAME,
  formatConflist,
  LINK_NAMES,
  namesBefore,
  PROGRAM_NAME,
  pluginTypes,
} from './conflist.ts';

/** Where the container runtime looks. */
export interface Places {
  readonly confDir: string;
  readonly binDir: string;
}

/** What a name in the directory of plugins stands for: `own` leads to this program. */
export type NameFinding = 'none' | 'own' | 'foreign';

/** What was found. */
export interface Findings {
  readonly places: Places;
  /** `other`: the name is this program's, and what has it is another version, or cannot be told. */
  readonly program: 'none' | 'own' | 'other';
  readonly links: ReadonlyMap<string, NameFinding>;
  /** The names in the directory of plugins that can be executed. */
  readonly executables: ReadonlySet<string>;
  /** `undefined` if there is none; `own` also if it is of a former version. */
  readonly conflist: { readonly text: string; readonly own: boolean } | undefined;
  /** All names in the directory of configurations. */
  readonly configs: readonly string[];
}

/** One thing to do. With `aside`, what is in its place is kept under another name. */
export type InstallStep =
  | { readonly kind: 'program'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly aside: boolean }
  | { readonly kind: 'conflist'; readonly path: string; readonly text: string; readonly aside: boolean };

/** What is to be done, in its order: the conflist last, since it is what the runtime waits for. */
export interface InstallPlan {
  readonly steps: readonly InstallStep[];
  /** Every path that is kept right. */
  readonly paths: readonly string[];
  readonly problems: readonly Problem[];
}

/** The conflist to install: ours unless the operator has given one. */
export function wantedConflist({ executables }: Pick<Findings, 'executables'>, given?: string): string {
  return given ?? formatConflist({ bandwidth: executables.has('bandwidth') });
}

/** Computes the steps. `given` is an operator's conflist. */
export function planInstall(findings: Findings, given?: string): InstallPlan {
  const { places, program, links, conflist } = findings;
  const steps: InstallStep[] = [];
  const programPath = `${places.binDir}/${PROGRAM_NAME}`;
  if (program !== 'own') steps.push({ kind: 'program', path: programPath });
  for (const name of LINK_NAMES) {
    const finding = links.get(name) ?? 'none';
    if (finding === 'own') continue;
    steps.push({ kind: 'link', path: `${places.binDir}/${name}`, aside: finding === 'foreign' });
  }
  const text = wantedConflist(findings, given);
  const path = `${places.confDir}/${CONFLIST_NAME}`;
  if (conflist?.text !== text) {
    steps.push({ kind: 'conflist', path, text, aside: conflist !== undefined && !conflist.own });
  }
  const linkPaths = LINK_NAMES.map((name) => `${places.binDir}/${name}`);
  return {
    steps,
    paths: [programPath, ...linkPaths, path],
    problems: [...missingPlugins(findings, text), ...configsBefore(findings)],
  };
}

function missingPlugins({ places, executables }: Findings, text: string): Problem[] {
  // Our own names are there once the steps are done.
  const known = new Set<string>([...executables, PROGRAM_NAME, ...LINK_NAMES]);
  const missing = (pluginTypes(text) ?? []).filter((type) => !known.has(type));
  if (missing.length === 0) return [];
  const named = missing.map((type) => `'${type}'`).join(', ');
  return [problem('cni-plugin-missing', `${CONFLIST_NAME} names ${named}, not found in ${places.binDir}`)];
}

function configsBefore({ places, configs }: Findings): Problem[] {
  const [first] = namesBefore(configs, CONFLIST_NAME);
  if (first === undefined) return [];
  const path = `${places.confDir}/${first}`;
  return [
    problem(
      'cni-config-before',
      `${path} comes before ${CONFLIST_NAME}: the container runtime takes it, and pods get another network`,
      `Move it away if pods are to be flannelette's: mv ${path} ${path}.off`,
    ),
  ];
}
