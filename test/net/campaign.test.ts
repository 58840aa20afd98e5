/** A short campaign of random damage; `npm run test:campaign` is the long one. @module */
import { expect, test } from 'bun:test';
import { runCampaign } from './campaign/campaign.ts';

const DURATION_MS = 10_000;
const TIMEOUT_MS = 120_000;
/** Another seed is another campaign. */
const { FLANNELETTE_SEED = '20261126' } = process.env;

test.each(['vxlan', 'host-gw'] as const)(
  `%s: whatever is damaged is put right (seed ${FLANNELETTE_SEED})`,
  async (backend) => {
    const result = await runCampaign({ seed: Number(FLANNELETTE_SEED), durationMs: DURATION_MS, backend });
    expect(result.damages).toBeGreaterThan(result.bursts);
  },
  TIMEOUT_MS,
);
