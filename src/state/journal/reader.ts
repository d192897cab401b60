import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { getErrorMessage } from '../../base/errors.ts';
import { isOrigin, reduceCall, reduceSession } from './fold.ts';
import { getHostView, getLiveness, type Liveness, type Viewpoint } from './processes.ts';
import {
  isSessionRecord,
  type JournalRecord,
  type ProgramRecord,
  parseRecord,
  type SessionFacts,
  type SessionRecord,
} from './records.ts';
import { type JournalPath, LineSplitter, listJournalPaths } from './segment.ts';

/** A journal file with its head and file status. */
export interface JournalSource extends JournalPath {
  readonly head: ProgramRecord;
  readonly liveness: Liveness;
  /** When the program last touched any of its parts. */
  readonly heartbeatAt: Date;
  readonly bytes: number;
  /** Number of invalid lines, all skipped. */
  readonly damaged: number;
}

interface JournalFile extends JournalSource {
  readonly records: readonly JournalRecord[];
}

/** The current time and machine, to check if the programs of the files are running. */
export interface ScanOptions {
  readonly now?: Date;
  readonly here?: Viewpoint;
}

export interface ReadOptions extends ScanOptions {
  /** If set, returns only records of these types. */
  readonly types?: readonly JournalRecord['type'][];
}

export interface ReadJournal {
  /** By start of the program, then by part. */
  readonly files: readonly JournalFile[];
  /** One sentence for each unreadable file. */
  readonly problems: readonly string[];
}

/**
 * Reads the whole journal. A missing folder counts as an empty journal. Skips invalid lines,
 * incomplete last lines, and files removed during the read. Throws if the folder cannot be listed.
 */
export async function readJournal(folder: string, options: ReadOptions = {}): Promise<ReadJournal> {
  const types = options.types && new Set(options.types);
  const kept = new Map<string, JournalRecord[]>();
  const { sources, problems } = await scanJournal(folder, options, (record, { path }) => {
    if (types && !types.has(record.type)) return;
    const records = kept.get(path);
    if (records) records.push(record);
    else kept.set(path, [record]);
  });
  const files = sources.map((source) => ({ ...source, records: kept.get(source.path) ?? [] }));
  return { files, problems };
}

/** Called with a record and its file. Records of one run come in the order of writing. */
export type OnRecord = (record: JournalRecord, file: JournalPath) => void;

/** Like {@link readJournal}, but passes the records to `onRecord` and stores none. */
async function scanJournal(
  folder: string,
  options: ScanOptions,
  onRecord: OnRecord,
): Promise<{ readonly sources: readonly JournalSource[]; readonly problems: readonly string[] }> {
  const { now = new Date(), here = getHostView() } = options;
  const scans: Scan[] = [];
  const problems: string[] = [];
  for (const file of await listJournalPaths(folder)) {
    try {
      const scan = await scanFile(file, onRecord);
      if (scan) scans.push(scan);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') continue;
      problems.push(`Could not read ${file.path}: ${getErrorMessage(thrown)}`);
    }
  }
  const heartbeats = new Map<string, Date>();
  for (const { run, touchedAt } of scans) {
    const known = heartbeats.get(run);
    if (!known || touchedAt > known) heartbeats.set(run, touchedAt);
  }
  const sources = scans.map(({ touchedAt, ...scan }) => {
    const heartbeatAt = heartbeats.get(scan.run) ?? touchedAt;
    return { ...scan, heartbeatAt, liveness: getLiveness(scan.head, heartbeatAt, now, here) };
  });
  return { sources, problems };
}

interface Scan extends JournalPath {
  readonly head: ProgramRecord;
  readonly touchedAt: Date;
  readonly bytes: number;
  readonly damaged: number;
}

/**
 * `undefined` for an empty file. Throws if the file is unreadable or does not start with a head.
 */
