/** A watch on servers that break off, or that have nothing to say. @module */
import { expect, test } from 'bun:test';
import { ok, type Result } from '../../../../src/model/result.ts';
import { KubeApi, type KubeRequest } from '../../../../src/store/kube/api.ts';
import { CredentialSource } from '../../../../src/store/kube/credentials.ts';
import type { KubeFailure } from '../../../../src/store/kube/failure.ts';
import { NodeWatch } from '../../../../src/store/kube/node-watch.ts';
import { FakeClock } from '../../../sim/fake-clock.ts';
import { bookmarkBytes, eventBytes, filterOf, frame, nodeBytes, wrapped } from './wire.ts';

type Stream = NonNullable<Response['body']>;

/** Has one Node, and begins every watch as it is told. */
class OneNodeApi extends KubeApi {
  /** The version that each watch begins with, or `list`, and when it came. */
  readonly watches: { readonly from: string; readonly atMs: number }[] = [];
  readonly #clock: FakeClock;
  readonly #begin: (from: string) => { readonly frames: readonly Buffer[]; readonly isEnd: boolean };

  constructor(clock: FakeClock, begin: OneNodeApi['begin']) {
    const credentials = new CredentialSource({ kubeconfig: undefined, clock });
    super({ credentials, apiUrl: 'http://127.0.0.1:1', clock, onUse: () => undefined });
    this.#clock = clock;
    this.#begin = begin;
  }

  get begin() {
    return this.#begin;
  }

  override ask(): Promise<Result<Buffer, KubeFailure>> {
    return Promise.resolve(ok(wrapped('Node', NODE)));
  }

  override stream({ path }: KubeRequest): Promise<Result<Stream, KubeFailure>> {
    const from = new URLSearchParams(path.slice(path.indexOf('?'))).get('resourceVersion') ?? 'list';
    this.watches.push({ from, atMs: this.#clock.monotonicMs() });
    const { frames, isEnd } = this.#begin(from);
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (const each of frames) controller.enqueue(frame(each));
        if (isEnd) controller.close();
      },
    });
    return Promise.resolve(ok(stream));
  }
}

const NODE = nodeBytes({ name: 'me' });
const ADDED = eventBytes('ADDED', NODE);
const LISTED = bookmarkBytes('77', true);

async function watching(begin: OneNodeApi['begin'], forMs: number): Promise<OneNodeApi['watches']> {
  const clock = new FakeClock();
  const api = new OneNodeApi(clock, begin);
  const nothing = () => undefined;
  const sink = {
    put: nothing,
    gone: nothing,
    listed: nothing,
    restarted: nothing,
    settled: nothing,
    recovered: nothing,
    failed: nothing,
  };
  const watch = new NodeWatch({ api, filter: filterOf(), clock, random: () => 0.5, sink });
  watch.start();
  for (let ms = 0; ms < forMs; ms += 50) await clock.advance(50);
  watch.close();
  return api.watches;
}

test('a list that breaks off in the middle is asked for less and less often', async () => {
  const watches = await watching(() => ({ frames: [ADDED], isEnd: true }), 20_000);
  const pauses = watches.slice(1).map(({ atMs }, i) => atMs - (watches[i]?.atMs ?? 0));
  expect(pauses.slice(0, 3)).toEqual(pauses.slice(0, 3).toSorted((a, b) => a - b));
  expect(Math.min(...pauses.slice(6))).toBeGreaterThan(1_000);
});

test('a server that is silent twice is asked for everything: its memory may have been set back', async () => {
  const begin = (from: string) => ({ frames: from === 'list' ? [ADDED, LISTED] : [], isEnd: false });
  const watches = await watching(begin, 300_000);
  expect(watches.map(({ from }) => from).slice(0, 4)).toEqual(['list', '77', 'list', '77']);
});
