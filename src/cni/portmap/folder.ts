/**
 * Where hostPorts are written down. Apart from the rest: every pod is asked whether it has any, and few have.
 *
 * @module
 */
import { isThere } from '../../../ffi/files.ts';
import { PORT_FOLDER } from '../../model/host-ports.ts';
import type { Attachment } from '../attachment.ts';
import { optionalText, type Place } from '../json.ts';

/** The folder, which a configuration may name. */
export function hostPortsFolder(config: Place): string {
  return optionalText(config, 'hostPortDir') || PORT_FOLDER;
}

/** A colon is in no container's ID and in no name of an interface. */
export const SEPARATOR = ':';

/** The file of an interface of a container. */
export function portsFile(folder: string, { containerId, ifname }: Attachment): string {
  return `${folder}/${containerId}${SEPARATOR}${ifname}`;
}

/** Whether an interface of a container has hostPorts by what is written in a folder. */
export function hasPorts(folder: string, attachment: Attachment): boolean {
  return isThere(portsFile(folder, attachment));
}
