/**
 * What belongs to one interface of one container, by names that follow from it: what a killed ADD has left is found.
 *
 * @module
 */
import { type Mac, parseMac } from '../model/ip.ts';

/** One interface of one container. */
export interface Attachment {
  readonly containerId: string;
  readonly ifname: string;
}

/** The name of the node's end: as long as a name can be, since what bears it is deleted as a leftover. */
export function nodeEndOf(attachment: Attachment): string {
  return `veth${digits(attachment).slice(0, 11)}`;
}

/** The MAC of the node's end: a high one, so that no bridge takes it over from its port for its own. */
export function nodeMacOf(attachment: Attachment): Mac {
  const octets = digits(attachment).slice(0, 10).match(/../g) ?? [];
  const mac = parseMac(['fe', ...octets].join(':'));
  if (mac === undefined) throw new Error('Six octets are a MAC');
  return mac;
}

function digits({ containerId, ifname }: Attachment): string {
  return Bun.hash(`${containerId} ${ifname}`).toString(16).padStart(16, '0');
}
