import { expect, test } from 'bun:test';
import { DemoFailure } from '../../../src/cli/demo/failure.ts';
import { Progress } from '../../../src/cli/demo/progress.ts';

function stream(isTTY: boolean) {
  let text = '';
  return { isTTY, columns: 40, write: (more: string) => (text += more), text: () => text };
}

test('Progress writes plain lines where nobody watches', async () => {
  const out = stream(false);
  const progress = new Progress(out);
  await progress.step(
    'Doing it',
    (note) => note('1 of 2'),
    () => ({ ok: true, text: 'Did it' }),
  );
  await progress.step(
    'Doing more',
    () => 5,
    (value) => ({ ok: false, text: `Did ${value}` }),
  );
  expect(out.text()).toBe('✓ Did it\n✗ Did 5\n');
});

test('Progress ends the line of a step that throws, and throws on', async () => {
  const out = stream(false);
  const failing = new Progress(out).step(
    'Doing it',
    () => Promise.reject(new DemoFailure('No')),
    () => ({ ok: true, text: '' }),
  );
  expect(failing).rejects.toThrow('No');
  await failing.catch(() => undefined);
  expect(out.text()).toBe('✗ Doing it\n');
});

test('Progress keeps a live line within the terminal and clears it', async () => {
  const out = stream(true);
  const work = async (note: (text: string) => void) => {
    note('a note that is far too long for the rest of this line');
    await Bun.sleep(100);
  };
  await new Progress(out).step('Doing it', work, () => ({ ok: true, text: 'Did it' }));
  const lines = out.text().split('\r\x1b[K');
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines.slice(0, -1)) expect(Bun.stringWidth(line)).toBeLessThan(40);
  expect(Bun.stripANSI(lines.at(-1) ?? '')).toBe('✓ Did it\n');
});
