/**
 * What GC is told: which containers there are still.
 *
 * @module
 */
import type { Attachment } from './attachment.ts';
import { CniAbort, cniFailure } from './failure.ts';
import { optionalObjects, optionalText } from './json.ts';
import type { CniRequest } from './request.ts';

const KEY = 'cni.dev/valid-attachments';

/** The interfaces of containers that stay. Throws {@link CniAbort} if there is no list. */
export function validAttachments({ config }: CniRequest): Attachment[] {
  // In Go a list without entries may be null: a node without pods.
  if (config.object[KEY] === undefined) {
    throw new CniAbort(cniFailure('INVALID_CONFIG', `${KEY} is missing`, 'Without it everything would go'));
  }
  return optionalObjects(config, KEY).map((entry) => ({
    containerId: optionalText(entry, 'containerID') ?? '',
    ifname: optionalText(entry, 'ifname') ?? '',
  }));
}
