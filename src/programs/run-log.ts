import type { Environment } from '../environment.ts';
import { followJournal } from '../journal/follow.ts';
import { readJournal } from '../journal/reader.ts';
import type { JournalRecord, ProgramRecord } from '../journal/records.ts';
import { getJournalDirectory, getStateDirectory } from '../journal/state-folder.ts';
import { escapeControls } from '../log.ts';
import { DEFAULT_LIFECYCLE } from '../sessions/lifecycle.ts';
import { readSessions } from '../sessions/read-sessions.ts';
import {
  formatRecordLine,
  getRecordTime,
  isWanted,
  type RecordFilter,
} from '../sessions/record-words.ts';
import { findSession, getRecordIds } from '../sessions/session-lookup.ts';

export interface LogOptions extends Omit<RecordFilter, 'sessions'> {
  /** Continue with new records. */
  readonly follow?: boolean | undefined;
  readonly json?: boolean | undefined;
  /** Any id of a session. */
  readonly session?: string | undefined;
  /** Maximum number of existing records to print. */
  readonly limit?: number | undefined;
}

interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

const LIMIT = 100;

/**
 * Prints the journal records of all programs by time. With `follow`, continues with new records.
 *
 * @param signal Ends `follow`.
 * @throws {AgentCoreError} `usage` if the session is not in the journal.
 */
export async function runLog(
  options: LogOptions,
  env: Environment,
  streams: Streams,
  signal: AbortSignal,
): Promise<number> {
  const folder = getJournalDirectory(getStateDirectory(env));
  const filter = { ...options, sessions: await findSessionIds(options, folder) };
  const { files, problems } = await readJournal(folder);
  for (const problem of problems) streams.stderr.write(`${escapeControls(problem)}\n`);

  const lines = files
    .flatMap(({ head, records }) => records.map((record) => ({ head, record })))
    .filter(({ record }) => isWanted(record, filter))
    .map(({ head, record }) => ({
      at: Date.parse(getRecordTime(record)),
      line: formatLogLine(record, head, options),
    }))
    .filter(({ line }) => line !== undefined)
    .sort((one, other) => one.at - other.at)
    .slice(-(options.limit ?? LIMIT));
  if (lines.length === 0 && !options.json && !options.follow) {
    streams.stdout.write(`Nothing of that is on record in ${folder}\n`);
  }
  streams.stdout.write(lines.map(({ line }) => `${line}\n`).join(''));
  if (!options.follow) return 0;

  // Skip records that were read above. Files only grow, so a count per file is enough.
  const seen = new Map(files.map(({ path, records }) => [path, records.length]));
  for await (const { path, record, head } of followJournal(folder, signal, { from: 'start' })) {
    const left = seen.get(path) ?? 0;
    if (left > 0) {
      seen.set(path, left - 1);
      continue;
    }
    const line = isWanted(record, filter) ? formatLogLine(record, head, options) : undefined;
    if (line !== undefined) await write(streams.stdout, `${line}\n`);
  }
  return 0;
}

async function findSessionIds(
  { session }: LogOptions,
  folder: string,
): Promise<ReadonlySet<string> | undefined> {
  if (session === undefined) return undefined;
  const { entries } = await readSessions({
    folder,
    // The log does not need the sessions' end times.
    lifecycles: { of: async () => () => DEFAULT_LIFECYCLE },
    now: Date.now,
    // Their records remain in the journal.
    unlisted: ['lost', 'dismissed'],
  });
  return new Set(getRecordIds(findSession(entries, session)));
}

function formatLogLine(
  record: JournalRecord,
  head: ProgramRecord,
  { json }: LogOptions,
): string | undefined {
  if (!json) return formatRecordLine(record, head);
  const { program, pid, host } = head;
  return JSON.stringify({ ...record, program, pid, host });
}

/** Waits if the reader is slower than the programs. */
async function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  if (stream.write(text)) return;
  await new Promise<void>((resolve) => {
    stream.once('drain', resolve);
    stream.once('close', resolve);
  });
}
