/** Keeping the own Node saying what it should, against failures and against others. @module */
import { describe, expect, test } from 'bun:test';
import { problem } from '../../../../src/model/problem.ts';
import { Publisher } from '../../../../src/store/kube/publisher.ts';
import { FakeClock, settled } from '../../../sim/fake-clock.ts';
import { FakeApi } from './fake-api.ts';
import { filterOf, PREFIX } from './wire.ts';

const AWAY = { kind: 'unreachable', problem: problem('store-unavailable', 'Away') } as const;

const WANTED = new Map<string, string | undefined>([
  ['backend-type', 'vxlan'],
  ['public-ip', '10.0.0.1'],
  ['public-ipv6', undefined],
]);
const SAID = { [`${PREFIX}backend-type`]: 'vxlan', [`${PREFIX}public-ip`]: '10.0.0.1' };

/** A publisher for node `me`, the server, and what it tells. */
function open() {
  const clock = new FakeClock();
  const api = new FakeApi(clock);
  const told: string[] = [];
  const publisher = new Publisher({
    api,
    filter: filterOf(),
    prefix: PREFIX,
    clock,
    random: () => 0.5,
    onNode: ({ annotations }) => told.push(`node ${annotations.get('public-ip')}`),
    onProblem: (trouble) => {
      const words = trouble?.message ?? 'ok';
      if ((told.at(-1) ?? 'ok') !== words) told.push(words);
    },
  });
  const start = async ({ isNetworkUp = false } = {}) => {
    publisher.setNode(api.node());
    publisher.setWanted({ annotations: WANTED, isNetworkUp });
    await settled();
  };
  return { clock, api, told, publisher, start };
}

describe('what is patched', () => {
  test('nothing before it is known what is there and what should be', async () => {
    const { api, publisher, start } = open();
    publisher.setWanted({ annotations: WANTED, isNetworkUp: true });
    publisher.setNode(undefined);
    await settled();
    expect(api.patches).toEqual([]);
    await start();
    expect(api.patches.length).toBe(1);
  });

  test('the status of the own Node, and what comes of it is given on', async () => {
    const { api, told, clock, start } = open();
    api.annotations = { [`${PREFIX}public-ipv6`]: 'fd77::1', other: 'x' };
    await start();
    expect(api.patches.map(({ request }) => request)).toMatchObject([
      {
        method: 'PATCH',
        path: '/api/v1/nodes/me/status',
        what: 'patch the status of node me',
        patch: JSON.stringify({ metadata: { annotations: { ...SAID, [`${PREFIX}public-ipv6`]: null } } }),
      },
    ]);
    expect(api.annotations).toEqual({ ...SAID, other: 'x' });
    expect(told).toEqual(['node 10.0.0.1', 'ok']);
    await clock.advance(3_600_000);
    expect([api.patches.length, clock.pendingCount]).toEqual([1, 0]);
  });

  test('nothing where all is said', async () => {
    const { api, told, start } = open();
    api.annotations = { ...SAID };
    await start();
    expect([api.patches.length, told]).toEqual([0, []]);
  });

  test('the condition as flannel writes it, once the network is up and after the annotations', async () => {
    const { api, publisher, start } = open();
    api.condition = ['NetworkUnavailable', 'True', 'NoRouteCreated'];
    await start();
    expect(api.condition[1]).toBe('True');
    publisher.setWanted({ annotations: new Map([...WANTED, ['new', 'x']]), isNetworkUp: true });
    await settled();
    expect(api.patches.map(({ body }) => Object.keys(body))).toEqual([
      ['metadata'],
      ['metadata'],
      ['status'],
    ]);
    expect(api.condition).toEqual(['NetworkUnavailable', 'False', 'FlannelIsUp']);
  });

  test('the condition, with the time', async () => {
    const { api, clock, start } = open();
    api.annotations = { ...SAID };
    await start({ isNetworkUp: true });
    const lastHeartbeatTime = '2026-01-01T00:00:00Z';
    expect(api.patches.map(({ body }) => body)).toEqual([
      {
        status: {
          conditions: [
            {
              type: 'NetworkUnavailable',
              status: 'False',
              reason: 'FlannelIsUp',
              message: 'Flannel is running on this node',
              lastHeartbeatTime,
              lastTransitionTime: lastHeartbeatTime,
            },
          ],
        },
      },
    ]);
    await clock.advance(3_600_000);
    expect([api.patches.length, clock.pendingCount]).toEqual([1, 0]);
  });

  test('a condition that is as it should be stays, whoever has written it', async () => {
    const { api, start } = open();
    api.annotations = { ...SAID };
    api.condition = ['NetworkUnavailable', 'False', 'CiliumIsUp'];
    await start({ isNetworkUp: true });
    expect(api.patches).toEqual([]);
  });
});

