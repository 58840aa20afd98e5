/**
 * A cable from the test's own network, where the cluster is, to the bridge of a laboratory: its nodes reach the
 * cluster at an address of their own subnet.
 *
 * @module
 */

import type { Lab } from '../net/lab.ts';
import { run } from '../net/witness.ts';

/** The test's end. A cluster for a laboratory has it among its `addresses`. */
export const LAB_ADDRESS = '192.168.77.254';

/** Plugs it in. Disposing of it pulls it out. */
export function plugIntoLab(lab: Lab): Disposable {
  const own = (command: string) => {
    const { exitCode, stderr } = Bun.spawnSync(command.split(' '), { stderr: 'pipe' });
    if (exitCode !== 0) throw new Error(`'${command}' failed: ${stderr}`);
  };
  const bridge = (command: string) => run(lab.bridge, command.split(' '));
  own('ip link add kube0 type veth peer name kube');
  own(`ip link set kube netns /proc/${process.pid}/fd/${lab.bridge.fd}`);
  bridge('ip link set kube master br0 up');
  own(`ip address add ${LAB_ADDRESS}/24 dev kube0`);
  own('ip link set kube0 up');
  return { [Symbol.dispose]: () => own('ip link delete kube0') };
}
