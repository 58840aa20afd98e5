/**
 * The contract between the engine and a kernel: one body for the real one and for the fake that the simulations
 * run on, so that the fake cannot drift away from what it stands for.
 *
 * @module
 */
import { describe } from 'bun:test';
import { changesContract, refusalContract } from './changes.ts';
import { consequencesContract } from './consequences.ts';
import { engineContract } from './engine.ts';
import { conflictContract, ownersContract } from './owners.ts';
import type { OpenWorld } from './world.ts';

/** Everything that holds of every kernel. */
export function contractSuite(name: string, open: OpenWorld): void {
  describe(`${name}: every kind of object`, () => changesContract(open));
  describe(`${name}: refusals`, () => refusalContract(open));
  describe(`${name}: owners`, () => ownersContract(open));
  describe(`${name}: conflicts`, () => conflictContract(open));
  describe(`${name}: consequences`, () => consequencesContract(open));
  describe(`${name}: the engine`, () => engineContract(open));
}
