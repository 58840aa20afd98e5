import { expect, test } from 'bun:test';
import { FAMILIES } from '../../src/model/ip.ts';
import { vxlanOverlay } from './agent-expected.ts';
import { type Overlay, readOverlay } from './agent-overlay.ts';
import { eventually, expectPodsTalk, TIMEOUT_MS } from './agent-support.ts';
import { createLab, type Lab } from './lab.ts';

const NAMES = ['node-1', 'node-2', 'node-3'];

/** What the first node has to show besides the routes that the test has made. */
async function expectDirect(lab: Lab, direct: readonly string[]): Promise<void> {
  const node = lab.node(1);
  const look = () => {
    const overlay = readOverlay(node);
    const routes = overlay.routes.filter(({ protocol }) => protocol !== 'static');
    expect<Overlay>({ ...overlay, routes }).toEqual(vxlanOverlay(lab, node, { direct }));
  };
  await eventually(look).catch(async (error: unknown) => {
    const status = await node.agent.status();
    throw new Error(`${String(error)}\n${node.agent.logTail(30).join('\n')}\n${JSON.stringify(status)}`);
  });
}

test.each([
  { what: 'both families', families: FAMILIES },
  { what: 'IPv4', families: [4] as const },
  { what: 'IPv6', families: [6] as const },
])(
  'DirectRouting with $what gives on-link peers plain routes, and the tunnel to those behind a gateway',
  async ({ families }) => {
    await using lab = await createLab({
      nodes: 3,
      families,
      backend: { Type: 'vxlan', DirectRouting: true },
    });
    await lab.startAll();
    const pods = await lab.addPods();
    for (const node of lab.nodes) {
      expect(readOverlay(node)).toEqual(vxlanOverlay(lab, node, { direct: NAMES }));
    }
    await expectPodsTalk(pods);

    const node = lab.node(1);
    const change = (verb: string) => {
      for (const family of families) {
        const [peer, gateway] = family === 4 ? ['192.168.77.3', '192.168.77.2'] : ['fd77::3', 'fd77::2'];
        node.run('ip', `-${family}`, 'route', verb, peer, 'via', gateway, 'dev', 'eth0', 'proto', 'static');
      }
    };
    change('add');
    await expectDirect(lab, ['node-2']);
    await expectPodsTalk(pods);
    change('del');
    await expectDirect(lab, NAMES);
    await expectPodsTalk(pods);
  },
  TIMEOUT_MS,
);