async function scanFile(file: JournalPath, onRecord: OnRecord): Promise<Scan | undefined> {
  const status = await stat(file.path);
  // Opening a named pipe would block until a writer appears.
  if (!status.isFile()) throw new Error('It is not a regular file.');
  const splitter = new LineSplitter();
  let head: ProgramRecord | undefined;
  let damaged = 0;
  const take = (line: string) => {
    const record = parseRecord(line);
    if (!head) {
      head = readSegmentHeader(record);
    } else if (record === 'damaged') {
      damaged += 1;
      return;
    }
    if (typeof record === 'object') onRecord(record, file);
  };
  for await (const chunk of createReadStream(file.path) as AsyncIterable<Buffer>) {
    for (const line of splitter.push(chunk)) take(line);
  }
  // After a crash or during a write, the last line may be incomplete. It counts only if it is
  // valid.
  const rest = splitter.end();
  if (rest) take(rest);
  if (!head) return undefined;
  const { mtime, size } = status;
  return { ...file, head, touchedAt: mtime, bytes: size, damaged: damaged + splitter.tooLong };
}

/** Returns the first record of a file. Throws if it is no head, or of another format. */
export function readSegmentHeader(record: ReturnType<typeof parseRecord>): ProgramRecord {
  if (typeof record !== 'object' || record.type !== 'program') {
    throw new Error('It does not begin as a journal does.');
  }
  if (record.format !== 1) {
    throw new Error(`It is of format ${record.format}, which a newer version may understand.`);
  }
  return record;
}

export interface JournalSessions {
  /** By `session`, the local session ID. */
  readonly facts: ReadonlyMap<string, SessionFacts>;
  /** The newest file that started or carried over each session. Its program owns the session. */
  readonly owners: ReadonlyMap<string, JournalSource>;
  readonly sources: readonly JournalSource[];
  readonly problems: readonly string[];
}

export interface FoldOptions extends ScanOptions {
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

/** In bytes; a head is far shorter. */
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * Lists the running programs. Reads only the heads of their files, so frequent calls are cheap.
 * Ignores unreadable files and other formats.
 */
export class RunningPrograms {
  readonly #folder: string;
  readonly #here: Viewpoint;
  /** By path. A head never changes. */
  #heads = new Map<string, ProgramRecord>();

  /** @param folder The journal folder. */
  constructor(folder: string, here: Viewpoint = getHostView()) {
    this.#folder = folder;
    this.#here = here;
  }

  /** One record per program on this machine. Throws if the folder cannot be listed. */
  async list(now = new Date()): Promise<readonly ProgramRecord[]> {
    const heads = new Map<string, ProgramRecord>();
    const runs = new Map<string, { readonly head: ProgramRecord; readonly touchedAt: Date }>();
    for (const { path, run } of await listJournalPaths(this.#folder)) {
      try {
        const status = await stat(path);
        // Opening a named pipe would block until a writer appears.
        if (!status.isFile()) continue;
        const touchedAt = status.mtime;
        const head = this.#heads.get(path) ?? (await readHead(path));
        if (!head) continue;
        heads.set(path, head);
        const known = runs.get(run);
        if (!known || touchedAt > known.touchedAt) runs.set(run, { head, touchedAt });
      } catch {
        // Pruned in the meantime, or not readable for this user.
      }
    }
    this.#heads = heads;
    return [...runs.values()].flatMap(({ head, touchedAt }) =>
      getLiveness(head, touchedAt, now, this.#here) === 'alive' ? [head] : [],
    );
  }
}

/** `undefined` until the first line is complete. */
async function readHead(path: JournalPath['path']): Promise<ProgramRecord | undefined> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(MAX_HEADER_BYTES),
      0,
      MAX_HEADER_BYTES,
      0,
    );
    const end = buffer.subarray(0, bytesRead).indexOf('\n');
    return end < 0 ? undefined : readSegmentHeader(parseRecord(buffer.toString('utf8', 0, end)));
  } finally {
    await file.close();
  }
}
