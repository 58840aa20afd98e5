import { describe, expect, test } from 'bun:test';
import { readCniPlaces } from '../../../src/config/containerd-config.ts';
import { formatConflist, isOwnConflist, namesBefore, pluginTypes } from '../../../src/install/conflist.ts';
import { type Findings, planInstall } from '../../../src/install/plan.ts';

const OWN = formatConflist({ bandwidth: false });

/** A node on which everything is right. */
const RIGHT: Findings = {
  places: { confDir: '/c', binDir: '/b' },
  program: 'own',
  links: new Map([
    ['flannel', 'own'],
    ['portmap', 'own'],
    ['loopback', 'own'],
  ]),
  executables: new Set(['flannelette', 'flannel', 'portmap', 'loopback']),
  conflist: { text: OWN, own: true },
  configs: ['10-flannel.conflist'],
};

describe('planInstall()', () => {
  test('planInstall() has nothing to do where everything is right', () => {
    expect(planInstall(RIGHT)).toMatchObject({ steps: [], problems: [] });
  });

  test('planInstall() makes everything where nothing is, the conflist last', () => {
    const nothing: Findings = {
      ...RIGHT,
      program: 'none',
      links: new Map(),
      executables: new Set(),
      conflist: undefined,
    };
    expect(planInstall(nothing).steps).toEqual([
      { kind: 'program', path: '/b/flannelette' },
      { kind: 'link', path: '/b/flannel', aside: false },
      { kind: 'link', path: '/b/portmap', aside: false },
      { kind: 'link', path: '/b/loopback', aside: false },
      { kind: 'conflist', path: '/c/10-flannel.conflist', text: OWN, aside: false },
    ]);
  });

  test('planInstall() sets foreign things aside, and no former ones of its own', () => {
    const foreign: Findings = {
      ...RIGHT,
      program: 'other',
      links: new Map([...RIGHT.links, ['portmap', 'foreign']]),
      conflist: { text: '{}', own: false },
    };
    expect(planInstall(foreign).steps).toEqual([
      { kind: 'program', path: '/b/flannelette' },
      { kind: 'link', path: '/b/portmap', aside: true },
      { kind: 'conflist', path: '/c/10-flannel.conflist', text: OWN, aside: true },
    ]);
    const former = planInstall({ ...RIGHT, conflist: { text: '{}', own: true } });
    expect(former.steps).toMatchObject([{ kind: 'conflist', aside: false }]);
  });

  test('planInstall() chains bandwidth where it is, and nothing in a conflist that was given', () => {
    const executables = new Set([...RIGHT.executables, 'bandwidth']);
    expect(planInstall({ ...RIGHT, executables }).steps).toMatchObject([
      { kind: 'conflist', text: formatConflist({ bandwidth: true }) },
    ]);
    expect(planInstall({ ...RIGHT, executables }, OWN).steps).toEqual([]);
  });

  test('planInstall() names what the runtime would take before ours, and what a conflist lacks', () => {
    const { problems } = planInstall(
      { ...RIGHT, configs: ['10-flannel.conflist', '05-b.conf', '01-a.json', '00-a.txt'] },
      '{"name":"n","plugins":[{"type":"flannel"},{"type":"tuning"},{"type":"sbr"}]}',
    );
    expect(problems.map(({ code, message }) => `${code} ${message}`)).toEqual([
      "cni-plugin-missing 10-flannel.conflist names 'tuning', 'sbr', not found in /b",
      expect.stringContaining('cni-config-before /c/01-a.json comes before 10-flannel.conflist'),
    ]);
  });
});

describe('conflists', () => {
  test('formatConflist() names bandwidth only if it is there', () => {
    expect(pluginTypes(formatConflist({ bandwidth: false }))).toEqual(['flannelette']);
    expect(pluginTypes(formatConflist({ bandwidth: true }))).toEqual(['flannelette', 'bandwidth']);
  });

  test.each([
    '',
    'null',
    '[]',
    '{}',
    '{"name":"n"}',
    '{"name":"n","plugins":[]}',
    '{"name":"","plugins":[{"type":"a"}]}',
    '{"name":"n","plugins":[{"type":"a"},{}]}',
    '{"name":"n","plugins":[{"type":"../a"}]}',
    '{"name":"n","plugins":[null]}',
  ])('pluginTypes() takes %s for no conflist', (text) => {
    expect(pluginTypes(text)).toBe(undefined);
    expect(isOwnConflist(text)).toBe(false);
  });

  test("isOwnConflist() tells ours from flannel's", () => {
    expect(isOwnConflist(OWN)).toBe(true);
    expect(isOwnConflist('{"name":"cbr0","plugins":[{"type":"flannel"},{"type":"portmap"}]}')).toBe(false);
  });

  test('namesBefore() sees what containerd reads, in its order', () => {
    const names = [
      '9-a.conf',
      '10-a.conflist',
      '10-flannel.conflist',
      '00-b.json',
      '05-c.conflist.off',
      '10-Z.conf',
    ];
    expect(namesBefore(names, '10-flannel.conflist')).toEqual(['00-b.json', '10-Z.conf', '10-a.conflist']);
  });
});

describe('readCniPlaces()', () => {
  test.each([
    ['', undefined, undefined],
    ['[plugins."io.containerd.grpc.v1.cri".cni]\n  bin_dir = "/b"\n  conf_dir = "/c" # here\n', '/c', '/b'],
    ["[plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = ['/b', '/d']\nconf_dir = '/c'\n", '/c', '/b'],
    ['[plugins.cri.cni]\nbin_dir="/b"\n[plugins.cri.registry]\nconf_dir = "/c"\n', undefined, '/b'],
    ['bin_dir = "/b"\n[plugins.opt.cni]\nbin_dir = "/b"\n', undefined, undefined],
    ['[plugins.cri.cni]\nbin_dir = "b"\nconf_dir = 7\n', undefined, undefined],
    ['[plugins.cri.cni]\n#bin_dir = "/b"\nconf_dir = "/c\\u0000"\n', undefined, undefined],
  ])('readCniPlaces() of %j', (toml, confDir, binDir) => {
    expect(readCniPlaces(toml)).toEqual({ confDir, binDir });
  });
});
