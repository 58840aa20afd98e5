/**
 * Reads what an agent answers at `/status`. The agent may be of another version: members that this one does
 * not know are passed over, those that are missing have a value that says nothing. Every text is made
 * printable here, since much of it comes from peers: whatever is made of a document is safe for a terminal.
 *
 * @module
 */
import * as v from 'valibot';
import { printable } from '../model/printable.ts';
import { fail, ok, type Result } from '../model/result.ts';

const safe = v.pipe(v.string(), v.transform(printable));
const text = v.optional(safe);
/** JSON has no infinity, but 1e999 is read as one. */
const number = v.pipe(v.number(), v.finite());
const count = v.optional(number, 0);

const problemSchema = v.object({ code: safe, message: safe, remedy: v.optional(safe, '') });

const peerFamilySchema = v.object({ subnet: safe, publicIp: safe });

const peerSchema = v.object({
  node: safe,
  backendType: v.optional(safe, ''),
  state: safe,
  ipv4: v.optional(peerFamilySchema),
  ipv6: v.optional(peerFamilySchema),
  reason: text,
});

const passSchema = v.object({
  at: safe,
  cause: v.optional(safe, ''),
  durationMs: count,
  created: count,
  updated: count,
  removed: count,
  failed: count,
  held: count,
});

const interfaceSchema = v.object({
  name: safe,
  mtuBytes: v.optional(number),
  ipv4: text,
  ipv6: text,
  publicIpv4: text,
  publicIpv6: text,
  why: v.optional(safe, ''),
});

const statusSchema = v.object({
  version: v.optional(safe, 'of an unknown version'),
  node: safe,
  pid: v.optional(number),
  startedAt: text,
  ready: v.boolean(),
  readyAfterMs: v.optional(number),
  problems: v.optional(v.array(problemSchema), []),
  backend: v.optional(safe, ''),
  network: text,
  networkV6: text,
  interface: v.optional(interfaceSchema),
  forwarding: v.optional(
    v.object({ settings: v.optional(v.record(safe, safe), {}), notes: v.optional(v.array(safe), []) }),
  ),
  lease: v.optional(v.object({ subnet: text, subnetV6: text, expiresAt: text })),
  vtepMacs: v.optional(v.record(safe, safe), {}),
  store: v.optional(
    v.object({ name: safe, problem: v.optional(problemSchema), heardAtMs: v.optional(number) }),
  ),
  peers: v.optional(v.array(peerSchema), []),
  refused: v.optional(v.array(v.object({ node: safe, reason: safe })), []),
  lastPass: v.optional(passSchema),
  repairs: v.optional(v.record(safe, number), {}),
});

/** The status of an agent, as far as this version understands it. */
export type StatusDocument = v.InferOutput<typeof statusSchema>;

/** One peer of a {@link StatusDocument}. */
export type PeerDocument = StatusDocument['peers'][number];

/** Reads the body of an answer; an error says in words what is wrong with it. */
export function parseStatus(body: string): Result<StatusDocument, string> {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return fail('it is no JSON');
  }
  const parsed = v.safeParse(statusSchema, json);
  if (parsed.success) return ok(parsed.output);
  const [issue] = parsed.issues;
  return fail(printable(`${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`));
}

const waitingSchema = v.pipe(v.string(), v.parseJson(), v.object({ problems: v.array(problemSchema) }));

/** Reads what an agent answers that has only begun to start: what it waits for. */
export function parseWaiting(body: string): string[] {
  const parsed = v.safeParse(waitingSchema, body);
  return parsed.success
    ? parsed.output.problems.map(({ message, remedy }) => `${message}\n  → ${remedy}`)
    : [];
}
