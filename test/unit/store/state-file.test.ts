/** What a node remembers of itself. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  digestOf,
  EMPTY_STATE,
  isStateFileName,
  readState,
  StateFile,
} from '../../../src/store/state-file.ts';
import { mac } from '../../sim/samples.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flannelette-state-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const STATE = {
  macIpv4: mac('02:00:00:00:00:01'),
  macIpv6: mac('02:00:00:00:00:02'),
  links: ['flannel.1'],
  subnetEnvDigest: digestOf('a'),
};

function write(text: string): void {
  writeFileSync(join(directory, 'node.json'), text);
}

test('what is saved is read again', () => {
  expect(new StateFile(directory).save(STATE)).toBeUndefined();
  expect(readState(directory)).toMatchObject({ kind: 'state', state: STATE });
  expect(new StateFile(directory).load()).toEqual({ state: STATE, warning: undefined });
});

test('the digest stays until another file is written, also over a restart', () => {
  new StateFile(directory).save(STATE);
  const file = new StateFile(directory);
  file.load();
  file.save({ ...STATE, links: ['flannel.2'], subnetEnvDigest: undefined });
  expect(new StateFile(directory).load().state.subnetEnvDigest).toBe(digestOf('a'));
  file.save({ ...STATE, subnetEnvDigest: digestOf('b') });
  expect(new StateFile(directory).load().state.subnetEnvDigest).toBe(digestOf('b'));
});

test('a file of the first version, which had no digest, is read', () => {
  write('{"version":1,"vtepMac":"02:00:00:00:00:01","links":["flannel.1"]}\n');
  const expected = { ...EMPTY_STATE, macIpv4: STATE.macIpv4, links: ['flannel.1'] };
  expect(readState(directory)).toMatchObject({ kind: 'state', state: expected });
});

test.each([
  ['no JSON', '{'],
  ['another version', '{"version":2}'],
  ['a name that is none of ours', '{"version":1,"links":["eth0"]}'],
  ['a digest that is none', '{"version":1,"subnetEnv":"abc"}'],
])('readState() of %s says so and changes nothing', (_, text) => {
  write(text);
  expect(readState(directory)).toEqual({ kind: 'damaged' });
  expect(readFileSync(join(directory, 'node.json'), 'utf8')).toBe(text);
  expect(new StateFile(directory).load().warning).toContain('set aside');
  expect(readdirSync(directory)).toEqual(['node.json.corrupt']);
});

test('readState() tells nothing from what cannot be read', () => {
  expect(readState(join(directory, 'none'))).toEqual({ kind: 'none' });
  write('{}');
  expect(readState(join(directory, 'node.json'))).toEqual({ kind: 'none' });
  rmSync(join(directory, 'node.json'));
  mkdirSync(join(directory, 'node.json'));
  expect(readState(directory).kind).toBe('unreadable');
});

test('isStateFileName() knows the files of a state directory', () => {
  const names = [
    'node.json',
    'node.json.corrupt',
    'node.json.12.tmp',
    'node.json.tmp',
    'xnode.json',
    'leases.db',
  ];
  expect(names.filter(isStateFileName)).toEqual(['node.json', 'node.json.corrupt', 'node.json.12.tmp']);
});
