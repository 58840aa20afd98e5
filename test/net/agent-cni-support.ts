/**
 * A node whose agent installs itself as a CNI plugin, into directories of the laboratory.
 *
 * @module
 */
import { expect } from 'bun:test';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './agent-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';

/** The names that are installed, in their order. */
export const NAMES = ['flannel', 'flannelette', 'loopback', 'portmap'];

/** The configuration that is installed. */
export const CONFLIST = '10-flannel.conflist';

/** What stands behind the names of what was there before. */
export const ASIDE = '.before-flannelette';

/** One node, and the two directories. */
export class CniNode implements AsyncDisposable {
  readonly lab: Lab;

  private constructor(lab: Lab) {
    this.lab = lab;
  }

  static async make(): Promise<CniNode> {
    return new CniNode(await createLab({ nodes: 1 }));
  }

  get node(): LabNode {
    return this.lab.node(1);
  }

  /** Where something is. */
  at(...names: readonly string[]): string {
    return join(this.lab.directory, ...names);
  }

  get flags(): string[] {
    return ['--install-cni', '--cni-bin-dir', this.at('bin'), '--cni-conf-dir', this.at('conf')];
  }

  start(...flags: readonly string[]): void {
    this.node.start({ arguments: ['--log-format', 'json', ...this.flags, ...flags] });
  }

  /** Ends the agent; its directories and files go. */
  async clear(): Promise<void> {
    if (this.node.running) await this.node.stop();
    for (const name of ['bin', 'conf', this.node.name])
      rmSync(this.at(name), { recursive: true, force: true });
  }

  /** Waits until everything is there. */
  async installed(): Promise<void> {
    await eventually(() => {
      expect(existsSync(this.at('conf', CONFLIST))).toBe(true);
      const names = readdirSync(this.at('bin')).filter((name) => NAMES.includes(name));
      expect(names.sort()).toEqual(NAMES);
    });
  }

  /** The plugins that the conflist names. */
  types(): string[] {
    const { plugins } = JSON.parse(readFileSync(this.at('conf', CONFLIST), 'utf8'));
    return plugins.map(({ type }: { type: string }) => type);
  }

  /** What the plugin of a name says of itself. */
  version(name: string): unknown {
    const { stdout } = Bun.spawnSync([this.at('bin', name)], {
      env: { CNI_COMMAND: 'VERSION' },
      stdin: Buffer.from('{}'),
    });
    return JSON.parse(stdout.toString());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lab[Symbol.asyncDispose]();
  }
}
