/** What `flannelette cleanup` does to a node whose lease is in Kubernetes. @module */
import { expect, test } from 'bun:test';
import { inNetns } from '../../ffi/netns.ts';
import { eventually } from '../net/agent-support.ts';
import { EXECUTABLE } from '../net/lab.ts';
import { KubeLab } from './kube-lab.ts';

test('the annotations of the Node go, and with them the peers of all others; what users have set stays', async () => {
  await using kube = await KubeLab.start({ nodes: 2, families: [4] });
  await kube.lab.startAll();
  const [one, two] = [kube.lab.node(1), kube.lab.node(2)];
  await kube.annotate(one.name, { 'public-ip-overwrite': '192.168.77.1' });
  await one.stop();
  const { directory } = one.agent;
  const clean = async (...more: readonly string[]) => {
    const places = ['--state-dir', `${directory}/state`, '--subnet-file', `${directory}/subnet.env`];
    const args = [
      ...more,
      ...kube.lab.site.storeArguments,
      ...places,
      '--socket',
      `${directory}/agent.sock`,
      '--install-cni=false',
    ];
    const { PATH = '' } = process.env;
    const env = { PATH, NODE_NAME: one.name };
    const child = inNetns(one.space.netns, () =>
      Bun.spawn([EXECUTABLE, 'cleanup', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    const printed = (await child.stdout.text()) + (await child.stderr.text());
    return { printed, status: await child.exited };
  };
  const dry = await clean('--dry-run');
  expect(dry.printed).toContain('10.42.1.0/24');
  expect(Object.keys(await kube.annotations(one.name)).length).toBe(5);
  const done = await clean();
  expect(done).toMatchObject({ status: 0 });
  expect(await kube.annotations(one.name)).toEqual({ 'public-ip-overwrite': '192.168.77.1' });
  await eventually(() => expect(two.run('ip', 'route')).not.toContain('10.42.1.0/24'));
  expect(one.run('ip', 'link')).not.toContain('flannel.1');
  expect((await clean()).status).toBe(0);
});
