import { expect, test } from 'bun:test';
import { perform } from '../../src/cleanup/perform.ts';
import type { PassageObject } from '../../src/model/objects.ts';
import { ok } from '../../src/model/result.ts';
import type { Removal } from '../../src/removal/decide.ts';

const NOTHING: Removal = {
  cni: [],
  settings: [],
  kernel: [],
  iptables: [],
  network: [],
  lease: [],
  state: [],
  left: [],
};

function passage(handle: number): PassageObject {
  return { kind: 'passage', networks: [], faults: [], rules: [`ip filter FORWARD handle ${handle}`] };
}

async function errorsOf(after: readonly PassageObject[]): Promise<(string | undefined)[]> {
  const removal: Removal = { ...NOTHING, kernel: [{ kind: 'object', object: passage(7) }] };
  const outcomes = await perform(removal, {
    target: { apply: () => new Map() },
    remaining: () => ok(after.map((object) => ({ kind: 'object', object }))),
    removeIptables: async () => undefined,
    release: async () => ok(undefined),
  });
  return outcomes.map(({ error }) => error);
}

test('what another program makes again while it is removed is no success, although the kernel knows it by another number', async () => {
  expect(await errorsOf([])).toEqual([undefined]);
  expect(await errorsOf([passage(8)])).toEqual([
    'it was removed and is there again: another program makes it',
  ]);
});
