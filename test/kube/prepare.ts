/**
 * Builds what the tests with Kubernetes need, unless it is there. Silent and quick if it is.
 *
 *     bun test/kube/prepare.ts
 *
 * @module
 */
import { BinariesMissing, prepareBinaries } from './binaries.ts';

try {
  await prepareBinaries((text) => process.stderr.write(text));
} catch (error) {
  if (!(error instanceof BinariesMissing)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
