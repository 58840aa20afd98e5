/**
 * Builds what the tests with Kubernetes need, unless it is there. Silent and quick if it is.
 *
 *     bun test/kube/prepare.ts
 *
 * @module
 */
import { runPreparation } from '../go-programs.ts';
import { prepareBinaries } from './binaries.ts';

await runPreparation(prepareBinaries);
