/**
 * The file of one interface's hostPorts, read back.
 *
 * @module
 */
import type { HostPorts } from '../../model/host-ports.ts';
import { parseCidr } from '../../model/ip.ts';
import { CniAbort } from '../failure.ts';
import {
  isJsonObject,
  optionalCount,
  optionalFlag,
  optionalObjects,
  optionalText,
  type Place,
} from '../json.ts';
import { readMapping } from './port-config.ts';

/** A mark has 32 bits. */
const MARK_MAX = 0xffff_ffff;

/** What was written as JSON, or `undefined` if it is not that. */
export function parsePorts(text: string): HostPorts | undefined {
  try {
    const object: unknown = JSON.parse(text);
    return isJsonObject(object) ? read({ object, path: '' }) : undefined;
  } catch (thrown) {
    if (thrown instanceof CniAbort || thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

function read(place: Place): HostPorts | undefined {
  const string = (key: string) => optionalText(place, key) ?? '';
  const addresses = optionalObjects(place, 'addresses').flatMap(
    (each) => parseCidr(`${optionalText(each, 'ip')}/${optionalCount(each, 'length')}`) ?? [],
  );
  const mark = optionalCount(place, 'mark') ?? 0;
  if (mark > MARK_MAX) return undefined;
  return {
    containerId: string('containerId'),
    ifname: string('ifname'),
    network: string('network'),
    netns: string('netns'),
    nodeNamespace: optionalCount(place, 'nodeNamespace') ?? 0,
    addresses,
    mappings: optionalObjects(place, 'mappings').map(readMapping),
    mark,
    masqueradeAll: optionalFlag(place, 'masqueradeAll') ?? false,
    outbound: optionalFlag(place, 'outbound') ?? false,
    link: string('link'),
  };
}
