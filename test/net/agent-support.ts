/**
 * What tests of whole agents share: waiting, reading logs, checking that pods talk.
 *
 * @module
 */
import { expect } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Agent } from '../../src/cli/demo/agents.ts';
import { allPairs, pingPairs } from '../../src/cli/demo/pings.ts';
import type { Pod } from '../../src/cli/demo/pods.ts';
import { type Overlay, readOverlay } from './agent-overlay.ts';
import type { Lab, LabNode } from './lab.ts';

/** A test of whole agents that takes longer hangs. */
export const TIMEOUT_MS = 60_000;

/** Whatever an agent does by itself is done by then, even on a machine with other things to do. */
const WAIT_MS = 15_000;
const LOOK_INTERVAL_MS = 10;

/** A line of an agent's log; all agents of a lab write JSON if they are started with {@link JSON_LOG}. */
const logLineSchema = v.looseObject({
  time: v.string(),
  level: v.string(),
  msg: v.string(),
  object: v.optional(v.string()),
  code: v.optional(v.string()),
});

/** See {@link logLineSchema}. */
export type LogLine = v.InferOutput<typeof logLineSchema>;

/** The arguments of an agent whose log is read by a test. */
export const JSON_LOG = { arguments: ['--log-format', 'json'] } as const;

/** Waits until `look` does not throw, and gives back what it found; in the end throws what it threw last. */
export async function eventually<T>(look: () => T | Promise<T>, timeoutMs: number = WAIT_MS): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    await Bun.sleep(LOOK_INTERVAL_MS);
  }
}

/** The whole log of the agents that ran on a node, oldest line first. */
export function readLog({ logFile }: Pick<Agent, 'logFile'>): LogLine[] {
  const lines = readFileSync(logFile, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => v.parse(v.pipe(v.string(), v.parseJson(), logLineSchema), line));
}

/** Gives net-conf.json other members; agents read it when they start. */
export function changeNetConf(lab: Lab, members: Readonly<Record<string, unknown>>): void {
  const path = join(lab.directory, 'net-conf.json');
  const before = v.parse(v.record(v.string(), v.unknown()), JSON.parse(readFileSync(path, 'utf8')));
  writeFileSync(path, JSON.stringify({ ...before, ...members }));
}

/** Ends all agents, and starts them again when `change` has been made. */
export async function restartAll(lab: Lab, change: () => void = () => {}): Promise<void> {
  await Promise.all(lab.nodes.map((node) => node.stop()));
  change();
  await lab.startAll();
}

/** Waits until the kernel of the node shows what is expected by then. */
export async function expectOverlay(node: LabNode, expected: () => Overlay): Promise<void> {
  await eventually(() => expect(readOverlay(node)).toEqual(expected()));
}

/** How often the agent has put something right. */
export async function repairsOf(node: LabNode): Promise<number> {
  const status = await node.agent.status();
  return Object.values(status?.repairs ?? {}).reduce((sum, count) => sum + count, 0);
}

/** Pings every pod from every pod, in every family; a lost ping is tried again until `timeoutMs` is over. */
export async function expectPodsTalk(pods: readonly Pod[], timeoutMs = 5_000): Promise<void> {
  await eventually(async () => {
    const pings = await pingPairs(allPairs(pods));
    expect(pings.length).toBeGreaterThan(0);
    const lost = pings.filter(({ roundTripMs }) => roundTripMs === undefined);
    expect(lost.map(({ from, to, family }) => `${from.node.name} ${to.node.name} IPv${family}`)).toEqual([]);
  }, timeoutMs);
}

/** What stands in the way, as `/readyz` tells programs. */
export async function reasonsOf(node: LabNode): Promise<Reasons> {
  const answer = await node.agent.get('/readyz?format=json');
  if (answer === undefined) throw new Error(`The agent of ${node.name} does not answer`);
  return parseReasons(answer.status, answer.text);
}

/** An answer of `/readyz?format=json`. */
export interface Reasons {
  readonly status: number;
  readonly codes: readonly string[];
  readonly messages: readonly string[];
  readonly remedies: readonly string[];
}

/** Reads an answer of `/readyz?format=json`. */
export function parseReasons(status: number, body: string): Reasons {
  const { problems } = v.parse(readinessSchema, JSON.parse(body));
  return {
    status,
    codes: problems.map(({ code }) => code),
    messages: problems.map(({ message }) => message),
    remedies: problems.map(({ remedy }) => remedy),
  };
}

/**
 * Waits until the agent says that it is not ready because of this, in `/readyz` and in the log, there once. Its
 * process goes on. Gives back the message.
 */
export async function expectTrouble(node: LabNode, code: string, text: string): Promise<string> {
  const message = await eventually(async () => {
    const { status, codes, messages } = await reasonsOf(node);
    expect({ status, codes }).toEqual({ status: 503, codes: expect.arrayContaining([code]) });
    const found = messages[codes.indexOf(code)] ?? '';
    expect(found).toContain(text);
    return found;
  });
  await eventually(() => expect(readLog(node.agent).filter(({ msg }) => msg === message).length).toBe(1));
  expect(node.running).toBe(true);
  return message;
}

const readinessSchema = v.strictObject({
  ready: v.boolean(),
  problems: v.array(v.strictObject({ code: v.string(), message: v.string(), remedy: v.string() })),
});
