/**
 * The manners of `flannelette cleanup` where there is nothing to be cleaned.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXECUTABLE, makeScratch, runProgram } from './executable.ts';

test.each([
  [['--dry-runn'], "dry-runn: unknown flag, expected a flag that --help lists; did you mean 'dry-run'?\n"],
  [['now'], "argument: invalid value 'now', expected nothing but flags after the command\n"],
  [['--json=7'], "json: invalid value '7', expected true or false\n"],
  [['--state-dir='], "state-dir: invalid value '', expected a path\n"],
])('flannelette cleanup %j ends with one line and status 1', (args, stderr) => {
  using scratch = makeScratch();
  const outcome = runProgram([EXECUTABLE, 'cleanup', ...args], { cwd: scratch.path });
  expect(outcome).toEqual({ status: 1, stdout: '', stderr });
});

test('flannelette cleanup --help says how, whatever else is on the line', () => {
  using scratch = makeScratch();
  const { status, stdout, stderr } = runProgram([EXECUTABLE, 'cleanup', '--help', '--nonsense'], {
    cwd: scratch.path,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toStartWith('Usage: flannelette cleanup ');
});

test('flannelette cleanup makes no database and no directory where there are none', () => {
  using scratch = makeScratch();
  const at = (name: string) => join(scratch.path, name);
  writeFileSync(at('empty.db'), '');
  for (const database of ['none/leases.db', 'empty.db']) {
    const flags = ['--lease-db', at(database), '--state-dir', at('state'), '--subnet-file', at('subnet.env')];
    flags.push('--install-cni=false');
    const command = [EXECUTABLE, 'cleanup', '--dry-run', '--socket', at('agent.sock'), ...flags];
    const { status, stdout } = runProgram(command, { cwd: scratch.path });
    // Who may not see traffic rules cannot say that nothing is left.
    const expected = process.getuid?.() === 0 ? 0 : 3;
    expect({ status, first: stdout.split('\n')[0] }).toEqual({
      status: expected,
      first: '# Nothing to remove',
    });
  }
  expect(readdirSync(scratch.path)).toEqual(['empty.db']);
});
