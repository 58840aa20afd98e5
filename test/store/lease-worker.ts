/**
 * Leases for a node, says what came of it, and stays until it is ended.
 *
 * @module
 */
import { SqliteLeaseSource } from '../../src/store/sqlite/source.ts';
import { network, request } from '../unit/store/samples.ts';

const [, , path = '', node = '', n = ''] = process.argv;
const source = new SqliteLeaseSource({ path, network: network(), node, renewMarginMinutes: 60 });
const result = await source.acquire(request(node, Number(n)));
console.log(result.ok ? 'ok' : result.error.message);
setInterval(() => {}, 60_000);
