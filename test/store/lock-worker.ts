/**
 * Locks a state directory, says so, and stays until it is ended.
 *
 * @module
 */
import { lockFile } from '../../ffi/file-lock.ts';
import { StateLock } from '../../src/store/state-lock.ts';

const lock = new StateLock({ directory: process.argv[2] ?? '', nodeName: 'pi-1', lockFile });
console.log(lock.take().kind);
setInterval(() => {}, 60_000);
