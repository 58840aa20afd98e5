/** What flanneld has left in iptables: real iptables of both kinds makes it, and is the witness. */
import { expect, test } from 'bun:test';
import { copyFileSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { FAMILIES, type Family } from '../../src/model/ip.ts';
import { eventually, JSON_LOG, readLog, reasonsOf, TIMEOUT_MS } from './agent-support.ts';
import { cleanUp } from './cleanup-support.ts';
import { leaveIptables, makeOthers, programOf, savedRules, type Variant } from './flanneld-iptables.ts';
import { createLab, type LabNode } from './lab.ts';

const MASQ = { arguments: [...JSON_LOG.arguments, '--ip-masq'] };
const REMOVED = 'Removed what flanneld has left';
const VARIANTS: readonly Variant[] = ['nft', 'legacy'];

function allRules(node: LabNode, variant: Variant): string {
  return FAMILIES.map((family) => savedRules(node, family, variant)).join('');
}

function leaveAll(node: LabNode, variant: Variant): void {
  for (const family of FAMILIES) leaveIptables(node, family, variant);
}

function removals(node: LabNode): string[] {
  const lines = readLog(node.agent).filter(({ msg }) => msg === REMOVED);
  return lines.map(({ object = '' }) => object).sort();
}

async function problemsOf(node: LabNode) {
  const { status, codes, messages, remedies } = await reasonsOf(node);
  const mine = codes.flatMap((code, i) => (code === 'flanneld-rules' ? [i] : []));
  const commands = mine.map((i) => /: ((?:ip|nft).*)$/.exec(remedies[i] ?? '')?.[1] ?? '');
  return { status, messages: mine.map((i) => messages[i] ?? ''), commands };
}

test.each(VARIANTS)(
  "flanneld's chains of iptables-%s are removed once there are rules of ours, nothing of others, and not again",
  async (variant) => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    for (const family of FAMILIES) makeOthers(node, family, variant);
    const others = allRules(node, variant);
    leaveAll(node, variant);
    expect(allRules(node, variant)).not.toBe(others);
    await node.start(MASQ).ready();
    await eventually(() => expect(allRules(node, variant)).toBe(others));
    await eventually(() =>
      expect(removals(node)).toEqual(
        ['ip6tables', 'iptables']
          .flatMap((program) => ['FWD', 'POSTRTG'].map((name) => `FLANNEL-${name} of ${program}-${variant}`))
          .sort(),
      ),
    );
    expect((await reasonsOf(node)).codes).toEqual([]);
    // Whoever makes it again keeps it: there is no second removal, however much happens.
    leaveAll(node, variant);
    const again = allRules(node, variant);
    node.run('nft', 'delete', 'table', 'ip', 'flannel-ipv4');
    await eventually(() => expect(node.run('nft', 'list', 'tables')).toContain('ip flannel-ipv4'));
    expect(allRules(node, variant)).toBe(again);
    expect(removals(node).length).toBe(4);
  },
  TIMEOUT_MS,
);

test(
  'those of nf_tables need no program; what needs one is told with the command, and that removes it and nothing else',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    const before = new Map<Variant, string>();
    for (const variant of VARIANTS) {
      for (const family of FAMILIES) makeOthers(node, family, variant);
      before.set(variant, allRules(node, variant));
      leaveAll(node, variant);
    }
    // Where no program is but what starts the agent.
    const bin = join(lab.directory, 'bin');
    mkdirSync(bin);
    symlinkSync(Bun.which('setpriv') ?? '', join(bin, 'setpriv'));
    await node.start({ ...MASQ, environment: { PATH: bin } }).ready();
    await eventually(() => expect(allRules(node, 'nft')).toBe(before.get('nft') ?? ''));
    const { status, messages, commands } = await eventually(async () => {
      const found = await problemsOf(node);
      expect(found.messages.length).toBe(4);
      return found;
    });
    expect(status).toBe(200);
    expect(messages[0]).toBe(
      'flanneld has left FLANNEL-POSTRTG of iptables-legacy, and no iptables-legacy is here to remove it',
    );
    const told = readLog(node.agent).filter(({ code }) => code === 'flanneld-rules');
    expect(told.map(({ msg }) => msg)).toEqual(messages.slice(0, 1));
    for (const command of commands) node.run('sh', '-ec', command);
    expect(allRules(node, 'legacy')).toBe(before.get('legacy') ?? '');
  },
  TIMEOUT_MS,
);

test(
  'a flanneld that runs here keeps its rules, which is told',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    for (const variant of VARIANTS) leaveAll(node, variant);
    const before = VARIANTS.map((variant) => allRules(node, variant));
    const flanneld = join(lab.directory, 'flanneld');
    copyFileSync('/bin/sleep', flanneld);
    const process = inNetns(node.space.netns, () => Bun.spawn([flanneld, '60']));
    try {
      await node.start(MASQ).ready();
      const { messages } = await eventually(async () => {
        const found = await problemsOf(node);
        expect(found.messages.length).toBe(8);
        return found;
      });
      expect(messages[0]).toBe(
        `flanneld runs here (process ${process.pid}) and has made FLANNEL-POSTRTG of iptables-nft: left alone`,
      );
      expect(VARIANTS.map((variant) => allRules(node, variant))).toEqual(before);
    } finally {
      process.kill();
      await process.exited;
    }
  },
  TIMEOUT_MS,
);

