import { expect, it } from 'vitest';
import { runCampaign } from './campaign.ts';
import { planCampaign } from './plan.ts';
import { figureLines, offenceReport } from './report.ts';

const SEEDS = process.env.CAMPAIGN_SEED ? [Number(process.env.CAMPAIGN_SEED)] : [1, 2, 3];
/** Milliseconds. A quiet machine needs a fortieth of it. */
const PATIENCE = 600_000;

it.each(SEEDS)(
  'answers, executions and records agree despite all faults (seed %i)',
  async (seed) => {
    const account = await runCampaign(planCampaign(seed, { clients: 24, livesEach: 1 }), PATIENCE);
    const words = `${offenceReport(account)}\n${figureLines(account.figures)}`;
    expect(account.offences, words).toEqual([]);
    expect(account.figures.calls, words).toBeGreaterThan(1_000);
  },
  PATIENCE + 30_000,
);
