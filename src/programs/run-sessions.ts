import { basename } from 'node:path';
import type { Environment } from '../environment.ts';
import { AgentCoreError } from '../error.ts';
import { escapeControls } from '../log.ts';
import { SessionStore } from '../sessions/known-sessions.ts';
import type { UnlistedEnd } from '../sessions/read-sessions.ts';
import { formatRecordLine } from '../sessions/record-words.ts';
import type { SessionInfo } from '../sessions/session-book.ts';
import { abbreviateIds, findSession } from '../sessions/session-lookup.ts';
import { formatRuntimeName, sanitizeForTerminal } from '../sessions/session-words.ts';
import type { StopResult } from '../sessions/stop-session.ts';
import { formatSessionDetails, formatSessionList } from './session-report.ts';

interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly columns?: number };
  readonly stderr: NodeJS.WritableStream;
}

/** Selection of sessions. */
interface StopChoice {
  readonly ids: readonly string[];
  /** All sessions that may bill. */
  readonly all?: boolean | undefined;
  readonly orphaned?: boolean | undefined;
}

/** Number of latest records shown with a session. */
const LAST_RECORDS = 20;

const DAY = 24 * 3_600_000;

/** Verbs of `agentcore-mcp sessions`, over the journal of all programs of this user. */
export class SessionsCommand {
  readonly #streams: Streams;
  readonly #sessions: SessionStore;

  /**
   * @throws {AgentCoreError} `usage` if the environment names an invalid state folder.
   */
  constructor(env: Environment, streams: Streams) {
    this.#streams = streams;
    this.#sessions = new SessionStore(env, 'cli');
  }

  /**
   * Lists sessions that may bill or that ended within a day. With `all` or `json`, lists every
   * session.
   */
  async list(options: { readonly all?: boolean; readonly json?: boolean }): Promise<number> {
    const entries = await this.#read();
    if (options.json) return this.#say(`${JSON.stringify(entries, null, 2)}\n`);
    const { columns = Infinity } = this.#streams.stdout;
    const all = options.all ?? false;
    return this.#say(formatSessionList(entries, { all, now: Date.now(), width: columns }));
  }

  /**
   * @throws {AgentCoreError} `usage` if the id matches no session or several.
   */
  async show(id: string, options: { readonly json?: boolean }): Promise<number> {
    // Their records remain in the journal.
    const entry = findSession(await this.#read(['lost', 'dismissed']), id);
    const records = await this.#sessions.readRecords(entry);
    if (options.json) return this.#say(`${JSON.stringify({ ...entry, records }, null, 2)}\n`);
    const lines = records.flatMap((record) => formatRecordLine(record) ?? []).slice(-LAST_RECORDS);
    const list = lines.map((line) => `  ${line}\n`).join('');
    return this.#say(`${formatSessionDetails(entry, Date.now())}\nLast records:\n${list}`);
  }

  /**
   * Stops sessions with the credentials that started them, and records the outcome.
   *
   * @returns 0 if all are stopped or were gone, else 1.
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
   * Removes journal files older than `olderThan` days, unless they contain a session that may run.
   */
  async prune(options: { readonly olderThan?: number; readonly json?: boolean }): Promise<number> {
    const maxAge = (options.olderThan ?? 1) * DAY;
    const { removed, bytes, problems } = await this.#sessions.prune(maxAge);
    this.#warn(problems);
    if (options.json) return this.#say(`${JSON.stringify({ removed, bytes, problems })}\n`);
    for (const path of removed) this.#say(`Removed ${basename(path)}\n`);
    const what = removed.length === 0 ? 'Nothing may go yet' : `${removed.length} removed`;
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
      return 'was gone already';
    case 'failed':
      return `could not be stopped: ${result.reason}`;
  }
}
