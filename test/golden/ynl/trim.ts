/**
 * Reduces the kernel's netlink specifications (Documentation/netlink/specs) to what our tables are compared with:
 *
 *     bun test/golden/ynl/trim.ts DIRECTORY
 *
 * DIRECTORY is where crates.io's netlink-bindings was unpacked. It has the kernel's files as they are, under the
 * kernel's licence, and newer ones than Debian's linux-source, which lacks neighbours and the port of geneve.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { YAML } from 'bun';

interface Choice {
  readonly definitions: readonly string[];
  readonly sets: readonly string[];
}

const PACKAGE = "crates.io's netlink-bindings 0.3.5, which has those of Linux 7.3";

const CHOICES: Readonly<Record<string, Choice>> = {
  'rt-link': {
    definitions: ['ifinfomsg', 'ifinfo-flags'],
    // Nothing of ours is of kind geneve; its port shows that a wrong byte order is found.
    sets: ['link-attrs', 'linkinfo-attrs', 'linkinfo-bridge-attrs', 'linkinfo-geneve-attrs'],
  },
  'rt-addr': { definitions: ['ifaddrmsg', 'ifa-flags'], sets: ['addr-attrs'] },
  'rt-route': { definitions: ['rtmsg', 'rtm-type'], sets: ['route-attrs'] },
  'rt-neigh': { definitions: ['ndmsg', 'nud-state', 'ntf-flags'], sets: ['neighbour-attrs'] },
  nlctrl: { definitions: [], sets: ['ctrl-attrs'] },
  ethtool: { definitions: [], sets: ['header', 'bitset-bit', 'bitset-bits', 'bitset', 'features'] },
};

const ATTRIBUTE_KEYS = [
  'name',
  'value',
  'type',
  'byte-order',
  'display-hint',
  'nested-attributes',
  'multi-attr',
];

type Yaml = Readonly<Record<string, unknown>>;

function main([unpacked = '']: readonly string[]): void {
  for (const [name, choice] of Object.entries(CHOICES)) {
    const path = `src/${name}/${name}.yaml`;
    const text = readFileSync(join(unpacked, path), 'utf8');
    const [licence = ''] = text.split('\n');
    if (!licence.includes('OR BSD-3-Clause')) throw new Error(`${path} has another licence: ${licence}`);
    const head = [licence, '#', '# Used under BSD-3-Clause, of which LICENSE has the text.'];
    head.push(`# From ${PACKAGE}: ${path}, reduced by trim.ts.`, '');
    const body = YAML.stringify(trimmed(mapOf(YAML.parse(text)), choice), undefined, 2);
    writeFileSync(join(import.meta.dir, `${name}.yaml`), `${head.join('\n')}\n${body.trimEnd()}\n`);
  }
}

function trimmed(spec: Yaml, { definitions, sets }: Choice): Yaml {
  return {
    name: part(spec, 'name'),
    protocol: part(spec, 'protocol'),
    definitions: chosen(part(spec, 'definitions'), definitions),
    'attribute-sets': chosen(part(spec, 'attribute-sets'), sets).map((set) => ({
      name: part(set, 'name'),
      attributes: listOf(part(set, 'attributes')).map((each) => only(each, ATTRIBUTE_KEYS)),
    })),
    operations: listOf(part(part(spec, 'operations'), 'list')).flatMap((operation) => {
      const value = numberOf(operation);
      return value === undefined ? [] : [{ name: part(operation, 'name'), value }];
    }),
    'mcast-groups': listOf(part(part(spec, 'mcast-groups'), 'list'))
      .map((each) => only(each, ['name', 'value']))
      .filter(({ value }) => value !== undefined),
  };
}

/** The number of the request, where the specification gives one. */
function numberOf(operation: Yaml): unknown {
  for (const way of ['do', 'dump']) {
    const value = part(part(part(operation, way), 'request'), 'value');
    if (value !== undefined) return value;
  }
  return undefined;
}

function chosen(list: unknown, names: readonly string[]): Yaml[] {
  return names.map((name) => {
    const found = listOf(list).find((each) => part(each, 'name') === name);
    if (found === undefined) throw new Error(`The specification has no ${name}`);
    return found;
  });
}

function only(map: Yaml, keys: readonly string[]): Yaml {
  return Object.fromEntries(Object.entries(map).filter(([key]) => keys.includes(key)));
}

function part(value: unknown, key: string): unknown {
  return mapOf(value)[key];
}

function listOf(value: unknown): Yaml[] {
  return Array.isArray(value) ? value.map(mapOf) : [];
}

function mapOf(value: unknown): Yaml {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

main(process.argv.slice(2));
