/**
 * Files of hostPorts: whatever stands in them, the tables that come of it are such as the kernel takes, and what is read is
 * written and read as it was.
 *
 * @module
 */
import { parsePorts } from '../../../src/cni/portmap/port-record.ts';
import { elementOf, mapAttributes } from '../../../src/kernel/port-expressions.ts';
import { familyOf } from '../../../src/model/ip.ts';
import { planHostPorts } from '../../../src/plan/host-ports.ts';
import { spoilText } from '../spoil.ts';
import { inputFiles, mustHold, target, textForm, type Verdict } from '../target.ts';

const WORDS = [
  '"hostPort":',
  '"hostIp":"::"',
  '"protocol":"sctp"',
  '"mark":4294967295',
  '"length":0',
  '{',
  '[',
  ']',
];

/** The text of one. */
export const hostPorts = target<string>({
  name: 'host-ports',
  samples: inputFiles('corpus', 'host-ports').map(textForm.decode),
  spoil: (random, text, other) => spoilText(random, text, { words: WORDS, other }),
  run: judge,
  ...textForm,
});

function judge(text: string): Verdict {
  const ports = parsePorts(text);
  if (ports === undefined) return 'refused';
  const written = JSON.stringify(ports);
  mustHold(JSON.stringify(parsePorts(written)) === written, 'It is read otherwise than written');
  const tables = planHostPorts([ports, { ...ports, containerId: 'another' }]);
  mustHold(new Set(tables.map(({ family }) => family)).size === tables.length, 'Two tables of a family');
  for (const { family, maps } of tables)
    for (const map of maps) {
      const { keyLength, dataLength } = mapAttributes(map, { family, id: 1 });
      const elements = map.forwards.map(elementOf);
      const keys = elements.map(({ key }) => key.value);
      mustHold(new Set(keys).size === keys.length, 'A port leads to two');
      mustHold(
        map.forwards.every(({ to }) => familyOf(to) === family),
        'A port leads to the other family',
      );
      for (const { key, data, userData = '' } of elements) {
        mustHold(key.value.length === keyLength * 2, `A key of ${key.value.length} digits`);
        mustHold(data.value.length === dataLength * 2, `A value of ${data.value.length} digits`);
        mustHold(
          Number.parseInt(userData.slice(2, 4), 16) * 2 + 4 === userData.length,
          'A comment is too long',
        );
      }
    }
  return 'accepted';
}
