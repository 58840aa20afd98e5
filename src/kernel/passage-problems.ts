/**
 * What an operator can do about chains of other programs that may drop what pods send.
 *
 * @module
 */
import { acceptCommand, acceptTexts, type ForwardChain } from '../model/forward-chains.ts';
import { printable } from '../model/printable.ts';
import { type Problem, problem } from '../model/problem.ts';
import { ADVICE } from './advice.ts';

/** One for each chain in which neither a rule of ours nor another accepts a network. */
export function passageProblems(chains: readonly ForwardChain[]): readonly Problem[] {
  return chains.flatMap((chain) => {
    const isOpened = (text: string) => chain.ours.some((rule) => rule.text === text);
    const shut = chain.shut.filter((network) => !acceptTexts(network).every(isOpened));
    if (chain.drops === undefined || shut.length === 0) return [];
    const { family, table, name, drops } = chain;
    const how = drops === 'policy' ? 'its policy is drop' : 'its last rule drops or rejects';
    const where = printable(`Chain ${name} of table ${family} ${table}`);
    const message = `${where} may drop forwarded packets of pods: ${how}, and none of its rules accepts all of ${shut.join(' and ')}`;
    if (chain.isOwned)
      return [problem('forward-dropped', message, ADVICE.owned.replace('NETWORK', shut[0] ?? ''))];
    const command = acceptCommand({ ...chain, shut });
    if (command === undefined) return [problem('forward-dropped', message)];
    return [problem('forward-dropped', message, ADVICE.accept.replace('COMMAND', command))];
  });
}
