/**
 * Other people's tools as witnesses: they look at the kernel in their own way, from inside a namespace.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { inNetns, type Netns } from '../../ffi/netns.ts';

const recordSchema = v.record(v.string(), v.unknown());

/** One entry of what a tool prints as JSON. */
export type WitnessRecord = v.InferOutput<typeof recordSchema>;

/** Runs a command in a namespace and gives back what it prints. Throws what it says if it fails. */
export function run(netns: Netns, command: readonly string[]): string {
  const result = inNetns(netns, () => Bun.spawnSync([...command], { stdin: 'ignore', stderr: 'pipe' }));
  if (result.exitCode === 0) return result.stdout.toString();
  throw new Error(`'${command.join(' ')}' ended with ${result.exitCode}: ${result.stderr.toString().trim()}`);
}

/** Reads a list of records. Tools print nothing at all, or empty records, where they found nothing. */
export function witnessRecords(text: string): WitnessRecord[] {
  const records = v.parse(v.array(recordSchema), witnessValue(text === '' ? '[]' : text));
  return records.filter((record) => Object.keys(record).length > 0);
}

/** Reads any JSON. */
export function witnessValue(text: string): unknown {
  return JSON.parse(text);
}

/** A running `tcpdump`. */
export interface Capture extends AsyncDisposable {
  /** Ends it and gives back one line for each packet. */
  stop(): Promise<string[]>;
}

/** Whether tcpdump works here: in a user namespace it cannot become the user that it wants to be. */
export const mayCapture = readFileSync('/proc/self/setgroups', 'utf8').trim() === 'allow';

/** What to capture. */
export interface CaptureOptions {
  readonly link: string;
  /** `pcap-filter(7)`, one word each; everything if empty. */
  readonly filter: readonly string[];
}

/** Starts `tcpdump` and waits until it listens. */
export async function capture(netns: Netns, { link, filter }: CaptureOptions): Promise<Capture> {
  const command = ['tcpdump', '-i', link, '-n', '-e', '-l', '--immediate-mode', ...filter];
  const tcpdump = inNetns(netns, () => Bun.spawn(command, { stdin: 'ignore', stderr: 'pipe' }));
  const output = new Response(tcpdump.stdout).text();
  await untilListening(tcpdump.stderr);
  const stop = async () => {
    tcpdump.kill('SIGINT');
    const lines = (await output).split('\n');
    return lines.filter((line) => line !== '');
  };
  return {
    stop,
    [Symbol.asyncDispose]: async () => {
      tcpdump.kill('SIGKILL');
      await tcpdump.exited;
    },
  };
}

/** It says so on standard error, and whatever else it says first is why it does not. */
async function untilListening(stderr: ReadableStream<Uint8Array>): Promise<void> {
  const decoder = new TextDecoder();
  const reader = stderr.getReader();
  let said = '';
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    said += decoder.decode(part.value, { stream: true });
    if (!said.includes('listening on')) continue;
    // Not closed: tcpdump writes the line in pieces, and the next one would end it.
    reader.releaseLock();
    return;
  }
  throw new Error(`tcpdump does not listen: ${said.trim()}`);
}
