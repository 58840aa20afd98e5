import { expect, test } from 'bun:test';
import { ruleText, type TableObject, tableDifference } from '../../../src/model/traffic-rules.ts';
import { planRules, type RuleInputs } from '../../../src/plan/rules.ts';
import { leaseOf, networkOf, prefix, VXLAN } from '../../sim/samples.ts';

function tables(changes: Partial<RuleInputs> = {}): readonly TableObject[] {
  const all = { masquerade: true, fullyRandom: true, forward: true };
  return planRules({ network: networkOf(VXLAN), own: leaseOf(1), ...all, ...changes });
}

function textOf({ family, chains }: TableObject): string[] {
  return chains.flatMap(({ name, rules }) => rules.map((rule) => `${name}: ${ruleText(rule, family)}`));
}

test("flannel's chains, with the meaning of iptables", () => {
  const [ipv4, ipv6] = tables();
  expect(ipv4?.name).toBe('flannel-ipv4');
  expect(ipv4 === undefined ? [] : textOf(ipv4)).toEqual([
    'forward: ip saddr 10.42.0.0/16 accept',
    'forward: ip daddr 10.42.0.0/16 accept',
    'postrtg: meta mark & 0x00004000 == 0x00004000 return',
    'postrtg: ip saddr 10.42.1.0/24 ip daddr 10.42.0.0/16 return',
    'postrtg: ip saddr 10.42.0.0/16 ip daddr 10.42.1.0/24 return',
    'postrtg: ip saddr != 10.42.0.0/16 ip daddr 10.42.1.0/24 return',
    'postrtg: ip saddr 10.42.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random',
    'postrtg: ip saddr != 10.42.0.0/16 ip daddr 10.42.0.0/16 masquerade fully-random',
  ]);
  expect(ipv6 === undefined ? [] : textOf(ipv6).slice(-2)).toEqual([
    'postrtg: ip6 saddr fd42::/48 ip6 daddr != ff00::/8 masquerade fully-random',
    'postrtg: ip6 saddr != fd42::/48 ip6 daddr fd42::/48 masquerade fully-random',
  ]);
});

test('each of the two sets of rules is a chain of its own, and a table without any is none', () => {
  const names = (changes: Partial<RuleInputs>) =>
    tables(changes).map(({ chains }) => chains.map(({ name }) => name));
  expect(names({ forward: false })).toEqual([['postrtg'], ['postrtg']]);
  expect(names({ masquerade: false })).toEqual([['forward'], ['forward']]);
  expect(names({ masquerade: false, forward: false })).toEqual([]);
  expect(names({ own: leaseOf(1, { families: [6] }) })).toHaveLength(1);
  const [plain] = tables({ fullyRandom: false });
  expect(plain === undefined ? '' : textOf(plain).at(-1)).toEndWith('masquerade');
});

test('what a table differs in is said', () => {
  const [wanted] = tables();
  if (wanted === undefined) throw new Error('No table');
  const [forward, postrtg] = wanted.chains;
  if (forward === undefined || postrtg === undefined) throw new Error('No chains');
  const differs = (found: Partial<TableObject>) => tableDifference(wanted, { ...wanted, ...found });
  expect(differs({})).toBeUndefined();
  expect(differs({ chains: [postrtg, forward] })).toBeUndefined();
  expect(differs({ dormant: true })).toBe('it was dormant');
  expect(differs({ chains: [forward] })).toBe('chain postrtg was missing');
  expect(differs({ chains: [forward, postrtg, { ...forward, name: 'more' }] })).toBe('chain more was added');
  expect(differs({ chains: [{ ...forward, policy: 'drop' }, postrtg] })).toBe(
    'chain forward: policy was drop, not accept',
  );
  expect(differs({ chains: [{ ...forward, rules: [] }, postrtg] })).toBe(
    'chain forward: rule 1 was missing, not ip saddr 10.42.0.0/16 accept',
  );
  const more = { source: { prefix: prefix('10.0.0.0/8'), not: false }, verdict: 'return' } as const;
  expect(differs({ chains: [{ ...forward, rules: [...forward.rules, more] }, postrtg] })).toBe(
    'chain forward: rule ip saddr 10.0.0.0/8 return was added',
  );
});
