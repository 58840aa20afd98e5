/** What is accepted as a call of a CNI plugin, and what is refused with which code. @module */
import { expect, test } from 'bun:test';
import { CniAbort, type CniFailure } from '../../../src/cni/failure.ts';
import { type CniRequest, type Environment, readRequest } from '../../../src/cni/request.ts';

const ENVIRONMENT = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'abc',
  CNI_NETNS: '/run/netns/abc',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/opt/cni/bin',
};
const CONFIG = { cniVersion: '1.1.0', name: 'cbr0', type: 'loopback' };

function reading(environment: Environment, config: unknown = CONFIG): CniRequest | CniFailure {
  try {
    return readRequest(environment, typeof config === 'string' ? config : JSON.stringify(config));
  } catch (thrown) {
    if (thrown instanceof CniAbort) return thrown.failure;
    throw thrown;
  }
}

test('readRequest() reads what a runtime sends', () => {
  expect(reading(ENVIRONMENT)).toMatchObject({
    verb: 'ADD',
    version: '1.1.0',
    name: 'cbr0',
    containerId: 'abc',
    netns: '/run/netns/abc',
    ifname: 'eth0',
  });
  const { CNI_COMMAND: _, CNI_NETNS: __, ...rest } = ENVIRONMENT;
  expect(reading({ ...rest, CNI_COMMAND: 'DEL' })).toMatchObject({ verb: 'DEL', netns: '' });
  const ofNetwork = { CNI_PATH: '/opt/cni/bin' };
  for (const verb of ['GC', 'STATUS']) {
    expect(reading({ ...ofNetwork, CNI_COMMAND: verb })).toMatchObject({ verb, containerId: '' });
  }
});

test.each([
  ['', '0.3.1', 0],
  ['CHECK', '0.3.1', 1],
  ['CHECK', '0.4.0', 0],
  ['GC', '1.0.0', 1],
  ['STATUS', '1.0.0', 1],
  ['ADD', '0.3.0', 1],
  ['ADD', '1.2.0', 1],
  ['ADD', '', 1],
])('readRequest() of %p with version %p has code %p', (verb, cniVersion, code) => {
  const answer = reading({ ...ENVIRONMENT, CNI_COMMAND: verb || 'ADD' }, { ...CONFIG, cniVersion });
  expect('code' in answer ? answer.code : 0).toBe(code);
});

test('readRequest() names the variables that are missing', () => {
  const answer = reading({ CNI_COMMAND: 'ADD', CNI_IFNAME: '', CNI_PATH: '/x' });
  expect(answer).toEqual({
    code: 4,
    msg: 'required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME] missing',
    details: 'The container runtime sets the variables of a plugin; by hand, cnitool does',
  });
});

test.each([
  ['a command of no version', { CNI_COMMAND: 'UPDATE' }, CONFIG, 4],
  ['a command named like a method', { CNI_COMMAND: 'toString' }, CONFIG, 4],
  ['a container ID that is a path', { CNI_CONTAINERID: '../../etc/passwd' }, CONFIG, 4],
  ['a container ID that is hidden', { CNI_CONTAINERID: '.x' }, CONFIG, 4],
  ['a container ID of two lines', { CNI_CONTAINERID: 'a\nb' }, CONFIG, 4],
  ['a container ID that ends its line', { CNI_CONTAINERID: 'a\n' }, CONFIG, 4],
  ['a name of 16 characters', { CNI_IFNAME: 'abcdefghijklmnop' }, CONFIG, 4],
  ['a name with a slash', { CNI_IFNAME: 'a/b' }, CONFIG, 4],
  ['the folder above as a name', { CNI_IFNAME: '..' }, CONFIG, 4],
  ['nothing on standard input', {}, '', 6],
  ['half a document', {}, '{"cniVersion":"1.0.0"', 6],
  ['a list', {}, '[]', 6],
  ['null', {}, 'null', 6],
  ['a version that is a number', {}, { ...CONFIG, cniVersion: 1 }, 7],
  ['no name', {}, { cniVersion: '1.0.0' }, 7],
  ['a name that is a path', {}, { ...CONFIG, name: '../x' }, 7],
  ['a name that is an object', {}, { ...CONFIG, name: {} }, 7],
])('readRequest() refuses %s', (_, variables, config, code) => {
  expect(reading({ ...ENVIRONMENT, ...variables }, config)).toMatchObject({ code });
});
