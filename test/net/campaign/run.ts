/**
 * The long campaign: `npm run test:campaign`. The last line is `N passed, N failed`.
 *
 *     npm run test:campaign -- --minutes 10 --seed 7 --backend vxlan
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { ownNetwork } from '../../own-network.ts';
import { runCampaign } from './campaign.ts';

const BACKENDS = ['vxlan', 'host-gw'] as const;
/** In a network of its own by now. */
const INSIDE = 'FLANNELETTE_CAMPAIGN_INSIDE';

async function main(args: string[]): Promise<number> {
  if (process.env[INSIDE] === undefined) return outside(args);
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      backend: { type: 'string' },
    },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  const backends = BACKENDS.filter((each) => values.backend === undefined || each === values.backend);
  if (!(minutes > 0) || !Number.isSafeInteger(seed) || backends.length === 0) {
    console.error(`Expected --minutes N, --seed N, --backend ${BACKENDS.join('|')}`);
    return 1;
  }
  let failed = 0;
  for (const backend of backends) {
    console.log(`${backend}, 5 nodes, seed ${seed}`);
    const durationMs = (minutes * 60_000) / backends.length;
    try {
      const { bursts, damages, longestMs } = await runCampaign({
        seed,
        durationMs,
        backend,
        onBurst: console.log,
      });
      const within = `within ${Math.round(longestMs)} ms at most`;
      console.log(`${backend}: ${bursts} bursts, ${damages} damages, all put right, ${within}`);
    } catch (error) {
      failed++;
      console.error(error instanceof Error ? error.message : String(error));
    }
  }
  console.log(`${backends.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Starts itself once more, in a network of its own. */
function outside(args: readonly string[]): number {
  const command = [...ownNetwork(), process.execPath, import.meta.path, ...args];
  const { PATH = '' } = process.env;
  // An ordinary user's PATH does not look where `ip` and `bridge` are.
  const env = { ...process.env, [INSIDE]: '1', PATH: `${PATH}:/usr/sbin:/sbin` };
  return Bun.spawnSync(command, { env, stdio: ['ignore', 'inherit', 'inherit'] }).exitCode;
}

process.exit(await main(process.argv.slice(2)));
