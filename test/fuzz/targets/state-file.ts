/**
 * node.json: whatever stands in the file, a state comes of it that a device can be made from, and what is saved
 * is loaded as it was.
 *
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { chooseIdentity } from '../../../src/agent/identity.ts';
import { isStationMac, parseMac } from '../../../src/model/ip.ts';
import { EMPTY_STATE, type NodeState, StateFile } from '../../../src/store/state-file.ts';
import { spoilBytes, spoilText } from '../spoil.ts';
import { inputFiles, mustHold, target, textForm, type Verdict } from '../target.ts';
import { mustBeLine } from './text-rules.ts';

const WORDS = [
  '"version":1',
  '"vtepMac":',
  '"vtepMacV6":',
  '"links":',
  '"subnetEnv":',
  '"flannel.1"',
  '"flannel-v6.1"',
  '[',
  ']',
];

/** The bytes of node.json. */
export const stateFile = target<Uint8Array>({
  name: 'state-file',
  samples: inputFiles('corpus', 'state-file'),
  spoil: (random, bytes, other) => {
    if (random(4) === 0) return spoilBytes(random, bytes, other);
    const [text, tail] = [textForm.decode(bytes), textForm.decode(other)];
    return textForm.encode(spoilText(random, text, { words: WORDS, other: tail }));
  },
  run: judge,
  encode: (bytes) => bytes,
  decode: (bytes) => bytes,
});

let directory: string | undefined;

/** One directory for all inputs, removed at the end. */
function place(): string {
  if (directory !== undefined) return directory;
  // Where there is memory, no disk is worn.
  const made = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'flannelette-fuzz-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  directory = made;
  return made;
}

function judge(bytes: Uint8Array): Verdict {
  const path = place();
  mkdirSync(path, { recursive: true });
  writeFileSync(`${path}/node.json`, bytes);
  const { state, warning } = new StateFile(path).load();
  mustBeSound(state);
  if (warning !== undefined) {
    mustBeLine(warning);
    mustHold(isDeepStrictEqual(state, EMPTY_STATE), 'A damaged file is believed');
    mustHold(!existsSync(`${path}/node.json`), 'A damaged file stays where it is');
  }
  const file = new StateFile(path);
  mustHold(file.save(state) === undefined, 'What was loaded cannot be saved');
  const again = new StateFile(path).load();
  mustHold(again.warning === undefined, 'What was saved is damaged');
  mustHold(isDeepStrictEqual(again.state, state), 'What was saved is loaded as something else');
  return warning === undefined ? 'accepted' : 'refused';
}

function mustBeSound(state: NodeState): void {
  for (const mac of [state.macIpv4, state.macIpv6])
    mustHold(mac === undefined || parseMac(mac) === mac, `MAC ${mac}`);
  mustHold(state.links.length <= 16, `${state.links.length} links`);
  for (const link of state.links)
    mustHold(/^flannel(-v6)?\.\d+$/.test(link) && link.length <= 15, `A link '${link}' that is not ours`);
  mustHold(/^[0-9a-f]{64}$/.test(state.subnetEnvDigest ?? '0'.repeat(64)), 'A digest that is none');
  const identity = chooseIdentity({ published: undefined, remembered: state, nodeName: 'a', machineId: '' });
  mustHold(isStationMac(identity.macIpv4) && isStationMac(identity.macIpv6), 'An address of no device');
}
