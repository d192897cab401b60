import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { getErrorMessage } from '../../base/errors.ts';
import { type JournalPath, LineSplitter, listJournalPaths } from '../journal/segment.ts';
import type { AuditedRequest, AuditOpened, AuditRecord } from './audit-log.ts';
import { getAuditDirectory } from './audit-log.ts';
import { NO_HASH, verifyRecord, withHead } from './hash-chain.ts';

/** The result of {@link verifyAudit}. The audit is intact if there are no `problems`. */
export interface AuditReport {
  readonly files: number;
  readonly records: number;
  /** One sentence for each change, removal or addition found. */
  readonly problems: readonly string[];
  /**
   * The last hash of each file. The chain alone does not show removed records at the end. If a user
   * keeps these hashes elsewhere, a later check can detect the removal.
   */
  readonly ends: readonly AuditEnd[];
}

/** The last hash of a file at an earlier time. */
export interface AuditEnd {
  readonly file: string;
  readonly hash: string;
}

interface ReadFile {
  readonly file: string;
  readonly run: string;
  readonly part: number;
  readonly opened: AuditOpened | undefined;
  /** Hashes of all records in order. Keeping the records would need as much memory as disk. */
  readonly hashes: readonly string[];
  /** Files removed according to its records. */
  readonly pruned: readonly string[];
}

/**
 * Verifies that the audit is unchanged: every record follows the previous one, and every file its
 * predecessor. A file may be missing only if its removal is recorded. A person with write access to
 * the files can create a new chain. Only hashes in another place can detect this.
 *
 * @param noted Ends of an earlier report. They must still exist.
 */
export async function verifyAudit(
  stateFolder: string,
  noted: readonly AuditEnd[] = [],
): Promise<AuditReport> {
  const problems: string[] = [];
  const files: ReadFile[] = [];
  for (const path of await listJournalPaths(getAuditDirectory(stateFolder))) {
    try {
      files.push(await readChain(path, problems));
    } catch (thrown) {
      problems.push(`${basename(path.path)}: could not be read: ${getErrorMessage(thrown)}`);
    }
  }
  const byName = new Map(files.map((file) => [file.file, file]));
  const pruned = new Set(files.flatMap((file) => file.pruned));
  for (const { file, run, part, opened } of files) {
    if (!opened) continue;
    const { follows } = opened;
    if (!follows) {
      if (part > 0) problems.push(`${file}: does not say which file it follows`);
      continue;
    }
    const before = byName.get(follows.file);
    if (!before) {
      if (!pruned.has(follows.file)) {
        problems.push(`${file}: follows ${follows.file}, which is missing`);
      }
      continue;
    }
    const at = before.hashes.indexOf(follows.hash);
    if (at === -1) {
      problems.push(`${file}: follows a record of ${follows.file} that is not in it (any more)`);
    } else if (before.run === run && at < before.hashes.length - 1) {
      problems.push(`${follows.file}: goes on after its program had begun ${file}`);
    }
  }
  for (const { file, hash } of noted) {
    const now = byName.get(file);
    if (!now) {
      if (!pruned.has(file))
        problems.push(`${file}: was there when its end was noted, and is missing`);
    } else if (hash !== NO_HASH && !now.hashes.includes(hash)) {
      problems.push(`${file}: no longer has the record that was its last when that was noted`);
    }
  }
  return {
    files: files.length,
    records: files.reduce((sum, { hashes }) => sum + hashes.length, 0),
    problems,
    ends: files.map(({ file, hashes }) => ({ file, hash: hashes.at(-1) ?? NO_HASH })),
  };
}

async function readChain({ path, run, part }: JournalPath, problems: string[]): Promise<ReadFile> {
  const file = basename(path);
  const lines = (await readFile(path, 'utf8')).split('\n');
  // Ignore an incomplete last line: its program or disk failed during the write.
  lines.pop();
  const [head = '', first = '', ...rest] = lines;
  const opened = parseAuditRecord(first);
  if (opened?.type !== 'audit.opened') {
    problems.push(`${file}: does not begin as an audit does`);
    return { file, run, part, opened: undefined, hashes: [], pruned: [] };
  }
  const start = verifyRecord(first, withHead(opened.follows?.hash ?? NO_HASH, head));
  if (start === undefined) problems.push(`${file}: its first two lines were changed`);
  let hash = start ?? opened.hash;
  const hashes = [opened.hash];
  const pruned: string[] = [];
  for (const [index, line] of rest.entries()) {
    const record = parseAuditRecord(line);
    const next: string | undefined = record && verifyRecord(line, hash);
    if (next === undefined) {
      problems.push(
        `${file}: line ${index + 3} does not follow on the one before: it was changed, or another was removed or added`,
      );
    }
    if (!record) continue;
    hashes.push(record.hash);
    if (record.type === 'audit.pruned') pruned.push(record.file);
    hash = next ?? record.hash;
  }
  return { file, run, part, opened, hashes, pruned };
}

function parseAuditRecord(line: string): AuditRecord | undefined {
  try {
    const value = JSON.parse(line) as AuditRecord;
    return typeof value?.hash === 'string' && typeof value.type === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A call that issued or restored a redaction token. */
export interface TokenUse {
  readonly record: AuditedRequest;
  readonly issued: boolean;
  readonly restored: boolean;
}

interface TokenUses {
  /** By start time of the call. */
  readonly uses: readonly TokenUse[];
  /** One sentence for each unreadable file. */
  readonly problems: readonly string[];
}

/** Finds all uses of a redaction token in the audit. */
export async function findTokenUses(stateFolder: string, id: string): Promise<TokenUses> {
  const uses: TokenUse[] = [];
  const problems: string[] = [];
  for (const { path } of await listJournalPaths(getAuditDirectory(stateFolder))) {
    try {
      // Opening a named pipe would block until a writer appears.
      if (!(await stat(path)).isFile()) continue;
      const splitter = new LineSplitter();
      for await (const bytes of createReadStream(path)) {
        for (const line of splitter.push(bytes as Buffer)) {
          const use = line.includes(id) ? parseTokenUse(line, id) : undefined;
          if (use) uses.push(use);
        }
      }
    } catch (thrown) {
      problems.push(`Could not read ${path}: ${getErrorMessage(thrown)}`);
    }
  }
  uses.sort((one, other) => one.record.at.localeCompare(other.record.at));
  return { uses, problems };
}

function parseTokenUse(line: string, id: string): TokenUse | undefined {
  let record: Partial<AuditedRequest> | null;
  try {
    record = JSON.parse(line) as Partial<AuditedRequest> | null;
  } catch {
    return undefined;
  }
  if (record?.type !== 'audit.request' || typeof record.at !== 'string') return undefined;
  const { tokens } = record;
  const has = (ids: unknown) => Array.isArray(ids) && ids.includes(id);
  const use = { issued: has(tokens?.issued), restored: has(tokens?.restored) };
  return use.issued || use.restored ? { record: record as AuditedRequest, ...use } : undefined;
}
