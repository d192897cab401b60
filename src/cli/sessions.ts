import { basename } from 'node:path';
import { formatCost, RUNTIME_PRICES, sumCosts } from '../aws/pricing.ts';
import type { Environment } from '../base/environment.ts';
import { AgentCoreError } from '../base/errors.ts';
import {
  formatDuration,
  formatTable,
  formatTime,
  pluralize,
  sanitizeForTerminal,
} from '../base/format.ts';
import { escapeControls } from '../base/logger.ts';
import { formatRecordLine, formatRuntimeName, formatSessionNotes } from '../sessions/format.ts';
import {
  abbreviateIds,
  findSession,
  type SessionInfo,
  type SessionProgram,
} from '../sessions/session-info.ts';
import { SessionStore, type UnlistedEnd } from '../sessions/session-store.ts';
import type { StopResult } from '../sessions/stop-session.ts';

// The verbs of `agentcore-mcp sessions`: list, show, stop, dismiss and prune.

interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly columns?: number };
  readonly stderr: NodeJS.WritableStream;
}

/** The selection of sessions: by ids, all, or orphaned. */
interface StopChoice {
  readonly ids: readonly string[];
  /** All sessions that may be billed. */
  readonly all?: boolean | undefined;
  readonly orphaned?: boolean | undefined;
}

/** Maximum number of records printed with a session. */
const LAST_RECORDS = 20;

const DAY = 24 * 3_600_000;

/** The verbs of `agentcore-mcp sessions`. They use the journal of all programs of this user. */
export class SessionsCommand {
  readonly #streams: Streams;
  readonly #sessions: SessionStore;

  /** @throws {AgentCoreError} `usage` if the state directory in the environment is invalid. */
  constructor(env: Environment, streams: Streams) {
    this.#streams = streams;
    this.#sessions = new SessionStore(env, 'cli');
  }

  /**
   * Prints the sessions that may be billed or have ended within a day. With `all` or `json`, prints
   * all sessions.
   *
   * @returns 0.
   */
  async list(options: { readonly all?: boolean; readonly json?: boolean }): Promise<number> {
    const entries = await this.#read();
    if (options.json) return this.#say(`${JSON.stringify(entries, null, 2)}\n`);
    const { columns = Infinity } = this.#streams.stdout;
    const all = options.all ?? false;
    return this.#say(formatSessionList(entries, { all, now: Date.now(), width: columns }));
  }

