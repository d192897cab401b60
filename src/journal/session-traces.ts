import type { JournalPath } from './journal-files.ts';
import type { JournalRecord, SessionFacts } from './records.ts';
import { isEnd, isOfSession, isOrigin, isOver } from './session-facts.ts';

/** What one file has of one session. */
interface Trace {
  readonly file: JournalPath;
  tellsOrigin: boolean;
  tellsEnd: boolean;
}

/** Which files tell of which sessions. */
export class SessionTraces {
  readonly #bySession = new Map<string, Map<string, Trace>>();
  readonly #byPath = new Map<string, Set<string>>();

  add(record: JournalRecord, file: JournalPath): void {
    if (!isOfSession(record)) return;
    const traces = this.#bySession.get(record.session) ?? new Map<string, Trace>();
    this.#bySession.set(record.session, traces);
    const trace = traces.get(file.path) ?? { file, tellsOrigin: false, tellsEnd: false };
    traces.set(file.path, trace);
    trace.tellsOrigin ||= isOrigin(record);
    trace.tellsEnd ||= isEnd(record);
    const sessions = this.#byPath.get(file.path) ?? new Set<string>();
    this.#byPath.set(file.path, sessions);
    sessions.add(record.session);
  }

  sessionsOf(path: string): Iterable<string> {
    return this.#byPath.get(path) ?? [];
  }

  /** True where the other files say of the session what matters, or do not know it at all. */
  isRetoldElsewhere(path: string, facts: SessionFacts): boolean {
    const traces = this.#bySession.get(facts.session);
    const own = traces?.get(path);
    if (!traces || !own) return true;
    const others = [...traces.values()].filter((trace) => trace !== own);
    if (isOver(facts)) {
      // Without the end, whoever reads of the beginning would take the session for a running one.
      return (
        others.some(({ tellsEnd }) => tellsEnd) || !others.some(({ tellsOrigin }) => tellsOrigin)
      );
    }
    const { run, part } = own.file;
    return others.some(
      ({ tellsOrigin, file }) => tellsOrigin && file.run === run && file.part > part,
    );
  }

  /** The file is gone. */
  forget(path: string): void {
    for (const session of this.sessionsOf(path)) this.#bySession.get(session)?.delete(path);
    this.#byPath.delete(path);
  }
}
