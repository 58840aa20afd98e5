/** Credentials out of a child that is a script of the test's own. @module */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CredentialSource } from '../../../../src/store/kube/credentials.ts';
import { FakeClock } from '../../../sim/fake-clock.ts';
import { until } from '../../../store/sources.ts';

let directory: string;
let clock: FakeClock;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flannelette-credentials-'));
  clock = new FakeClock();
  write('calls', '');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** The arguments of every child so far. */
function calls(): string[] {
  return readFileSync(join(directory, 'calls'), 'utf8').split('\n').slice(0, -1);
}

/** A source whose child prints what is in `answer`. */
function open({ kubeconfig, script = 'cat answer' }: { kubeconfig?: string; script?: string } = {}) {
  const path = write('command', `cd '${directory}'; echo "$@" >> calls; ${script}\n`);
  return new CredentialSource({ command: ['/bin/sh', path], kubeconfig, clock });
}

const BARE = { server: 'https://10.0.0.1:6443', insecure: false, files: [] };

function answer(credentials: Readonly<Record<string, unknown>> = BARE): void {
  write('answer', `${JSON.stringify({ kind: 'credentials', credentials })}\n`);
}

const NO_ANSWER = 'The reader of Kubernetes credentials ended without an answer';

describe('what the child says', () => {
  test('is asked once, by the name of the kubeconfig', async () => {
    const credentials = { ...BARE, ca: 'CA', cert: 'C', key: 'K', serverName: 's', files: ['/a'] };
    answer({ ...credentials, more: 1 });
    const source = open({ kubeconfig: '/etc/k 1.yaml' });
    expect(source.files).toEqual([]);
    const both = await Promise.all([source.get(), source.get()]);
    expect(both).toEqual([
      { ok: true, value: credentials },
      { ok: true, value: credentials },
    ]);
    await clock.advance(3_600_000);
    expect(await source.get()).toEqual({ ok: true, value: credentials });
    expect(calls()).toEqual(['kube-credentials /etc/k 1.yaml']);
    expect(source.files).toEqual(['/a']);
  });

  test('without a kubeconfig it finds out itself', async () => {
    answer({ server: 'http://10.0.0.1:8080', files: [] });
    expect(await open().get()).toMatchObject({ ok: true, value: { insecure: false } });
    expect(calls()).toEqual(['kube-credentials']);
  });

  test.each(['missing', 'invalid'] as const)(
    '%s, in words fit for a log, and is asked again',
    async (kind) => {
      write('answer', JSON.stringify({ kind, message: 'None yet\u001b[2J' }));
      const source = open();
      const failure = {
        ok: false,
        error: { code: `credentials-${kind}`, message: 'None yet\\u001b[2J', remedy: expect.any(String) },
      };
      expect(await source.get()).toMatchObject(failure);
      answer();
      expect(await source.get()).toMatchObject({ ok: true });
      expect(calls().length).toBe(2);
    },
  );

  test.each([
    '',
    '\n',
    'x',
    'null',
    '[]',
    '{}',
    '{"kind":"other"}',
    '{"kind":"missing"}',
    '{"kind":"credentials"}',
    '{"kind":"credentials","credentials":{"files":[]}}',
    '{"kind":"credentials","credentials":{"server":"https://a"}}',
    '{"kind":"credentials","credentials":{"server":"ftp://a","files":[]}}',
    '{"kind":"credentials","credentials":{"server":"https://a","files":[1]}}',
    '{"kind":"credentials","credentials":{"server":"https://a","files":[],"insecure":"yes"}}',
    '{"kind":"credentials","credentials":{"server":"https://a","files":[],"expiresAtMs":"1"}}',
    `{"kind":"credentials","credentials":{"server":"https://a","files":${JSON.stringify(Array(17).fill('/a'))}}}`,
    `{"kind":"credentials","credentials":{"server":"https://a","files":[],"ca":"${'x'.repeat((1 << 20) + 1)}"}}`,
    '{"kind":"credentials","credentials":{"server":"https://a","files":[]}}\n{"kind":"missing"}',
    '{"kind":"credentials","credentials":{"server":"https://a","fil',
  ])('what is no answer is none (%#)', async (text) => {
    write('answer', text);
    expect(await open().get()).toMatchObject({
      ok: false,
      error: { code: 'credentials-invalid', message: NO_ANSWER },
    });
  });

  test('a child that fails without a word', async () => {
    expect(await open({ script: 'exit 1' }).get()).toMatchObject({
      ok: false,
      error: { message: NO_ANSWER },
    });
  });

  test('a command that is not there', async () => {
    const command = [join(directory, 'nothing')];
    const source = new CredentialSource({ command, kubeconfig: undefined, clock });
    expect(await source.get()).toMatchObject({
      ok: false,
      error: {
        code: 'credentials-invalid',
        message: expect.stringMatching(/^Cannot start the reader of Kubernetes credentials: .*ENOENT/),
      },
    });
  });

  test('a child that hangs is waited for by all, once, and its end is one without an answer', async () => {
    const source = open({ script: 'echo $$ > pid; exec sleep 50' });
    const waiting = [source.get(), source.get()];
    const pid = () => Number(readFileSync(join(directory, 'pid'), 'utf8'));
    await until('the child hangs', () => calls().length === 1 && Bun.file(join(directory, 'pid')).size > 0);
    waiting.push(source.get());
    process.kill(pid());
    for (const each of await Promise.all(waiting))
      expect(each).toMatchObject({ ok: false, error: { message: NO_ANSWER } });
    expect(calls().length).toBe(1);
  });
});

