import { stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { getErrorMessage } from '../../base/errors.ts';
import { hasEnded, isEnd, isOrigin } from './fold.ts';
import { type JournalSource, readSessionFacts, type ScanOptions } from './reader.ts';
import { isSessionRecord, type JournalRecord, MAX_LIFETIME, type SessionFacts } from './records.ts';
import { isPart, isUnfinished, type JournalPath, listFileNames } from './segment.ts';

const DAY = 24 * 60 * 60 * 1000;

/** Default of `maxAge`. */
const MAX_AGE = 30 * DAY;

/** Default of `maxBytes`. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Milliseconds without a heartbeat before the latest file of a program on another host may be
 * removed. Allows for clock differences.
 */
const REMOTE_HEARTBEAT_TIMEOUT_MS = 60 * 60 * 1000;

export interface PruneOptions extends ScanOptions {
  /** Maximum bytes of all files together. */
  readonly maxBytes?: number;
  /** Maximum milliseconds since the last write to a file. */
  readonly maxAge?: number;
  /** Returns the maximum lifetime of a session in milliseconds. */
  readonly getLifetime?: (facts: SessionFacts) => number;
}

/** The result of {@link prune}. */
export interface PruneReport {
  /** Paths of the removed files. */
  readonly removed: readonly string[];
  /** Total bytes of the remaining files. */
  readonly bytes: number;
  /** One sentence for each failure to read or remove a file. */
  readonly problems: readonly string[];
}

/**
 * Removes files beyond the age limit, and the oldest ones beyond the size limit. A file always
 * stays if its program may still write to it. It also stays if it is needed to describe a session
 * that may still run. Processes may prune concurrently. Throws if the folder cannot be listed.
 */
export async function prune(folder: string, options: PruneOptions = {}): Promise<PruneReport> {
  const { now = new Date(), maxBytes = MAX_BYTES, maxAge = MAX_AGE } = options;
  const listed = await listFiles(folder);
  const age = (file: Listed) => now.getTime() - file.touchedAt.getTime();
  let bytes = listed.reduce((sum, file) => sum + file.bytes, 0);
  const removed: string[] = [];
  const problems: string[] = [];

  const remove = async (file: Listed) => {
    try {
      await unlink(file.path);
      removed.push(file.path);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') {
        problems.push(`Could not remove ${file.path}: ${getErrorMessage(thrown)}`);
        return false;
      }
      // Another program has already removed it.
    }
    bytes -= file.bytes;
    return true;
  };

  for (const file of listed.filter(({ isPart }) => !isPart)) {
    if (age(file) > DAY) await remove(file);
  }
  const parts = listed.filter(({ isPart }) => isPart).sort((a, b) => age(b) - age(a));
  // Read all files only if one of them may have to be removed.
  if (bytes > maxBytes || parts.some((part) => age(part) > maxAge)) {
    const survey = await inspectJournal(folder, { ...options, now });
    problems.push(...survey.problems);
    for (const part of parts) {
      const isOld = age(part) > maxAge;
      if (!isOld && bytes <= maxBytes) continue;
      // An unreadable file contains no known sessions, but it may belong to a later version.
      if (survey.isKnown(part.path) ? survey.isNeeded(part.path) : !isOld) continue;
      if (await remove(part)) survey.traces.forget(part.path);
    }
  }
  return { removed, bytes, problems };
}

interface Listed {
  readonly path: string;
  /** False for an unfinished file left by a crash. */
  readonly isPart: boolean;
  readonly bytes: number;
  readonly touchedAt: Date;
}

async function listFiles(folder: string): Promise<Listed[]> {
  const files: Listed[] = [];
  for (const name of await listFileNames(folder)) {
    if (!isPart(name) && !isUnfinished(name)) continue;
    const path = join(folder, name);
    const status = await stat(path).catch(() => undefined);
    if (!status?.isFile()) continue;
    files.push({ path, isPart: isPart(name), bytes: status.size, touchedAt: status.mtime });
  }
  return files;
}

async function inspectJournal(folder: string, options: PruneOptions & { readonly now: Date }) {
  const { now, getLifetime = () => MAX_LIFETIME } = options;
  const traces = new SegmentIndex();
  const onRecord = traces.add.bind(traces);
  const { facts, sources, problems } = await readSessionFacts(folder, { ...options, onRecord });
  const known = new Map(sources.map((source) => [source.path, source]));
  // Sources are sorted by part, so the last one of a run is its current file.
  const latest = new Map(sources.map((source) => [source.run, source]));

  const mayBeWritten = (source: JournalSource) => {
    if (latest.get(source.run) !== source) return false;
    if (source.liveness !== 'elsewhere') return source.liveness === 'alive';
    return now.getTime() - source.heartbeatAt.getTime() < REMOTE_HEARTBEAT_TIMEOUT_MS;
  };
  const mayStillRun = (session: SessionFacts) =>
    // Counts from the last activity, not from the start: a reused ID gets a new microVM.
    Date.parse(session.lastActiveAt) + getLifetime(session) >= now.getTime();

  return {
    traces,
    problems,
    isKnown: (path: string) => known.has(path),
    isNeeded(path: string): boolean {
      const source = known.get(path);
      if (source && mayBeWritten(source)) return true;
      return [...traces.getSessions(path)].some((id) => {
        const session = facts.get(id);
        return session && mayStillRun(session) && !traces.isRetoldElsewhere(path, session);
      });
    },
  };
}

/** The records of one session in one file. */
interface Trace {
  readonly file: JournalPath;
  tellsOrigin: boolean;
  tellsEnd: boolean;
}

/** Maps sessions to the files with their records. */
class SegmentIndex {
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
