import { type FSWatcher, watch } from 'node:fs';
import * as vscode from 'vscode';
import { type Environment, getStateDirectory } from '../../base/environment.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { formatRecord, getRecordTime, isWanted } from '../../sessions/format.ts';
import type { AuditedRequest } from '../../state/audit/audit-log.ts';
import type { Audited, RecentAudit } from '../../state/audit/recent.ts';
import type { JournalRecord, ProgramRecord } from '../../state/journal/records.ts';

// The data of the Replay Log view: policy decisions from the audit, log entries and their filter.

/** Debounce in milliseconds, after a change of the audit directory. */
const DEBOUNCE_MS = 300;

/** Poll interval in milliseconds, if the directory is missing or has no change notifications. */
const POLL_INTERVAL_MS = 10_000;

/**
 * The policy decisions of all programs of this user, from the audit. The first call of {@link look}
 * starts the reading. A failure only sets {@link problem}.
 */
export class ActivityModel implements vscode.Disposable {
  readonly #env: () => Environment;
  readonly #lookEvery: number;
  readonly #audited = new vscode.EventEmitter<readonly Audited[]>();
  #recent: Promise<RecentAudit> | undefined;
  #looking: Promise<void> | undefined;
  #isStale = false;
  #isDisposed = false;
  #problem: string | undefined;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;

  /**
   * @param lookEvery Poll interval in milliseconds, for file systems without change notifications.
   */
  constructor(env: () => Environment, lookEvery: number = POLL_INTERVAL_MS) {
    this.#env = env;
    this.#lookEvery = lookEvery;
  }

  /** Fires with the new records. The first read fires with all existing records. */
  get onDidAudit(): vscode.Event<readonly Audited[]> {
    return this.#audited.event;
  }

  /** The first problem of the last read. The read may have failed completely or in part. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Reads the audit now. The first call also starts the watch for changes. Never rejects. */
  look(): Promise<void> {
    this.#isStale = true;
    this.#looking ??= this.#lookUntilFresh().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  dispose(): void {
    this.#isDisposed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#settling);
    this.#watcher?.close();
    this.#audited.dispose();
  }

  async #lookUntilFresh(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#isStale && !this.#isDisposed) {
      this.#isStale = false;
      await this.#lookOnce();
    }
    if (this.#isDisposed) return;
    this.#timer = setTimeout(() => void this.look(), this.#lookEvery);
  }

  async #lookOnce(): Promise<void> {
    try {
      this.#recent ??= this.#open();
      const recent = await this.#recent;
      this.#watch(recent.folder);
      const { audited, problems } = await recent.look();
      this.#problem = problems[0];
      if (audited.length > 0 && !this.#isDisposed) this.#audited.fire(audited);
    } catch (thrown) {
      this.#problem = getErrorMessage(thrown);
    }
  }

  async #open(): Promise<RecentAudit> {
    const { RecentAudit: Recent } = await import('../../state/audit/recent.ts');
    return new Recent(getStateDirectory(this.#env()));
  }

  /** Best effort: the directory can be missing, and some file systems report no changes. */
  #watch(folder: string): void {
    if (this.#watcher || this.#isDisposed) return;
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#settle());
      const forget = () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      };
      watcher.on('error', forget);
      this.#watcher = watcher;
    } catch {
      // The timer polls instead.
    }
  }

  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      void this.look();
    }, DEBOUNCE_MS);
  }
}

/** Filters log entries by kind and session. */
export interface LogFilter {
  readonly kinds: ReadonlySet<LogKind>;
  /** Session record ids. Absent for all sessions. */
  readonly sessions?: ReadonlySet<string> | undefined;
}

export const LOG_KINDS = ['replays', 'errors', 'calls', 'decisions', 'sessions'] as const;

export type LogKind = (typeof LOG_KINDS)[number];

/** The filter without restrictions: all kinds, all sessions. */
export const EVERYTHING: LogFilter = { kinds: new Set(LOG_KINDS) };

/** A journal record, or a policy decision from the audit. */
export interface LogEntry {
  readonly record: JournalRecord | AuditedRequest;
  readonly head: ProgramRecord;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The newest matching entries, newest first. */
export function filterEntries(
  entries: readonly LogEntry[],
  filter: LogFilter,
  limit: number,
): readonly LogEntry[] {
  return entries
    .filter(({ record }) => matchesFilter(record, filter))
    .sort((one, other) => other.at - one.at)
    .slice(0, limit);
}

/** Record types hidden in the Replay Log, because the Sessions view shows them better. */
const OF_SESSIONS: readonly string[] = ['session.active', 'session.identified'];

/** Returns `undefined` if the log does not show this type of record. */
export function toLogEntry(record: JournalRecord, head: ProgramRecord): LogEntry | undefined {
  if (OF_SESSIONS.includes(record.type) || formatRecord(record) === undefined) return undefined;
  return { record, head, at: Date.parse(getRecordTime(record)) };
}

export function toAuditLogEntry({ record, head }: Audited): LogEntry {
  return { record, head, at: Date.parse(record.at) };
}

function matchesFilter(record: LogEntry['record'], { kinds, sessions }: LogFilter): boolean {
  if (record.type === 'audit.request') {
    const isAsked = !sessions || (record.session !== undefined && sessions.has(record.session));
    return isAsked && kinds.has('decisions');
  }
  const options = { sessions };
  if (!isWanted(record, options)) return false;
  if (kinds.has('replays') && isWanted(record, { ...options, replays: true })) return true;
  if (kinds.has('errors') && isWanted(record, { ...options, errors: true })) return true;
  if (kinds.has('calls') && record.type === 'call') return true;
  const isOfSession = record.type.startsWith('session.') && record.type !== 'session.replayed';
  return kinds.has('sessions') && (isOfSession || record.type === 'program');
}
