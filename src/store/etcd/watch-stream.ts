/**
 * One watch of etcd, from its first answer to its end.
 *
 * @module
 */
import type { Clock } from '../../model/clock.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import { Alarm } from '../alarm.ts';
import type { ListHeader } from './client.ts';
import { type EtcdFailure, malformed, refusalFailure, transportFailure, unreachable } from './failure.ts';
import { ANSWER_MS_MAX, type Gateway, type OpenStream } from './gateway.ts';
import { type KeyEvent, type KeyRange, readWatch, watchBody } from './messages.ts';

/** A stream from which nothing comes for this long may be half-open: the next one begins where it ended. */
const SILENCE_MS_MAX = 60_000;

/** A line longer than this is not etcd's: it sends fragments of one and a half megabytes. */
const LINE_LENGTH_MAX = 16 << 20;

/** What is watched, and who is told. */
export interface WatchOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly keys: KeyRange;
  /** The first revision that is told. */
  readonly startRevision: number;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** It has begun; the store is this one, at this revision. */
  readonly onCreated: (header: ListHeader) => void;
  /** `revision` is that up to which everything is told, if that is so. */
  readonly onEvents: (events: readonly KeyEvent[], revision: number | undefined) => void;
}

/** Why a watch is over: it went silent or was ended from here, or a failure. */
export type WatchEnd = Result<'silent' | 'ended', EtcdFailure>;

/** Watches until the stream ends. It never throws. */
export async function watchKeys(options: WatchOptions): Promise<WatchEnd> {
  const { gateway, clock, keys, startRevision, signal } = options;
  const ending = new AbortController();
  const end = () => ending.abort();
  signal.addEventListener('abort', end);
  let isSilent = false;
  const silence = new Alarm(clock, () => {
    isSilent = true;
    end();
  });
  try {
    const body = watchBody(keys, startRevision);
    const stream = await gateway.open({ path: '/v3/watch', body, signal: ending.signal });
    if (!stream.ok) return signal.aborted ? ok('ended') : stream;
    const { endpoint } = stream.value;
    let isCreated = false;
    silence.set(ANSWER_MS_MAX);
    const reading = { ...stream.value, signal: ending.signal };
    const failure = await readLines(reading, (line) => {
      silence.set(SILENCE_MS_MAX);
      const answer = readWatch(line);
      if (!answer.ok) return malformed(endpoint, `the watch is not understood: ${answer.error}`);
      switch (answer.value.kind) {
        case 'created':
          isCreated = true;
          options.onCreated(answer.value);
          return undefined;
        case 'events':
          options.onEvents(answer.value.events, answer.value.revision);
          return undefined;
        case 'compacted':
          return { kind: 'compacted', message: `etcd at ${endpoint}: the revision has been compacted` };
        case 'canceled': {
          const failure = refusalFailure({ endpoint, ...answer.value, status: 200 });
          if (failure.kind === 'auth' || failure.kind === 'token') gateway.forgetToken();
          else gateway.avoid(endpoint);
          return failure;
        }
      }
    });
    if (signal.aborted) return ok('ended');
    if (isSilent && isCreated) return ok('silent');
    if (isSilent) gateway.avoid(endpoint);
    return fail(isSilent ? unreachable(endpoint, 'the watch does not begin') : failure);
  } finally {
    silence.cancel();
    signal.removeEventListener('abort', end);
    end();
  }
}

interface Reading extends OpenStream {
  /** Ends it, whatever the transport does. */
  readonly signal: AbortSignal;
}

/** Gives each line's JSON to `take` until that finds a fault, or the stream ends; gives back why. */
async function readLines(
  { body, endpoint, signal }: Reading,
  take: (json: unknown) => EtcdFailure | undefined,
): Promise<EtcdFailure> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  const cancel = () => void reader.cancel().catch(() => {});
  signal.addEventListener('abort', cancel);
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return unreachable(endpoint, 'the watch was closed');
      rest += decoder.decode(value, { stream: true });
      if (rest.length > LINE_LENGTH_MAX) return malformed(endpoint, 'a line of the watch is too long');
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        const fault = take(parse(rest.slice(0, end)));
        if (fault !== undefined) return fault;
        rest = rest.slice(end + 1);
      }
    }
  } catch (error) {
    return transportFailure(endpoint, error);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
