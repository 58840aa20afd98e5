/**
 * What the rules of other programs' chains do to the packets of pods, as far as it can be told: whether they are accepted
 * whatever else they are, dropped, or led to another chain. Rules that look at more are passed over.
 *
 * @module
 */
import { type ChainFamily, OUR_COMMENT } from '../model/forward-chains.ts';
import { type Family, familyOf, type Prefix } from '../model/ip.ts';
import { ruleText } from '../model/traffic-rules.ts';
import { NFPROTO } from '../netlink/nftables.ts';
import { NFT_CMP, NFT_META, NFT_REG, NFT_VERDICT } from '../netlink/nftables-expressions.ts';
import { commentOf } from './nft-requests.ts';
import { type Expression, expressionsOf, ruleOf } from './rule-expressions.ts';

/** What a rule does to every packet of a family, or to those from or to a network. */
export type Step =
  | {
      readonly kind: 'accept';
      readonly source?: Prefix | undefined;
      readonly destination?: Prefix | undefined;
    }
  | { readonly kind: 'drop' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string };

/** `undefined` if it does something to some packets only. */
export function stepOf(expressions: readonly Expression[], family: Family): Step | undefined {
  const rest = conditionsOf(expressions, family);
  const [only] = rest ?? [];
  if (rest === undefined || only === undefined) return undefined;
  if (rest.length === 1) return wholeStep(only);
  const rule = ruleOf(rest, family);
  if ('foreign' in rule || rule.verdict !== 'accept' || rule.mark !== undefined) return undefined;
  const { source, destination } = rule;
  if (source?.not === true || destination?.not === true) return undefined;
  return { kind: 'accept', source: source?.prefix, destination: destination?.prefix };
}

/** Whether a rule has our comment, in either form: iptables writes its own when it restores what it has saved. */
export function isOwn(expressions: readonly Expression[], userData: string | undefined): boolean {
  return hasComment(OUR_COMMENT, expressions, userData);
}

/** Whether a rule has this comment, in either form. */
export function hasComment(
  comment: string,
  expressions: readonly Expression[],
  userData: string | undefined,
): boolean {
  if (commentOf(userData) === comment) return true;
  const info = new TextEncoder().encode(`${comment}\0`).toHex();
  return expressions.some(
    (each) => each.kind === 'match' && each.data?.name === 'comment' && each.data.info?.startsWith(info),
  );
}

/** A rule of a chain that sees these families as nft prints it, if it is such as we make. */
export function ownText(expressions: readonly Expression[], families: readonly Family[]): string {
  for (const family of families) {
    const rest = conditionsOf(expressions, family);
    const rule = rest === undefined ? undefined : ruleOf(rest, family);
    if (rule !== undefined && !('foreign' in rule)) return ruleText(rule, family);
  }
  return 'a rule of another kind';
}

/** The rules that accept a network, as iptables writes them, so that it can print them. */
export function acceptRules(network: Prefix, chain: ChainFamily): readonly (readonly Expression[])[] {
  const family = familyOf(network);
  const inside = { prefix: network, not: false };
  return [{ source: inside }, { destination: inside }].map((match): Expression[] => {
    const expressions = expressionsOf({ ...match, verdict: 'accept' }, family);
    const [verdict] = expressions.splice(-1);
    const ofFamily = chain === 'inet' ? familyMatch(family) : [];
    return [...ofFamily, ...expressions, { kind: 'counter' }, ...(verdict === undefined ? [] : [verdict])];
  });
}

function familyMatch(family: Family): Expression[] {
  return [
    { kind: 'meta', data: { key: NFT_META.NFPROTO, dreg: NFT_REG.FIRST } },
    {
      kind: 'cmp',
      data: { sreg: NFT_REG.FIRST, operation: NFT_CMP.EQ, data: { value: protocolHex(family) } },
    },
  ];
}

function protocolHex(family: Family): string {
  return (family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6).toString(16).padStart(2, '0');
}

function isWithoutEffect(each: Expression): boolean {
  return each.kind === 'counter' || (each.kind === 'match' && each.data?.name === 'comment');
}

/** What has an effect behind what asks for the family; `undefined` if that asks for the other one. */
function conditionsOf(all: readonly Expression[], family: Family): readonly Expression[] | undefined {
  const expressions = all.filter((each) => !isWithoutEffect(each));
  const [meta, cmp, ...rest] = expressions;
  if (meta?.kind !== 'meta' || meta.data?.key !== NFT_META.NFPROTO || cmp?.kind !== 'cmp') return expressions;
  const isEqual = cmp.data?.operation === NFT_CMP.EQ && cmp.data.data?.value === protocolHex(family);
  return isEqual ? rest : undefined;
}

/** What a rule without conditions does. */
function wholeStep(each: Expression): Step | undefined {
  if (each.kind === 'unknown') return each.name === 'reject' ? { kind: 'drop' } : undefined;
  if (each.kind === 'target') return each.data?.name === 'REJECT' ? { kind: 'drop' } : undefined;
  if (each.kind !== 'immediate' || each.data?.dreg !== NFT_REG.VERDICT) return undefined;
  const { code, chain = '' } = each.data.data?.verdict ?? {};
  switch (code) {
    case NFT_VERDICT.ACCEPT:
      return { kind: 'accept' };
    case NFT_VERDICT.DROP:
      return { kind: 'drop' };
    case NFT_VERDICT.RETURN:
      return { kind: 'return' };
    case NFT_VERDICT.JUMP:
      return { kind: 'jump', chain };
    case NFT_VERDICT.GOTO:
      return { kind: 'goto', chain };
    default:
      return undefined;
  }
}
