import { expect, test } from 'bun:test';
import { judgeCni } from '../../../src/removal/cni.ts';
import type { CniFinding } from '../../../src/removal/findings.ts';
import { commandOf } from '../../../src/removal/step.ts';

const ASIDE = '/opt/cni/bin/portmap.before-flannelette';

/** What becomes of one name. */
function judge(owner: CniFinding['owner'], aside?: string) {
  const { steps, left } = judgeCni([{ path: '/opt/cni/bin/portmap', owner, aside }]);
  return [...steps.map(commandOf), ...left.map(({ what, whose }) => `${whose}: ${what}`)];
}

test.each([
  ['ours', undefined, ['rm /opt/cni/bin/portmap']],
  ['ours', ASIDE, [`mv ${ASIDE} /opt/cni/bin/portmap`]],
  ['nobody', undefined, []],
  ['nobody', ASIDE, [`mv ${ASIDE} /opt/cni/bin/portmap`]],
  ['foreign', undefined, []],
  ['foreign', ASIDE, [`others: ${ASIDE}`]],
  ['operator', undefined, ['others: /opt/cni/bin/portmap']],
  ['unknown', undefined, ['maybe: /opt/cni/bin/portmap']],
] as const)('judgeCni() of %s with %s aside', (owner, aside, expected) => {
  expect<readonly string[]>(judge(owner, aside)).toEqual(expected);
});
