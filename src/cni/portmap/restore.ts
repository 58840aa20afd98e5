/**
 * The agent's look at hostPorts: whether the kernel has what the plugins have written down.
 *
 * @module
 */
import { portTableDifference } from '../../kernel/port-description.ts';
import { writePortTables } from '../../kernel/port-tables.ts';
import type { PortsLook } from '../../model/host-ports.ts';
import { planHostPorts } from '../../plan/host-ports.ts';
import { CniAbort } from '../failure.ts';
import { tryLockFolder } from '../locked-folder.ts';
import { Netfilter } from './netfilter.ts';
import { PortBook } from './port-book.ts';

/** Looks once, without waiting for a plugin, and puts right what is not. Never throws. */
export function restoreHostPorts(folder: string): PortsLook {
  try {
    const lock = tryLockFolder(folder);
    if (typeof lock !== 'number') return lock === 'busy' ? 'busy' : 'right';
    using book = new PortBook(folder, lock);
    return restore(book);
  } catch (thrown) {
    if (!(thrown instanceof CniAbort)) throw thrown;
    const { msg, details } = thrown.failure;
    return { failed: details === '' ? msg : `${msg}: ${details}` };
  }
}

function restore(book: PortBook): PortsLook {
  const wanted = planHostPorts(book.read());
  using netfilter = new Netfilter();
  const { session } = netfilter;
  const was = portTableDifference(session, wanted);
  if (was === undefined) return 'right';
  const error = typeof was === 'string' ? writePortTables(session, wanted) : was;
  if (typeof was === 'string' && error === undefined) return { was };
  return { failed: `cannot put hostPorts right: ${error?.message}` };
}
