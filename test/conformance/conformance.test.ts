import { beforeAll, describe, expect, it } from 'vitest';
import { exceptionsFor, excuses, isAbout, isStale } from './exceptions.ts';
import { HOSTINGS, type Way } from './hostings.ts';
import { type Check, isMet, REVISIONS, type Revision, runSuite, scenariosOf } from './suite.ts';

const DIRECTLY: Way = 'asked directly';
/**
 * The limit for starting all processes, the suite and their end. The suite has its own limit below.
 */
const RUN_LIMIT = 900_000;

type Results = Map<string, Check[]>;

const runs = new Map<string, Promise<Results>>();

/** The results of one way. The suite runs once for each way and revision, with all scenarios. */
function resultsOf(way: Way, revision: Revision): Promise<Results> {
  const key = `${revision} ${way}`;
  const run = runs.get(key) ?? hostAndRun(way, revision);
  runs.set(key, run);
  return run;
}

async function hostAndRun(way: Way, revision: Revision): Promise<Results> {
  const hosted = await HOSTINGS[way]();
  try {
    return await runSuite(hosted.url, revision);
  } finally {
    await hosted.close();
  }
}

describe.each(REVISIONS)('conformance with MCP %s', (revision) => {
  describe.each(Object.keys(HOSTINGS) as Way[])('%s', (way) => {
    let direct: Results;
    let results: Results;
    beforeAll(async () => {
      direct = await resultsOf(DIRECTLY, revision);
      results = await resultsOf(way, revision);
    }, RUN_LIMIT);

    it.each(scenariosOf(revision))('%s', (scenario) => {
      const checks = results.get(scenario) ?? [];
      expect(checks, 'The scenario did not come to its end').not.toEqual([]);
      const exceptions = exceptionsFor(way, revision, scenario);
      const isExcused = (check: Check) => exceptions.some((one) => excuses(one, check));
      expect(checks.filter((check) => !isMet(check) && !isExcused(check))).toEqual([]);
      expect(exceptions.filter((one) => isStale(one, checks))).toEqual([]);
      // A suite that gives up early reports no failure. Each check made directly must also be made
      // here.
      const asked = (made: Check[] = []) => made.filter(({ status }) => status !== 'INFO');
      const isOpen = (check: Check) =>
        !asked(checks).some(({ id }) => id === check.id) &&
        !exceptions.some((one) => isAbout(one, check));
      expect(asked(direct.get(scenario)).filter(isOpen)).toEqual([]);
    });
  });
});
