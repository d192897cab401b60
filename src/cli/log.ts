import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { type Environment, getJournalDirectory, getStateDirectory } from '../base/environment.ts';
import { AgentCoreError, describeFileError } from '../base/errors.ts';
import { pluralize, sanitizeForTerminal } from '../base/format.ts';
import { escapeControls } from '../base/logger.ts';
import {
  formatRecordLine,
  getRecordTime,
  isWanted,
  type RecordFilter,
} from '../sessions/format.ts';
import { DEFAULT_LIFECYCLE } from '../sessions/lifecycle.ts';
import { findSession, getRecordIds } from '../sessions/session-info.ts';
import { readSessions } from '../sessions/session-store.ts';
import { getAuditDirectory } from '../state/audit/audit-log.ts';
import { type AuditEnd, findTokenUses, type TokenUse, verifyAudit } from '../state/audit/reader.ts';
import { openFileStore } from '../state/files/file-store.ts';
import type { JournalRecord, ProgramRecord } from '../state/journal/records.ts';
import type { Journal } from '../state/store.ts';

// The verbs `log`, `audit verify` and `audit find`.

export interface LogOptions extends Omit<RecordFilter, 'sessions'> {
  /** Continue with new records. */
  readonly follow?: boolean | undefined;
  readonly json?: boolean | undefined;
  /** Any id of a session. */
  readonly session?: string | undefined;
  /** Maximum number of existing records to print. Default: 100. */
  readonly limit?: number | undefined;
}

interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

const LIMIT = 100;

/**
 * Runs the verb `log`: prints the journal records of all programs by time. With `follow`, also
 * prints new records.
 *
 * @param signal Stops following.
 * @returns 0.
 * @throws {AgentCoreError} `usage` if the session is not in the journal.
 */
export async function runLog(
  options: LogOptions,
  env: Environment,
  streams: Streams,
  signal: AbortSignal,
): Promise<number> {
  const state = getStateDirectory(env);
  const { journal } = openFileStore(state, {
    program: 'cli',
    version: packageJson.version,
    onFailure: () => undefined,
  });
  const filter = { ...options, sessions: await findSessionIds(options, journal) };
  const { files, problems } = await journal.read();
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
    streams.stdout.write(`There are no such records in ${getJournalDirectory(state)}\n`);
  }
  streams.stdout.write(lines.map(({ line }) => `${line}\n`).join(''));
  if (!options.follow) return 0;

  // Skip the records printed above. Files only grow, so a count for each file is enough.
  const seen = new Map(files.map(({ path, records }) => [path, records.length]));
  for await (const { path, record, head } of journal.follow(signal, { from: 'start' })) {
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
  journal: Journal,
): Promise<ReadonlySet<string> | undefined> {
  if (session === undefined) return undefined;
  const { entries } = await readSessions({
    journal,
    // Only the ids are used, so any timeouts are sufficient.
    lifecycles: { resolve: async () => () => DEFAULT_LIFECYCLE },
    now: Date.now,
    // These sessions are not listed, but their records remain in the journal.
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

/** Waits until the reader can take more. */
async function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  if (stream.write(text)) return;
  await new Promise<void>((resolve) => {
    stream.once('drain', resolve);
    stream.once('close', resolve);
  });
}

export interface AuditVerifyOptions {
  readonly json?: boolean | undefined;
  /**
   * File with the output of an earlier `--json`. Programs with access to the audit log must not be
   * able to change it.
   */
  readonly noted?: string | undefined;
}

interface AuditStreams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/**
 * Runs the verb `audit verify`: checks the hash chains of the audit log.
 *
 * @returns 0 if the log is unchanged, 1 if a record was changed, removed or added.
 * @throws {AgentCoreError} `config` if the `noted` file is invalid.
 */
export async function runAuditVerify(
  { json, noted }: AuditVerifyOptions,
  env: Environment,
  { stdout, stderr }: AuditStreams,
): Promise<number> {
  const state = getStateDirectory(env);
  const report = await verifyAudit(state, noted === undefined ? [] : await readNoted(noted));
  const { files, records, problems, ends } = report;
  if (json) {
    stdout.write(`${JSON.stringify(report)}\n`);
  } else if (files === 0 && problems.length === 0) {
    stdout.write(`There are no records in ${getAuditDirectory(state)}\n`);
  } else {
    for (const problem of problems) stderr.write(`${escapeControls(problem)}\n`);
    const verdict = problems.length === 0 ? 'unchanged' : 'changed';
    stdout.write(`${records} records in ${pluralize(files, 'file')} are ${verdict}\n`);
    for (const { file, hash } of ends) stdout.write(`${file} ends with ${hash}\n`);
  }
  return problems.length === 0 ? 0 : 1;
}

export interface AuditFindOptions {
  readonly json?: boolean | undefined;
}

/** A token, such as `<email:1f3a5b7c9d0e2f46>`, or its id alone. */
const TOKEN = /^(?:<?[a-z][a-z\d-]{0,31}:)?([\da-f]{16})>?$/i;

/**
 * Runs the verb `audit find`: lists the calls in which a redaction token was issued or restored.
 *
 * @returns 0 if there are any, 1 if there are none or a file could not be read.
 * @throws {AgentCoreError} `usage` if the token is invalid.
 */
export async function runAuditFind(
  token: string,
  { json }: AuditFindOptions,
  env: Environment,
  { stdout, stderr }: AuditStreams,
): Promise<number> {
  const id = TOKEN.exec(token)?.[1]?.toLowerCase();
  if (id === undefined) {
    throw new AgentCoreError(
      'usage',
      'Could not search for the token: it is not of the form <email:1f3a5b7c9d0e2f46>. Pass a whole token in quotes, or the 16 digits of its id.',
    );
  }
  const state = getStateDirectory(env);
  const { uses, problems } = await findTokenUses(state, id);
  for (const problem of problems) stderr.write(`${problem}\n`);
  if (json) {
    stdout.write(`${JSON.stringify({ id, uses, problems })}\n`);
  } else if (uses.length === 0) {
    stdout.write(`No call in ${getAuditDirectory(state)} has the token ${id}\n`);
  } else {
    for (const use of uses) stdout.write(`${formatAuditLine(use)}\n`);
  }
  return uses.length > 0 && problems.length === 0 ? 0 : 1;
}

function formatAuditLine({ record, issued, restored }: TokenUse): string {
  const { at, id, method, name, caller, session, from } = record;
  const call = name === undefined ? method : `${method} ${name}`;
  const words = [
    at,
    sanitizeForTerminal(from === 'server' ? `the server's ${call}` : call),
    [issued && 'created', restored && 'restored'].filter(Boolean).join(' and '),
    `record ${id}`,
    session && `session ${session}`,
    caller && `caller ${caller}`,
  ];
  return words.filter(Boolean).join('  ');
}

async function readNoted(path: string): Promise<readonly AuditEnd[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const message = `${path} cannot be read: ${describeFileError(cause)}`;
    throw new AgentCoreError('config', message, { cause });
  }
  try {
    return notedSchema.parse(JSON.parse(text)).ends;
  } catch (cause) {
    const message = `${path} is not the output of \`agentcore-mcp audit verify --json\``;
    throw new AgentCoreError('config', message, { cause });
  }
}

const notedSchema = z.object({ ends: z.array(z.object({ file: z.string(), hash: z.string() })) });
