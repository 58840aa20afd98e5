/**
 * What nft prints of the tables that are planned.
 *
 * @module
 */
import { ruleText, type TableObject } from '../../src/model/traffic-rules.ts';

/** What nft is to print of a table: its own words around those of the plan. */
export function listing({ family, name, comment, chains }: TableObject): string {
  const priorities: Readonly<Record<number, string>> = { 0: 'filter', 100: 'srcnat' };
  const texts = chains.map((chain) => {
    const { type, hook, priority, policy, rules } = chain;
    const head = `type ${type} hook ${hook} priority ${priorities[priority]}; policy ${policy};`;
    const lines = [`comment "${chain.comment}"`, head, ...rules.map((rule) => ruleText(rule, family))];
    return `\tchain ${chain.name} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`;
  });
  return `table ip${family === 4 ? '' : '6'} ${name} {\n\tcomment "${comment}"\n${texts.join('\n')}}\n`;
}