  /**
   * Prints one session and its last records.
   *
   * @returns 0.
   * @throws {AgentCoreError} `usage` if the id matches no session or several.
   */
  async show(id: string, options: { readonly json?: boolean }): Promise<number> {
    // These sessions are not listed, but their records remain in the journal.
    const entry = findSession(await this.#read(['lost', 'dismissed']), id);
    const records = await this.#sessions.readRecords(entry);
    if (options.json) return this.#say(`${JSON.stringify({ ...entry, records }, null, 2)}\n`);
    const lines = records.flatMap((record) => formatRecordLine(record) ?? []).slice(-LAST_RECORDS);
    const list = lines.map((line) => `  ${line}\n`).join('');
    return this.#say(`${formatSessionDetails(entry, Date.now())}\nLast records:\n${list}`);
  }

  /**
   * Stops sessions with the credentials of their start, and records the outcome.
   *
   * @returns 0 if all are stopped or were already gone, else 1.
   * @throws {AgentCoreError} `usage` if no session is named or one is not in the journal.
   */
  async stop(choice: StopChoice, signal: AbortSignal): Promise<number> {
    if ((choice.ids.length > 0 ? 1 : 0) + (choice.all ? 1 : 0) + (choice.orphaned ? 1 : 0) !== 1) {
      throw new AgentCoreError('usage', 'Name sessions by their ids, or give --all or --orphaned');
    }
    const entries = await this.#read();
    const chosen = selectSessions(entries, choice);
    if (chosen.length === 0) return this.#say('There is no session to stop.\n');
    const abbreviate = abbreviateIds(entries);
    let failures = 0;
    await this.#sessions.stop(chosen, {
      signal,
      onFailure: (sentence) => this.#warn([sentence]),
      onResult: (entry, result) => {
        if (result.how === 'failed') failures++;
        const name = `${abbreviate(entry)} on ${formatRuntimeName(entry)}`;
        this.#say(`${sanitizeForTerminal(`${name}: ${formatResult(result)}`)}\n`);
      },
    });
    return failures > 0 ? 1 : 0;
  }

  /**
   * Removes orphaned sessions from the list.
   *
   * @returns 0.
   * @throws {AgentCoreError} `usage` if no session is named or one is not orphaned.
   */
  async dismiss(choice: Pick<StopChoice, 'ids' | 'orphaned'>): Promise<number> {
    if (choice.ids.length > 0 === (choice.orphaned ?? false)) {
      throw new AgentCoreError('usage', 'Name sessions by their ids, or give --orphaned');
    }
    const entries = await this.#read();
    const chosen = selectSessions(entries, choice);
    if (chosen.length === 0) return this.#say('There is no session to dismiss.\n');
    await this.#sessions.dismiss(chosen, (sentence) => this.#warn([sentence]));
    const abbreviate = abbreviateIds(entries);
    for (const entry of chosen) {
      this.#say(
        `${sanitizeForTerminal(`${abbreviate(entry)} on ${formatRuntimeName(entry)}: dismissed`)}\n`,
      );
    }
    return 0;
  }

  /**
   * Removes old journal files. Files of sessions that may still run are never removed.
   *
   * @param options.olderThan Days. Default: 1.
   * @returns 0.
   */
  async prune(options: { readonly olderThan?: number; readonly json?: boolean }): Promise<number> {
    const maxAge = (options.olderThan ?? 1) * DAY;
    const { removed, bytes, problems } = await this.#sessions.prune(maxAge);
    this.#warn(problems);
    if (options.json) return this.#say(`${JSON.stringify({ removed, bytes, problems })}\n`);
    for (const path of removed) this.#say(`Removed ${basename(path)}\n`);
    const what = removed.length === 0 ? 'Nothing to remove' : `${removed.length} removed`;
    return this.#say(
      `${what}; ${(bytes / 1e6).toFixed(1)} MB of journal remain in ${this.#sessions.folder}\n`,
    );
  }

  async #read(unlisted?: readonly UnlistedEnd[]): Promise<readonly SessionInfo[]> {
    const { entries, problems } = await this.#sessions.read(unlisted);
    this.#warn(problems);
    return entries;
  }

  #say(text: string): 0 {
    this.#streams.stdout.write(text);
    return 0;
  }

  #warn(sentences: readonly string[]): void {
    for (const sentence of sentences) this.#streams.stderr.write(`${escapeControls(sentence)}\n`);
  }
}

function selectSessions(
  entries: readonly SessionInfo[],
  { ids, orphaned }: StopChoice,
): readonly SessionInfo[] {
  if (ids.length > 0) return [...new Set(ids.map((id) => findSession(entries, id)))];
  return entries.filter(({ state, mayBill }) => (orphaned ? state === 'orphaned' : mayBill));
}

function formatResult(result: StopResult): string {
  switch (result.how) {
    case 'stopped':
      return 'stopped';
    case 'gone':
      return 'had already ended';
    case 'failed':
      return `could not be stopped: ${result.reason}`;
  }
}

/** Milliseconds. Sessions with an earlier end are hidden. */
const RECENT = 24 * 3_600_000;

/** Columns in the order of importance, because a narrow terminal cuts off the last ones. */
const COLUMNS = [
  'ID',
  'STATE',
  'RUNTIME',
  'AGE',
  'COST SO FAR',
  'UNTIL TIMEOUT',
  'IDLE LEFT',
  'LIFE LEFT',
  'PROGRAM',
];

interface ListOptions {
  /** Includes sessions that ended more than a day ago. */
  readonly all: boolean;
  readonly now: number;
  /** Terminal width in characters. */
  readonly width: number;
}

