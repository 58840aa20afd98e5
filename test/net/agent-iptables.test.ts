/** Traffic rules in iptables, of both kinds: `--iptables`. Real iptables is the witness, and spoils them. */
import { expect, test } from 'bun:test';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAMILIES } from '../../src/model/ip.ts';
import { leaseOf, partOf } from './agent-store.ts';
import { eventually, expectTrouble, JSON_LOG, readLog, reasonsOf, TIMEOUT_MS } from './agent-support.ts';
import { cleanUp } from './cleanup-support.ts';
import {
  forwardRules,
  makeOthers,
  masqueradeRules,
  programOf,
  savedRules,
  type Variant,
} from './flanneld-iptables.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';

const IPTABLES = ['--iptables', '--ip-masq', ...JSON_LOG.arguments];
const VARIANTS: readonly Variant[] = ['nft', 'legacy'];

/** A folder in which iptables is of one kind, and writes down each of its starts. */
class Programs {
  readonly #folder: string;

  constructor(lab: Lab) {
    this.#folder = join(lab.directory, 'bin');
    mkdirSync(this.#folder);
    this.#write('setpriv', `exec ${Bun.which('setpriv')} "$@"`);
  }

  install(variant: Variant): this {
    for (const family of FAMILIES)
      for (const act of ['save', 'restore']) {
        const program = Bun.which(`${programOf(family, variant)}-${act}`);
        const name = `${family === 4 ? 'iptables' : 'ip6tables'}-${act}`;
        this.#write(name, `echo "$0 $*" >> ${this.#log}; exec ${program} "$@"`);
      }
    return this;
  }

  remove(): void {
    for (const family of ['ip', 'ip6']) rmSync(join(this.#folder, `${family}tables-save`));
  }

  /** How an agent is started with these. */
  get extras() {
    return { arguments: IPTABLES, environment: { PATH: this.#folder } };
  }

  /** The starts so far, by their words. */
  get starts(): string[] {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8').trim().split('\n') : [];
  }

  get #log(): string {
    return join(this.#folder, 'starts.log');
  }

  #write(name: string, line: string): void {
    const path = join(this.#folder, name);
    writeFileSync(path, `#!/bin/sh\n${line}\n`);
    chmodSync(path, 0o755);
  }
}

/** What there has to be beside what others have there. */
function expectRules(lab: Lab, node: LabNode, variant: Variant): void {
  for (const family of FAMILIES) {
    const { subnet } = partOf(leaseOf(lab, node), family);
    const wanted = [...masqueradeRules(family, subnet), ...forwardRules(family)];
    const lines = savedRules(node, family, variant).split('\n');
    const rules = lines.filter((line) => /^-A .*(FLANNEL|"flanneld (masq|forward)")/.test(line));
    expect(rules.sort()).toEqual(wanted.sort());
    const inOrder = lines.filter((line) => line.startsWith('-A FLANNEL-POSTRTG'));
    expect(inOrder).toEqual(masqueradeRules(family, subnet).slice(1));
  }
}

function withoutOurs(node: LabNode, variant: Variant): string {
  const lines = FAMILIES.flatMap((family) => savedRules(node, family, variant).split('\n'));
  return lines.filter((line) => !/FLANNEL/.test(line)).join('\n');
}

test.each(VARIANTS)(
  "with --iptables flannel's own rules are in iptables-%s and no table of ours, and they go without the flag",
  async (variant) => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    const programs = new Programs(lab).install(variant);
    for (const family of FAMILIES) makeOthers(node, family, variant);
    const others = withoutOurs(node, variant);
    await node.start({ arguments: ['--ip-masq', ...JSON_LOG.arguments] }).ready();
    await node.stop();
    await node.start(programs.extras).ready();
    expectRules(lab, node, variant);
    expect(withoutOurs(node, variant)).toBe(others);
    await eventually(() => expect(node.run('nft', 'list', 'tables')).not.toContain('flannel'));
    expect((await reasonsOf(node)).codes).toEqual([]);
    await node.stop();
    await node.start({ arguments: ['--ip-masq', ...JSON_LOG.arguments] }).ready();
    await eventually(() => expect(withoutOurs(node, variant)).toBe(others));
    await eventually(() =>
      expect(FAMILIES.map((family) => savedRules(node, family, variant)).join('')).not.toContain('FLANNEL'),
    );
    expect(node.run('nft', 'list', 'tables')).toContain('ip6 flannel-ipv6');
  },
  TIMEOUT_MS,
);

test(
  'they come back whatever is done to them in iptables-nft, and nothing is started while nothing has changed',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    const programs = new Programs(lab).install('nft');
    await node.start(programs.extras).ready();
    const settled = () =>
      eventually(async () => {
        const before = programs.starts.length;
        await Bun.sleep(300);
        expect(programs.starts.length).toBe(before);
      });
    const damages = [
      'iptables-nft -t nat -F FLANNEL-POSTRTG',
      'ip6tables-nft -t nat -D FLANNEL-POSTRTG 3',
      'iptables-nft -t nat -I FLANNEL-POSTRTG -j ACCEPT',
      'iptables-nft -t nat -F POSTROUTING',
      'ip6tables-nft -A FORWARD -m comment --comment flanneld\\ forward -j FLANNEL-FWD',
      'nft delete table ip6 filter',
      'nft flush ruleset',
    ];
    for (const damage of damages) {
      await settled();
      node.run('sh', '-ec', damage);
      await eventually(() => expectRules(lab, node, 'nft'));
    }
    await settled();
    const repaired = readLog(node.agent).flatMap(({ object = '' }) =>
      object.startsWith('iptables: ') ? [object] : [],
    );
    expect(repaired[0]).toBe('iptables: iptables: rule 1 of FLANNEL-POSTRTG was missing');
    expect(repaired.length).toBeGreaterThanOrEqual(6);
    // Passes, and transactions of others: no more processes.
    const before = programs.starts.length;
    node.run('nft', 'add table ip nat; add chain ip nat KUBE-SEP-1; add rule ip nat KUBE-SEP-1 accept');
    node.run('ip', 'address', 'flush', 'dev', 'flannel.1');
    await settled();
    expect(programs.starts.length).toBe(before);
  },
  TIMEOUT_MS,
);

test(
  'without its programs the agent goes on, is not ready, says why, and makes the rules once they are there',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    const programs = new Programs(lab);
    const agent = node.start(programs.extras);
    const message = await expectTrouble(node, 'iptables-failed', 'are not there');
    expect(message).toBe(
      'Cannot make the traffic rules with iptables: iptables-save and iptables-restore are not there',
    );
    programs.install('nft');
    await agent.ready();
    expectRules(lab, node, 'nft');
    expect(programs.starts.length).toBeLessThan(20);
  },
  TIMEOUT_MS,
);

test(
  'what iptables refuses is told in its own words',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    // Of another program, and without its hook: iptables cannot use it.
    node.run('nft', 'add table ip nat; add chain ip nat POSTROUTING { type filter hook input priority 7 ; }');
    const agent = node.start(new Programs(lab).install('nft').extras);
    await expectTrouble(node, 'iptables-failed', 'iptables-');
    node.run('nft', 'delete table ip nat');
    await agent.ready();
    expectRules(lab, node, 'nft');
  },
  TIMEOUT_MS,
);

test(
  'cleanup takes them if it is told that the agent made them there',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    await node.start(new Programs(lab).install('nft').extras).ready();
    await node.stop();
    expect(cleanUp(lab, node, { flags: ['--dry-run'] }).stdout).toContain('or --iptables if an agent');
    expect(cleanUp(lab, node, { flags: ['--iptables'] }).status).toBe(0);
    expect(node.run('nft', 'list', 'ruleset')).not.toContain('FLANNEL');
  },
  TIMEOUT_MS,
);
