/**
 * Reads the tree's TypeScript as text. The formatter has laid it out, so lines and indentation say what a
 * parser would.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dir, '../..');

/** One import of one file. */
export interface Import {
  /** A path from the root of the tree, or a module's name. */
  readonly target: string;
  readonly kind: 'value' | 'types' | 'dynamic';
}

/** A file of the tree. */
export interface SourceFile {
  /** From the root of the tree. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

/** All TypeScript files below some folders of the tree, sorted. */
export function readSources(folders: readonly string[]): SourceFile[] {
  const paths = folders.flatMap((folder) => {
    const absolute = join(ROOT, folder);
    if (!existsSync(absolute)) return [];
    return readdirSync(absolute, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  });
  return paths
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8');
      return { path, text, imports: importsOf(path, text) };
    });
}

function importsOf(path: string, text: string): Import[] {
  const imports: Import[] = [];
  for (const [, type, clause = '', specifier = ''] of text.matchAll(
    /^(?:import|export) (type )?(?:([^;'"]*?) from )?'([^']+)'(?: with \{[^}]*\})?;$/gm,
  )) {
    const kind = type !== undefined || namesOnlyTypes(clause) ? 'types' : 'value';
    imports.push({ target: resolve(path, specifier), kind });
  }
  for (const [, specifier = ''] of codeOf(text).matchAll(/\bimport\('([^']+)'\)/g)) {
    imports.push({ target: resolve(path, specifier), kind: 'dynamic' });
  }
  return imports;
}

function namesOnlyTypes(clause: string): boolean {
  if (!clause.startsWith('{')) return false;
  const names = clause.slice(1, -1).split(',');
  return names.every((name) => /^\s*(type |$)/.test(name));
}

function resolve(path: string, specifier: string): string {
  return specifier.startsWith('.') ? join(dirname(path), specifier) : specifier;
}

/** The text without its comments. */
export function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}

/** The number of lines of a text that ends with a line end. */
export function lineCount(text: string): number {
  return text.split('\n').length - 1;
}

/** A function and how long it is, from its head to its closing brace. */
export interface FunctionSpan {
  /** Counted from 1. */
  readonly line: number;
  readonly lines: number;
}

/** What begins a body of code: `function`, an arrow, or a method's name. */
const FUNCTION_HEAD =
  /^\s*(?:export )?(?:async )?function\b|=> \{$|^\s+(?:(?:static|private|async|get|set|override) )*[#\w[][\w.\]]*\([^;]*$/;
const NO_FUNCTION = /^\s*(?:if|for|while|switch|return|await|expect|throw)\b/;

/** Every function of a formatted text that has a body of several lines. A body ends at its head's indentation. */
export function functionsOf(text: string): FunctionSpan[] {
  const lines = text.split('\n');
  const spans: FunctionSpan[] = [];
  for (const [start, line] of lines.entries()) {
    if (!FUNCTION_HEAD.test(line) || (NO_FUNCTION.test(line) && !line.endsWith('=> {'))) continue;
    const indent = line.length - line.trimStart().length;
    const end = lines.findIndex((other, at) => at > start && isEndOf(other, indent));
    if (end > 0) spans.push({ line: start + 1, lines: end - start + 1 });
  }
  return spans;
}

function isEndOf(line: string, indent: number): boolean {
  return line.length - line.trimStart().length === indent && /^\s*[}\])]+[;,]*$/.test(line);
}

/**
 * The lines of exports that no documentation comment stands above. Constants of one line each, such as the
 * kernel's, may share one.
 */
export function undocumentedExports(text: string): number[] {
  const missing: number[] = [];
  let above = '';
  let shared: boolean = false;
  for (const [at, line] of text.split('\n').entries()) {
    const constant = /^export const .*;$/.test(line);
    const documented: boolean = above.endsWith('*/') || (constant && shared);
    if (line.startsWith('export ') && !documented) missing.push(at + 1);
    shared = constant && documented;
    above = line;
  }
  return missing;
}

/** A path of imports that comes back to its start, if there is one. */
export function findCycle(sources: readonly SourceFile[]): string[] | undefined {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const { target } of byPath.get(path)?.imports ?? []) {
      const cycle = visit(target, [...trail, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const { path } of sources) {
    const cycle = visit(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
