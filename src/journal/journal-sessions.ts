import { type JournalSource, type OnRecord, type ScanOptions, scanJournal } from './reader.ts';
import type { SessionFacts, SessionRecord } from './records.ts';
import { isOrigin, isSessionRecord, reduceCall, reduceSession } from './session-facts.ts';

interface JournalSessions {
  /** By `session`, the local session ID. */
  readonly facts: ReadonlyMap<string, SessionFacts>;
  /** The newest file that started or carried over each session. Its program owns the session. */
  readonly owners: ReadonlyMap<string, JournalSource>;
  readonly sources: readonly JournalSource[];
  readonly problems: readonly string[];
}

interface FoldOptions extends ScanOptions {
  /** Called with every record. */
  readonly onRecord?: OnRecord;
}

/** Reduces all files to the current state of all sessions. Throws like `readJournal`. */
export async function readSessionFacts(
  folder: string,
  options: FoldOptions = {},
): Promise<JournalSessions> {
  const facts = new Map<string, SessionFacts>();
  const origins = new Map<string, { readonly at: string; readonly path: string }>();
  const early: SessionRecord[] = [];

  const fold = (record: SessionRecord): boolean => {
    const next = reduceSession(facts.get(record.session), record);
    if (next) facts.set(record.session, next);
    return next !== undefined;
  };
  const { sources, problems } = await scanJournal(folder, options, (record, file) => {
    options.onRecord?.(record, file);
    if (record.type === 'call') {
      const known = record.session === undefined ? undefined : facts.get(record.session);
      if (known) facts.set(known.session, reduceCall(known, record));
    } else if (isSessionRecord(record)) {
      // If another program stopped the session, its files may be read before the session's own.
      if (!fold(record)) early.push(record);
      const origin = origins.get(record.session);
      if (isOrigin(record) && (!origin || record.at >= origin.at)) {
        origins.set(record.session, { at: record.at, path: file.path });
      }
    }
  });
  for (const record of early.sort(compareByTime)) fold(record);

  const byPath = new Map(sources.map((source) => [source.path, source]));
  const owners = new Map<string, JournalSource>();
  for (const [session, { path }] of origins) {
    const owner = byPath.get(path);
    if (owner) owners.set(session, owner);
  }
  return { facts, owners, sources, problems };
}

function compareByTime(one: SessionRecord, other: SessionRecord): number {
  return one.at < other.at ? -1 : one.at > other.at ? 1 : 0;
}