test.each([
  ['nft', 'policy', '-P FORWARD DROP'],
  ['legacy', 'policy', '-P FORWARD DROP'],
  ['legacy', 'last rule', '-A FORWARD -j REJECT'],
] as const)(
  'what lets pods through a chain of iptables-%s whose %s drops the rest stays, and is told',
  async (variant, _, shut) => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    leaveIptables(node, 4, variant);
    node.run(programOf(4, variant), ...shut.split(' '));
    await node.start(MASQ).ready();
    const { messages, commands } = await eventually(async () => {
      const found = await problemsOf(node);
      expect(found.messages.length).toBe(1);
      return found;
    });
    expect(messages[0]).toContain(`FLANNEL-FWD of iptables-${variant}, by which pods get through FORWARD`);
    const rules = () => node.run(`${programOf(4, variant)}-save`);
    expect(rules()).not.toContain('FLANNEL-POSTRTG');
    expect(rules()).toContain('FLANNEL-FWD');
    node.run('sh', '-ec', commands[0] ?? '');
    expect(rules()).not.toContain('FLANNEL');
    expect(rules()).toContain(shut.startsWith('-P') ? ':FORWARD DROP' : shut);
  },
  TIMEOUT_MS,
);

test(
  'with --fix-forward it goes from a chain of nf_tables, and pods are accepted there all the while',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    leaveIptables(node, 4, 'nft');
    node.run('iptables-nft', '-P', 'FORWARD', 'DROP');
    await node.start({ arguments: [...MASQ.arguments, '--fix-forward'] }).ready();
    await eventually(() => expect(node.run('iptables-nft-save')).not.toContain('FLANNEL'));
    expect(node.run('iptables-nft', '-S', 'FORWARD').split('\n').slice(0, 3)).toEqual([
      '-P FORWARD DROP',
      '-A FORWARD -s 10.42.0.0/16 -m comment --comment flannelette -j ACCEPT',
      '-A FORWARD -d 10.42.0.0/16 -m comment --comment flannelette -j ACCEPT',
    ]);
    expect((await reasonsOf(node)).codes).toEqual([]);
  },
  TIMEOUT_MS,
);

test.each(VARIANTS)(
  'rules of older versions, which had no chains of their own in iptables-%s, go as well',
  async (variant) => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    makeOthers(node, 4, variant);
    const others = savedRules(node, 4, variant);
    const program = programOf(4, variant);
    node.run(
      'sh',
      '-ec',
      `${program} -t nat -A POSTROUTING -s 10.42.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE
       ${program} -I FORWARD -s 10.42.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`,
    );
    await node.start(MASQ).ready();
    await eventually(() => expect(savedRules(node, 4, variant)).toBe(others));
  },
  TIMEOUT_MS,
);

test(
  'a node without them is not made to load anything of iptables',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    await node.start(MASQ).ready();
    await Bun.sleep(100);
    const names = (family: Family) => `/proc/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`;
    for (const family of FAMILIES)
      if (existsSync(names(family))) expect(node.run('cat', names(family))).toBe('');
    expect((await reasonsOf(node)).codes).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  'cleanup leaves them to flanneld, and takes them with --adopt by the commands of a dry run',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    const bare = new Map(VARIANTS.map((variant) => [variant, allRules(node, variant)]));
    for (const variant of VARIANTS) leaveAll(node, variant);
    node.run('iptables-nft', '-P', 'FORWARD', 'DROP');
    const before = VARIANTS.map((variant) => allRules(node, variant));
    const kept = cleanUp(lab, node);
    expect(kept.status).toBe(0);
    expect(kept.lines.filter((line) => line.includes('flanneld makes it; if flanneld')).length).toBe(1);
    expect(VARIANTS.map((variant) => allRules(node, variant))).toEqual(before);
    const dry = cleanUp(lab, node, { flags: ['--adopt', '--dry-run'] });
    const commands = dry.lines.filter((line) => /^(nft '|ip6?tables-legacy)/.test(line));
    expect(commands.length).toBe(8);
    const taken = cleanUp(lab, node, { flags: ['--adopt'] });
    expect(taken.lines.filter((line) => line.startsWith('✓')).length).toBe(8);
    node.run('iptables-nft', '-P', 'FORWARD', 'ACCEPT');
    for (const variant of VARIANTS) expect(allRules(node, variant)).toBe(bare.get(variant) ?? '');
    for (const variant of VARIANTS) leaveAll(node, variant);
    const now = cleanUp(lab, node, { flags: ['--adopt', '--dry-run'] });
    for (const command of now.lines.filter((line) => /^(nft '|ip6?tables-legacy)/.test(line)))
      node.run('sh', '-ec', command);
    for (const variant of VARIANTS) expect(allRules(node, variant)).toBe(bare.get(variant) ?? '');
  },
  TIMEOUT_MS,
);
