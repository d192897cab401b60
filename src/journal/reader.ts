import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { getErrorMessage } from '../error.ts';
import { type JournalPath, listJournalPaths } from './journal-files.ts';
import { LineSplitter } from './line-splitter.ts';
import { getHostView, getLiveness, type Liveness, type Viewpoint } from './liveness.ts';
import { parseRecord } from './record-line.ts';
import type { JournalRecord, ProgramRecord } from './records.ts';

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

export interface ScanOptions {
  readonly now?: Date;
  readonly here?: Viewpoint;
}

interface ReadOptions extends ScanOptions {
  /** If set, returns only records of these types. */
  readonly types?: readonly JournalRecord['type'][];
}

interface ReadJournal {
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
export async function scanJournal(
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

export function readSegmentHeader(record: ReturnType<typeof parseRecord>): ProgramRecord {
  if (typeof record !== 'object' || record.type !== 'program') {
    throw new Error('It does not begin as a journal does.');
  }
  if (record.format !== 1) {
    throw new Error(`It is of format ${record.format}, which a newer version may understand.`);
  }
  return record;
}
