import { join } from 'node:path';
import { getJournalDirectory } from '../../src/base/environment.ts';
import type { SessionRecord } from '../../src/local/core/events.ts';
import { DEFAULT_LIFECYCLE } from '../../src/sessions/lifecycle.ts';
import { readSessions } from '../../src/sessions/session-store.ts';
import { readSessionFacts } from '../../src/state/journal/reader.ts';
import type { JournalRecord } from '../../src/state/journal/records.ts';
import type { Campaign } from './campaign.ts';
import { type Descriptors, descriptorsSince } from './descriptors.ts';
import { type Execution, readExecutions } from './executions.ts';
import { judgeCalls } from './judge-calls.ts';
import { judgeErrors } from './judge-errors.ts';
import { judgeSessions } from './judge-sessions.ts';
import type { Offence } from './offence.ts';
import { storyOf } from './story.ts';

/** The result of a campaign. */
export interface Account {
  readonly seed: number;
  readonly folder: string;
  readonly seconds: number;
  readonly figures: Figures;
  readonly faults: ReadonlyMap<string, number>;
  readonly offences: readonly Offence[];
  /** The stories of the first calls with offences. */
  readonly stories: readonly string[];
}

/** Counts by name. */
export type Figures = Readonly<Record<string, number>>;

interface Evidence {
  /** The file in which the server recorded its executions. */
  readonly executions: string;
  /** The running sessions after all proxies had ended. */
  readonly running: readonly SessionRecord[];
  /** The open descriptors of this process before the campaign. */
  readonly descriptors: Descriptors;
}

const MOST_STORIES = 5;

/** Creates the account once the local AgentCore is closed. */
export async function takeAccount(
  campaign: Campaign,
  { executions: file, running, descriptors }: Evidence,
): Promise<Omit<Account, 'seconds'>> {
  const { plan, folder, local, log, lives } = campaign;
  const executions = readExecutions(file);
  const journal = getJournalDirectory(join(folder, 'state'));
  const figures = new Map<string, number>();
  const { facts, problems } = await readSessionFacts(journal, {
    onRecord: (record) => countRecord(figures, record),
  });
  const { entries } = await readSessions({
    journal: { readSessionFacts: (options) => readSessionFacts(journal, options) },
    // The campaign's own timeouts are short. With AgentCore's defaults, all sessions count as
    // billed.
    lifecycles: { resolve: async () => () => DEFAULT_LIFECYCLE },
    now: Date.now,
  });
  const { microVms } = local;
  const offences: readonly Offence[] = [
    ...campaign.offences,
    ...judgeCalls(lives, executions),
    ...judgeErrors(campaign),
    ...judgeSessions({
      local,
      microVms,
      running,
      facts: [...facts.values()],
      entries,
      lives,
      historyOf: (id) => log.ofSession(id),
    }),
    ...problems.map((words) => ({ rule: 'the journal can be read', words })),
    ...(await whatIsLeft(campaign, descriptors)),
  ];
  const keys = new Set(offences.flatMap(({ key }) => key ?? []));
  const stories = [...keys].slice(0, MOST_STORIES).map((key) => storyOf(key, campaign, executions));
  return {
    seed: plan.seed,
    folder,
    figures: {
      ...callFigures(campaign, executions),
      slowness: campaign.slowness,
      ...Object.fromEntries(figures),
      'requests to AgentCore': log.requests,
      microVMs: microVms.length,
      'sessions on record': facts.size,
      'still running at the end': running.length,
    },
    faults: log.faults,
    offences,
    stories,
  };
}

async function whatIsLeft(
  { local, log, lives }: Campaign,
  before: Descriptors,
): Promise<Offence[]> {
  const pids = [...log.pids, ...lives.map(({ client }) => client.pid)].filter(isThere);
  const descriptors = await descriptorsSince(before);
  return [
    ...pids.map((pid) => ({ rule: 'no process is left', words: `pid ${pid}` })),
    ...(local.containers === 0
      ? []
      : [{ rule: 'no container is left', words: `${local.containers} are` }]),
    ...descriptors.map((words) => ({ rule: 'no descriptor is left', words })),
  ];
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function callFigures(
  { plan, lives }: Campaign,
  executions: ReadonlyMap<string, readonly Execution[]>,
): Figures {
  const asked = lives.flatMap(({ client }) => [...client.asked.values()]);
  const calls = asked.filter(({ key }) => key !== undefined);
  const answers = calls.flatMap(({ answers: [first] }) => first ?? []);
  const errors = answers.flatMap(({ error }) => error ?? []);
  const claims = errors.map(({ data }) => data?.outcome);
  return {
    calls: calls.length,
    'calls planned': plan.calls,
    'other requests': asked.length - calls.length,
    proxies: lives.length,
    'proxies killed': lives.filter(({ wasKilled }) => wasKilled).length,
    results: answers.length - errors.length,
    errors: errors.length,
    'errors, refused or not sent': claims.filter((is) => is === 'refused' || is === 'not sent')
      .length,
    cancelled: calls.filter(({ cancelled }) => cancelled).length,
    executions: [...executions.values()].reduce((sum, { length }) => sum + length, 0),
    'keys executed': executions.size,
  };
}

function countRecord(figures: Map<string, number>, record: JournalRecord): void {
  const add = (name: string, more = 1) => figures.set(name, (figures.get(name) ?? 0) + more);
  if (record.type === 'call') add('attempts beyond the first', Math.max(0, record.attempts - 1));
  if (record.type === 'session.replayed') add('replays');
  if (record.type === 'session.stop-failed') add('stops that failed');
}
