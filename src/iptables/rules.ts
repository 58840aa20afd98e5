/**
 * Traffic rules in iptables: one `iptables-save` a table tells what is there, one `iptables-restore` a family puts it right.
 * Nothing is started where nf_tables tells that nothing has changed.
 *
 * @module
 */
import { openNetlink } from '../../ffi/socket.ts';
import { readGeneration } from '../kernel/transaction.ts';
import { programName } from '../model/flanneld-rules.ts';
import type { Family } from '../model/ip.ts';
import type { TableObject } from '../model/traffic-rules.ts';
import { NETLINK_NETFILTER } from '../netlink/nftables.ts';
import { Session } from '../netlink/session.ts';
import type { IptablesLook } from './keeper.ts';
import { hasPrograms, LOCK_WORDS, runProgram, variantOf } from './programs.ts';
import { chainFault, chainScript, foundChain, type WantedChain, wantedChains } from './text.ts';

/** A chain, and what is there of its table. */
interface SavedChain {
  readonly wanted: WantedChain;
  readonly saved: string;
}

/** See the module. */
export class IptablesRules {
  /** Where all was right: of which rules, and at which generation of nf_tables. */
  #good: { readonly wanted: string; readonly generation: number } | undefined;
  readonly #variants = new Map<string, string | undefined>();
  /** By what was wanted, what iptables prints of it, if its words are others than ours. */
  readonly #printed = new Map<string, readonly string[]>();

  /** Looks, and puts right what is not. */
  async look(tables: readonly TableObject[]): Promise<IptablesLook> {
    const wanted = JSON.stringify(tables);
    const generation = generationNow();
    if (generation !== undefined && this.#good?.wanted === wanted && this.#good.generation === generation)
      return { kind: 'right' };
    this.#good = undefined;
    const faults: string[] = [];
    for (const table of tables) {
      const fault = await this.#lookAt(table);
      if (typeof fault === 'object') return fault;
      if (fault !== undefined) faults.push(fault);
    }
    if (faults.length === 0 && generation !== undefined && (await this.#isNft(tables)))
      this.#good = { wanted, generation };
    return faults.length === 0 ? { kind: 'right' } : { kind: 'made', was: faults.join(', ') };
  }

  /** Whether all that is done to the rules changes the generation. */
  async #isNft(tables: readonly TableObject[]): Promise<boolean> {
    const names = tables.map(({ family }) => programName(family));
    for (const name of names) if (!this.#variants.has(name)) this.#variants.set(name, await variantOf(name));
    return names.every((name) => this.#variants.get(name) === 'nft');
  }

  /** What was wrong with a family's chains, if anything was; it is right now. */
  async #lookAt(table: TableObject): Promise<string | undefined | Extract<IptablesLook, { kind: 'failed' }>> {
    const { family } = table;
    const program = programName(family);
    if (!hasPrograms(program))
      return { kind: 'failed', reason: `${program}-save and ${program}-restore are not there` };
    const chains = await readChains(family, wantedChains(table));
    if ('kind' in chains) return chains;
    const wrong = chains.flatMap((each) => {
      const fault = this.#fault(each);
      return fault === undefined ? [] : [{ ...each, fault }];
    });
    if (wrong.length === 0) return undefined;
    const script = wrong.map(({ wanted, saved }) => chainScript(wanted, foundChain(saved, wanted.chain)));
    const restored = await runProgram([`${program}-restore`, '--noflush', ...LOCK_WORDS], script.join(''));
    if (!restored.ok) return { kind: 'failed', reason: restored.text };
    const now = await readChains(family, wantedChains(table));
    if ('kind' in now) return now;
    for (const { wanted, saved } of now)
      if (this.#fault({ wanted, saved }) !== undefined)
        this.#printed.set(wanted.rules.join(), foundChain(saved, wanted.chain).rules);
    return wrong.map(({ fault }) => `${program}: ${fault}`).join(', ');
  }

  #fault({ wanted, saved }: SavedChain): string | undefined {
    const rules = this.#printed.get(wanted.rules.join()) ?? wanted.rules;
    return chainFault({ ...wanted, rules }, foundChain(saved, wanted.chain));
  }
}

/** One process for each table. */
async function readChains(
  family: Family,
  wanted: readonly WantedChain[],
): Promise<readonly SavedChain[] | Extract<IptablesLook, { kind: 'failed' }>> {
  const program = `${programName(family)}-save`;
  const read = await Promise.all(
    wanted.map(async (each) => ({ each, told: await runProgram([program, '-t', each.chain.table]) })),
  );
  const failed = read.find(({ told }) => !told.ok);
  if (failed !== undefined) return { kind: 'failed', reason: failed.told.text };
  return read.map(({ each, told }) => ({ wanted: each, saved: told.text }));
}

function generationNow(): number | undefined {
  const socket = openNetlink({ protocol: NETLINK_NETFILTER });
  if (typeof socket === 'number') return undefined;
  try {
    const generation = readGeneration(new Session(socket));
    return typeof generation === 'number' ? generation : undefined;
  } finally {
    socket.close();
  }
}