describe('credentials are read again', () => {
  test('when a file that they come from is another', async () => {
    const token = write('token', 'one');
    answer({ ...BARE, files: [token, join(directory, 'later')] });
    const source = open();
    await source.get();
    await source.get();
    expect(calls().length).toBe(1);
    write('token', 'three');
    await source.get();
    expect(calls().length).toBe(2);
    // As `mv` does it: another inode.
    renameSync(write('token.new', 'three'), token);
    await source.get();
    expect(calls().length).toBe(3);
    rmSync(token);
    await source.get();
    write('later', 'x');
    await source.get();
    await source.get();
    expect(calls().length).toBe(5);
  });

  test('when a projected volume swaps its link', async () => {
    write('one', 'x');
    write('two', 'x');
    const link = join(directory, 'data');
    symlinkSync('one', link);
    answer({ ...BARE, files: [link] });
    const source = open();
    await source.get();
    symlinkSync('two', join(directory, 'data.new'));
    renameSync(join(directory, 'data.new'), link);
    await source.get();
    await source.get();
    expect(calls().length).toBe(2);
  });

  test('and are not used any more if they cannot be', async () => {
    const kubeconfig = write('k.yaml', 'one');
    answer({ ...BARE, files: [kubeconfig] });
    const source = open({ kubeconfig });
    await source.get();
    write('k.yaml', 'broken');
    write('answer', '{"kind":"invalid","message":"No kubeconfig"}');
    expect(await source.get()).toMatchObject({ ok: false, error: { message: 'No kubeconfig' } });
    answer({ ...BARE, server: 'https://new:6443', files: [kubeconfig] });
    expect(await source.get()).toMatchObject({ ok: true, value: { server: 'https://new:6443' } });
  });

  test('a minute before the token expires, and less and less often while it is the same', async () => {
    answer({ ...BARE, expiresAtMs: clock.nowMs() + 120_000 });
    const source = open();
    await source.get();
    await clock.advance(60_000);
    await source.get();
    expect(calls().length).toBe(1);
    await clock.advance(1);
    for (let n = 0; n < 31; n++) {
      await source.get();
      await clock.advance(100);
    }
    expect(calls().length).toBe(3);
    answer({ ...BARE, expiresAtMs: clock.nowMs() + 600_000 });
    await clock.advance(4_000);
    await source.get();
    await clock.advance(500_000);
    await source.get();
    expect(calls().length).toBe(4);
  });

  test('once when the server does not take them, but not at once after they were read', async () => {
    answer();
    const source = open();
    await source.get();
    source.doubt();
    await source.get();
    await clock.advance(999);
    await source.get();
    expect(calls().length).toBe(1);
    await clock.advance(1);
    await source.get();
    expect(calls().length).toBe(2);
    await clock.advance(3_600_000);
    await source.get();
    expect(calls().length).toBe(2);
  });
});
