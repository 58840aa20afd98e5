/** What the executable prints as a CNI plugin, apart from what each plugin does. @module */
import { expect, test } from 'bun:test';
import { answer } from '../../../src/cni/plugin.ts';

const VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];

function ask(program: string, environment: Record<string, string>, stdin: string) {
  return answer(program, { environment, readStdin: () => stdin });
}

test.each([
  ['{"cniVersion":"0.4.0"}', '0.4.0'],
  ['{"cniVersion":"9.9.9"}', '1.1.0'],
  ['{"cniVersion":{}}', '1.1.0'],
  ['null', '1.1.0'],
  ['no JSON', '1.1.0'],
  ['', '1.1.0'],
])('VERSION with %p is answered in %p', async (stdin, cniVersion) => {
  const { status, stdout } = await ask('/opt/cni/bin/loopback', { CNI_COMMAND: 'VERSION' }, stdin);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ cniVersion, supportedVersions: VERSIONS });
});

test.each(['host-local', '/opt/cni/bin/bridge', 'constructor', ''])(
  '%p is no plugin, not even for VERSION',
  async (program) => {
    const { status, stdout } = await ask(program, { CNI_COMMAND: 'VERSION' }, '{"cniVersion":"1.0.0"}');
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ code: 4, msg: expect.stringContaining(`'${program}'`) });
  },
);

test('an error is told in the version of the caller, on standard output', async () => {
  const { status, stdout } = await ask('loopback', { CNI_COMMAND: 'ADD' }, '{"cniVersion":"0.3.1"}');
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    cniVersion: '0.3.1',
    code: 4,
    msg: 'required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing',
    details: 'The container runtime sets the variables of a plugin; by hand, cnitool does',
  });
});

test('standard input that cannot be read is an error of its own', async () => {
  const readStdin = () => -11;
  const { status, stdout } = await answer('loopback', { environment: { CNI_COMMAND: 'ADD' }, readStdin });
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    cniVersion: '1.1.0',
    code: 5,
    msg: 'cannot read standard input: EAGAIN',
    details: 'The kernel says no more than that',
  });
});
