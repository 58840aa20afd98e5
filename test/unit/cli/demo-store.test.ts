import { expect, test } from 'bun:test';
import { requireStore } from '../../../src/cli/demo/store.ts';

test('a store that cannot be had is named before anything is made', () => {
  expect(() => requireStore({ store: 'sqlite' }, '/nowhere')).not.toThrow();
  expect(() => requireStore({ store: 'kube' }, '/nowhere')).toThrow(
    'The demo cannot show leases in Kubernetes yet',
  );
  try {
    requireStore({ store: 'etcd' }, '/nowhere');
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({
      message: 'There is no etcd on this machine',
      details: ['Install it: apt install etcd-server'],
    });
  }
});
