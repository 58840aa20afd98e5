import { expect, test } from 'bun:test';
import { LinkTable } from '../../../src/kernel/link-table.ts';
import { seededRandom } from '../../fuzz/random.ts';

test('LinkTable knows links by name and by index', () => {
  const links = new LinkTable();
  links.set({ index: 7, name: 'flannel.1', up: true });
  expect(links.byName('flannel.1')).toEqual({ index: 7, name: 'flannel.1', up: true });
  expect(links.nameOf(7)).toBe('flannel.1');
  expect([links.byName('eth0'), links.nameOf(8), links.nameOf(undefined)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  links.delete('flannel.1');
  links.delete('eth0');
  expect([links.byName('flannel.1'), links.nameOf(7)]).toEqual([undefined, undefined]);
});

test('LinkTable forgets the former name of a renamed link, and the former index of one made again', () => {
  const links = new LinkTable();
  links.set({ index: 7, name: 'flannel.1', up: true });
  links.set({ index: 7, name: 'mine', up: true });
  expect([links.byName('flannel.1'), links.nameOf(7)]).toEqual([undefined, 'mine']);
  links.set({ index: 9, name: 'mine', up: false });
  expect([links.byName('mine')?.index, links.nameOf(7), links.nameOf(9)]).toEqual([9, undefined, 'mine']);
  links.clear();
  expect([links.byName('mine'), links.nameOf(9)]).toEqual([undefined, undefined]);
});

test('LinkTable has one index for each name and one name for each index, whatever happens', () => {
  const random = seededRandom(3);
  const links = new LinkTable();
  for (let step = 0; step < 5_000; step++) {
    const name = `link${random(6)}`;
    if (random(4) === 0) links.delete(name);
    else links.set({ index: 1 + random(6), name, up: random(2) === 0 });
    for (let i = 0; i < 6; i++) {
      const known = links.byName(`link${i}`);
      if (known !== undefined) expect(links.nameOf(known.index)).toBe(`link${i}`);
      const namesake = links.nameOf(i + 1);
      if (namesake !== undefined) expect(links.byName(namesake)?.index).toBe(i + 1);
    }
  }
});
