import type { JournalPath } from './journal-files.ts';
import type { JournalRecord, SessionFacts } from './records.ts';
import { hasEnded, isEnd, isOrigin, isSessionRecord } from './session-facts.ts';

/** The records of one session in one file. */
interface Trace {
  readonly file: JournalPath;
  tellsOrigin: boolean;
  tellsEnd: boolean;
}

/** Maps sessions to the files with their records. */
export class SegmentIndex {
  readonly #bySession = new Map<string, Map<string, Trace>>();
  readonly #byPath = new Map<string, Set<string>>();

  add(record: JournalRecord, file: JournalPath): void {
    if (!isSessionRecord(record)) return;
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

  getSessions(path: string): Iterable<string> {
    return this.#byPath.get(path) ?? [];
  }

  /** True if other files contain the essential records of the session, or none at all. */
  isRetoldElsewhere(path: string, facts: SessionFacts): boolean {
    const traces = this.#bySession.get(facts.session);
    const own = traces?.get(path);
    if (!traces || !own) return true;
    const others = [...traces.values()].filter((trace) => trace !== own);
    if (hasEnded(facts)) {
      // Without the end record, a remaining start record would make the session appear to run.
      return (
        others.some(({ tellsEnd }) => tellsEnd) || !others.some(({ tellsOrigin }) => tellsOrigin)
      );
    }
    const { run, part } = own.file;
    return others.some(
      ({ tellsOrigin, file }) => tellsOrigin && file.run === run && file.part > part,
    );
  }

  /** Removes a deleted file. */
  forget(path: string): void {
    for (const session of this.getSessions(path)) this.#bySession.get(session)?.delete(path);
    this.#byPath.delete(path);
  }
}
