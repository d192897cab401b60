// A longer campaign: `npm run soak -- --minutes 10 --seed 7`, or `-- --calls 10000 --seed 7`.
import { parseArgs } from 'node:util';
import type { Account } from './account.ts';
import { runCampaign } from './campaign.ts';
import { planCampaign } from './plan.ts';
import { figureLines, offenceReport, totalOf } from './report.ts';

const PATIENCE = 1_200_000;
/**
 * The distance between the seeds of two rounds, so that soaks from seeds 1, 2 and 3 share no round.
 */
const SEED_STEP = 1_000;

/** @returns The exit code: 1 for an offence, 2 for bad usage. */
async function soak(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string' },
      calls: { type: 'string' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    },
  });
  const seed = Number(values.seed);
  const calls = Number(values.calls ?? 0);
  const minutes = Number(values.minutes ?? (values.calls === undefined ? 10 : 0));
  if (!(minutes > 0 || calls > 0) || !Number.isInteger(seed)) {
    process.stderr.write(
      'Usage: npm run soak -- [--minutes N | --calls N] [--seed WHOLE_NUMBER]\n',
    );
    return 2;
  }
  const bound = calls > 0 ? `${calls} calls` : `${minutes} minutes`;
  say(`Soaking for ${bound} from seed ${seed}; each round adds ${SEED_STEP} to it.`);
  const until = Date.now() + minutes * 60_000;
  const accounts: Account[] = [];
  let made = 0;
  for (let round = 0; round === 0 || Date.now() < until || made < calls; round += 1) {
    const plan = planCampaign(seed + round * SEED_STEP, { clients: 10, livesEach: 3 });
    const account = await runCampaign(plan, PATIENCE);
    // Requests and answers are not stored, because there are many rounds.
    accounts.push(account);
    const { figures, offences, seconds } = account;
    made += figures.calls ?? 0;
    say(
      `seed ${plan.seed}: ${figures.calls} calls, ${figures.executions} executions, ${figures.replays ?? 0} replays, ${offences.length} offences, ${seconds.toFixed(1)} s`,
    );
    if (offences.length > 0) say(offenceReport(account));
  }
  const { figures, faults } = totalOf(accounts);
  say(
    `\nIn ${accounts.length} rounds:\n${figureLines(figures)}\n\nFaults met:\n${figureLines(faults)}`,
  );
  const offended = accounts.filter(({ offences }) => offences.length > 0);
  if (offended.length === 0) return 0;
  say(`\nOffences in seeds ${offended.map((account) => account.seed).join(', ')}.`);
  return 1;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.exitCode = await soak(process.argv.slice(2));