describe('what fails', () => {
  test('is told, and tried again after growing pauses', async () => {
    const { api, told, clock, start } = open();
    api.failure = AWAY;
    await start();
    await clock.advance(60_000);
    expect(api.pauses.slice(0, 7)).toEqual([75, 150, 300, 600, 1_200, 2_400, 3_750]);
    expect(Math.max(...api.pauses)).toBe(3_750);
    expect(told).toEqual(['Away']);
    api.failure = undefined;
    await clock.advance(5_000);
    expect(told).toEqual(['Away', 'ok', 'node 10.0.0.1', 'ok']);
    expect([api.annotations, clock.pendingCount]).toEqual([SAID, 0]);
  });

  test('is not tried more often because the Node changes all the time', async () => {
    const { api, clock, publisher, start } = open();
    api.failure = AWAY;
    await start();
    for (let n = 0; n < 600; n++) {
      publisher.setNode(api.node());
      await clock.advance(100);
    }
    expect(api.patches.length).toBeLessThan(30);
    expect(clock.pendingCount).toBe(1);
  });

  test('is tried at once if something else is wanted', async () => {
    const { api, clock, publisher, start } = open();
    api.failure = AWAY;
    await start();
    await clock.advance(20_000);
    api.failure = undefined;
    publisher.setWanted({ annotations: new Map([...WANTED, ['public-ip', '10.0.0.2']]), isNetworkUp: false });
    await settled();
    expect(api.annotations[`${PREFIX}public-ip`]).toBe('10.0.0.2');
    expect(clock.pendingCount).toBe(0);
  });

  test('waits no longer if somebody else has done it, or the Node is gone', async () => {
    const { api, told, clock, publisher, start } = open();
    api.failure = AWAY;
    await start();
    publisher.setNode(undefined);
    expect(told).toEqual(['Away', 'ok']);
    await clock.advance(60_000);
    expect([api.patches.length, clock.pendingCount]).toEqual([1, 0]);
    api.failure = undefined;
    publisher.setNode(api.node());
    await settled();
    expect(api.annotations).toEqual(SAID);
  });

  test('an answer that cannot be read is a failure as well', async () => {
    const { api, told, clock, start } = open();
    api.rubbish = Buffer.from('{"kind":"Node"}');
    await start();
    await clock.advance(60_000);
    expect(told).toEqual(['The API server gave a Node that cannot be read']);
    expect(api.patches.length).toBeLessThan(30);
  });
});

describe('a fight', () => {
  test('is slowed down, and never given up', async () => {
    const { api, clock, publisher, start, told } = open();
    await start();
    const undo = () => {
      api.annotations = {};
      publisher.setNode(api.node());
    };
    // The watch tells it a moment later.
    api.meddle = () => void clock.schedule(10, undo);
    undo();
    await clock.advance(600_000);
    expect(api.patches.length).toBeLessThan(200);
    expect(api.pauses.slice(-3)).toEqual([3_760, 3_760, 3_760]);
    expect(told.at(-1)).toBe('Something else keeps changing the annotations of Node me back');
    api.meddle = () => undefined;
    await clock.advance(20_000);
    expect([api.annotations, clock.pendingCount, told.at(-1)]).toEqual([SAID, 0, 'ok']);
  });

  test('with a server that takes every patch and changes nothing is one, too', async () => {
    const { api, clock, start } = open();
    api.meddle = () => {
      api.annotations = {};
    };
    await start();
    await clock.advance(600_000);
    expect(api.patches.length).toBeLessThan(200);
    expect(api.pauses.slice(-1)).toEqual([3_750]);
  });

  test('that is long over is forgotten: the next change is put right at once', async () => {
    const { api, clock, publisher, start } = open();
    await start();
    for (let n = 0; n < 5; n++) {
      await clock.advance(10_001);
      api.annotations = {};
      publisher.setNode(api.node());
      await settled();
      expect(api.annotations).toEqual(SAID);
    }
    expect(api.patches.length).toBe(6);
  });
});

describe('the end', () => {
  test('takes back what is due', async () => {
    const { api, clock, publisher, start } = open();
    api.failure = AWAY;
    await start();
    publisher.close();
    await clock.advance(60_000);
    publisher.setNode(api.node());
    await settled();
    expect([api.patches.length, clock.pendingCount]).toEqual([1, 0]);
  });

  test('is told nothing of a patch that was on its way', async () => {
    const { api, told, publisher } = open();
    publisher.setNode(api.node());
    publisher.setWanted({ annotations: WANTED, isNetworkUp: false });
    const before = told.length;
    publisher.close();
    await settled();
    expect([api.patches.length, told.length]).toEqual([1, before]);
  });
});
