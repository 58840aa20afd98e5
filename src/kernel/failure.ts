/**
 * What the kernel's refusals mean.
 *
 * @module
 */
import { familyOf } from '../model/ip.ts';
import { describe, type KernelObject } from '../model/objects.ts';
import { isDispensable } from '../model/traffic-rules.ts';
import { ERRNO, type NetlinkError } from '../netlink/error.ts';
import type { Failure, FailureKind, Verb } from '../reconcile/target.ts';

/** A failed change, with the object as iproute2 would name it. */
export function changeFailure(verb: Verb, object: KernelObject, error: NetlinkError): Failure {
  const kind = kindOf(object, error.errno);
  const hint = kind === 'unsupported' && object.kind === 'link' ? ' (the kernel has no module vxlan)' : '';
  const failure = { kind, message: `Cannot ${verb} ${describe(object)}: ${error.message}${hint}` };
  return object.kind === 'table' && isDispensable(object) ? { ...failure, harmless: true } : failure;
}

/** A failed look. */
export function lookFailure(what: string, error: NetlinkError): Failure {
  const kind = isDenied(error.errno) ? 'denied' : 'other';
  return { kind, message: `Cannot read ${what}: ${error.message}` };
}

/** A link that should carry the object is not there. */
export function noLink(verb: Verb, object: KernelObject, link: string): Failure {
  return { kind: 'no-link', message: `Cannot ${verb} ${describe(object)}: no link ${link}` };
}

/** Whether a refusal means that the change was not needed. */
export function isAlreadyDone(verb: Verb, object: KernelObject, errno: number): boolean {
  if (verb === 'remove') return GONE.has(errno);
  return object.kind === 'address' && errno === ERRNO.EEXIST;
}

/** Whether a dump failed because there is nothing of the sort: no such family, or not even the table yet. */
export function isEmptyDump({ errno }: NetlinkError): boolean {
  return errno === ERRNO.EAFNOSUPPORT || errno === ERRNO.ENOENT;
}

const GONE: ReadonlySet<number> = new Set([ERRNO.ENOENT, ERRNO.ESRCH, ERRNO.ENODEV, ERRNO.EADDRNOTAVAIL]);
const UNSUPPORTED: ReadonlySet<number> = new Set([
  ERRNO.EOPNOTSUPP,
  ERRNO.EAFNOSUPPORT,
  ERRNO.EPROTONOSUPPORT,
]);

function kindOf(object: KernelObject, errno: number): FailureKind {
  // "IPv6 is disabled on this device": no privilege would help.
  if (object.kind === 'address' && familyOf(object.ip) === 6 && errno === ERRNO.EACCES) return 'unsupported';
  if (isDenied(errno)) return 'denied';
  if ((object.kind === 'link' || object.kind === 'table') && errno === ERRNO.EEXIST) return 'conflict';
  // A device takes its UDP port when it is set up.
  if (object.kind === 'up' && errno === ERRNO.EADDRINUSE) return 'conflict';
  // That is how nf_tables says that it has no chains of type nat, or no masquerading.
  if (object.kind === 'table' && errno === ERRNO.ENOENT) return 'unsupported';
  if (UNSUPPORTED.has(errno)) return 'unsupported';
  return errno === ERRNO.ENODEV ? 'no-link' : 'other';
}

function isDenied(errno: number): boolean {
  return errno === ERRNO.EPERM || errno === ERRNO.EACCES;
}