/** Formats sessions as a table, with notes and total costs. */
function formatSessionList(entries: readonly SessionInfo[], options: ListOptions): string {
  const { all, now, width } = options;
  if (entries.length === 0) {
    return 'There are no sessions. They appear here as soon as agentcore-mcp proxy uses a runtime.\n';
  }
  const shown = entries.filter(
    ({ endedAt }) => all || endedAt === undefined || now - Date.parse(endedAt) < RECENT,
  );
  const abbreviate = abbreviateIds(entries);
  const rows = shown.map((entry) => createRow(entry, abbreviate(entry)));
  const notes = shown.flatMap((entry) =>
    formatSessionNotes(entry).map((note) => `${abbreviate(entry)}: ${sanitizeForTerminal(note)}`),
  );
  const older = entries.length - shown.length;
  return [
    shown.length > 0 ? formatTable([COLUMNS, ...rows], width) : '',
    joinLines(notes),
    joinLines([
      ...formatSummary(shown),
      ...(older > 0 ? [`${pluralize(older, 'older one')} not shown: sessions list --all`] : []),
    ]),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function createRow(entry: SessionInfo, id: string): string[] {
  const { state, mayBill, idleLeft, lifetimeLeft, lifecycle, programs } = entry;
  const about = lifecycle.source === 'assumed' ? '~' : '';
  const left = (milliseconds: number) =>
    mayBill ? `${about}${formatDuration(milliseconds)}` : '-';
  return [
    id,
    state,
    sanitizeForTerminal(formatRuntimeName(entry)),
    formatDuration(entry.age),
    formatCost(entry.cost),
    mayBill ? formatCost(entry.costToCome) : '-',
    // The idle timeout does not run during a call.
    state === 'active' ? '-' : left(idleLeft),
    left(lifetimeLeft),
    programs.map(({ program, pid }) => sanitizeForTerminal(`${program} ${pid}`)).join(', '),
  ];
}

function formatSummary(shown: readonly SessionInfo[]): string[] {
  const billing = shown.filter(({ mayBill }) => mayBill);
  if (billing.length === 0) return ['None of these sessions may be billed.'];
  const cost = formatCost(sumCosts(billing.map((entry) => entry.cost)));
  const toCome = formatCost(sumCosts(billing.map(({ costToCome }) => costToCome)));
  const orphaned = billing.filter(({ state }) => state === 'orphaned').length;
  return [
    `${pluralize(billing.length, 'session')} may be billed: ${cost} so far, ${toCome} until idle timeout.`,
    ...(orphaned > 0
      ? [
          `${pluralize(orphaned, 'session')} without a program: agentcore-mcp sessions stop --orphaned`,
        ]
      : []),
    ...(billing.some(({ lifecycle }) => lifecycle.source === 'assumed')
      ? ['~ with the default timeouts, because those of the runtime could not be read.']
      : []),
    `Costs use the prices of ${RUNTIME_PRICES.date} (${RUNTIME_PRICES.source}). The range is from an idle to a fully busy session.`,
  ];
}

/** Formats a session without its records. */
function formatSessionDetails(entry: SessionInfo, now: number): string {
  const { lifecycle, mayBill, mayBillUntil, state, endedAt, assumeRole } = entry;
  const ago = (moment: string) =>
    `${formatTime(moment)}, ${formatDuration(Math.max(0, now - Date.parse(moment)))} ago`;
  const timeouts = `${formatDuration(lifecycle.idleTimeout)} idle, ${formatDuration(lifecycle.maxLifetime)} in all`;
  const calls = entry.open > 0 ? `${entry.calls}, ${entry.open} in progress` : `${entry.calls}`;
  const facts: (readonly [string, string | undefined])[] = [
    ['State', mayBillUntil ? `${state}, may be billed until ${formatTime(mayBillUntil)}` : state],
    ['Runtime', entry.runtime],
    ['Qualifier', entry.qualifier],
    ['Data plane', entry.endpoint],
    ['Mode', entry.mode],
    ['Session id sent', entry.runtimeSessionId],
    ['Session id returned', entry.returnedId],
    ['MCP session id', entry.mcpSessionId],
    ...entry.programs.map((program) => ['Program', formatProgram(program)] as const),
    ['Profile', entry.profile],
    ['Role', assumeRole?.arn],
    ['Started', ago(entry.startedAt)],
    ['Last active', ago(entry.lastActiveAt)],
    ['Ended', endedAt === undefined ? undefined : ago(endedAt)],
    ['Calls', calls],
    ['Timeouts', lifecycle.source === 'runtime' ? timeouts : `${timeouts} (assumed)`],
    ['Idle left', mayBill && state !== 'active' ? formatDuration(entry.idleLeft) : undefined],
    ['Lifetime left', mayBill ? formatDuration(entry.lifetimeLeft) : undefined],
    ['Cost so far', formatCost(entry.cost)],
    ['Cost until timeout', mayBill ? formatCost(entry.costToCome) : undefined],
    ...formatSessionNotes(entry).map((note) => ['Note', note] as const),
  ];
  const rows = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [[`  ${name}`, sanitizeForTerminal(value)]],
  );
  return `Session ${entry.id}\n${formatTable(rows)}`;
}

function formatProgram({ program, pid, host, liveness }: SessionProgram): string {
  const state = { alive: 'running', dead: 'ended', elsewhere: 'on another machine' }[liveness];
  return `${program} ${pid} on ${host}, ${state}`;
}

function joinLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
