/**
 * An agent's store as a process that changes its lease whenever it is told to.
 *
 * @module
 */
import { SqliteLeaseSource } from '../../src/store/sqlite/source.ts';
import { network } from '../unit/store/samples.ts';
import { acquired } from './sources.ts';

const path = process.argv[2] ?? '';
const source = new SqliteLeaseSource({ path, network: network(), node: 'writer', renewMarginMinutes: 60 });
process.on('message', async (n: number) => {
  await acquired(source, 'writer', n);
});
await acquired(source, 'writer', 1);
process.send?.('ready');
