import { createReadStream } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { getErrorMessage } from '../../base/errors.ts';
import { readSegmentHeader } from '../journal/reader.ts';
import { type ProgramRecord, parseRecord } from '../journal/records.ts';
import { type JournalPath, LineSplitter, listJournalPaths } from '../journal/segment.ts';
import { getAuditDirectory } from './audit-log.ts';
import { NO_HASH, verifyRecord, withHead } from './hash-chain.ts';
import type { AuditedRequest, AuditOpened, AuditRecord } from './records.ts';

/** Reads the audit: verifies its chains, finds redaction tokens, and returns new records. */

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
  const record = parseRequest(line);
  if (!record) return undefined;
  const { tokens } = record;
  const has = (ids: unknown) => Array.isArray(ids) && ids.includes(id);
  const use = { issued: has(tokens?.issued), restored: has(tokens?.restored) };
  return use.issued || use.restored ? { record, ...use } : undefined;
}

/** A request with a decision or redactions, and the head of its file. */
export interface Audited {
  readonly record: AuditedRequest;
  readonly head: ProgramRecord;
}

interface AuditNews {
  /** Within a file, in the order of writing. */
  readonly audited: readonly Audited[];
  /** One sentence for each unreadable file. */
  readonly problems: readonly string[];
}

/** Limits for one read. */
const LIMITS = {
  /** Maximum files, those of the latest programs. */
  files: 500,
  /** Maximum bytes of one file, from its end. */
  fileBytes: 4 * 1024 * 1024,
  /** Maximum bytes of all files. */
  bytes: 16 * 1024 * 1024,
};

/** Maximum bytes of a file's first line, the head. */
const HEAD_BYTES = 16 * 1024;

interface Progress {
  head: ProgramRecord | undefined;
  splitter: LineSplitter;
  offset: number;
}

interface Written {
  readonly file: JournalPath;
  readonly size: number;
  readonly touchedAt: number;
}

/**
 * Reads the latest audit records of all programs. The first call returns the newest existing
 * records, each further call the new ones. It does not check hashes; `verifyAudit` does.
 */
export class RecentAudit {
  readonly folder: string;
  readonly #limits: typeof LIMITS;
  #progress = new Map<string, Progress>();

  constructor(stateFolder: string, limits: Partial<typeof LIMITS> = {}) {
    this.folder = getAuditDirectory(stateFolder);
    this.#limits = { ...LIMITS, ...limits };
  }

  /** Rejects if the folder exists but cannot be listed. Calls must not overlap. */
  async look(): Promise<AuditNews> {
    const problems: string[] = [];
    const grown: Written[] = [];
    const paths = (await listJournalPaths(this.folder)).slice(-this.#limits.files);
    for (const file of paths) {
      const status = await stat(file.path).catch(() => undefined);
      // Opening a named pipe would block until a writer appears.
      if (!status?.isFile()) continue;
      const { size, mtimeMs } = status;
      if (size <= (this.#progress.get(file.path)?.offset ?? 0)) continue;
      grown.push({ file, size, touchedAt: mtimeMs });
    }
    const audited: Audited[][] = [];
    let bytes = this.#limits.bytes;
    for (const { file, size } of grown.sort((one, other) => other.touchedAt - one.touchedAt)) {
      try {
        const progress = this.#getProgress(file, size, bytes);
        bytes -= size - progress.offset;
        audited.unshift(await this.#readOn(file, progress, size));
      } catch (thrown) {
        // Try again when the file has grown.
        this.#progress.set(file.path, createProgress(size));
        if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') continue;
        problems.push(`Could not read ${file.path}: ${getErrorMessage(thrown)}`);
      }
    }
    const present = new Set(paths.map(({ path }) => path));
    for (const path of this.#progress.keys()) if (!present.has(path)) this.#progress.delete(path);
    return { audited: audited.flat(), problems };
  }

  /** Finds the offset to continue from, within the remaining byte limit. */
  #getProgress({ path }: JournalPath, size: number, bytes: number): Progress {
    const known = this.#progress.get(path);
    const first = Math.max(0, size - Math.min(this.#limits.fileBytes, Math.max(0, bytes)));
    const progress =
      known && known.offset >= first ? known : { ...createProgress(first), head: known?.head };
    this.#progress.set(path, progress);
    return progress;
  }

  async #readOn({ path }: JournalPath, progress: Progress, size: number): Promise<Audited[]> {
    if (progress.offset >= size) return [];
    const handle = await open(path, 'r');
    try {
      progress.head ??= await readHead(handle);
      const { head, offset, splitter } = progress;
      const bytes = await readAt(handle, offset, size - offset);
      progress.offset += bytes.length;
      return splitter.push(bytes).flatMap((line) => {
        const record = readAudited(line);
        return record ? [{ record, head }] : [];
      });
    } finally {
      await handle.close();
    }
  }
}

/** Starts at an offset. The rest of the current line is no valid record and is skipped. */
function createProgress(offset: number): Progress {
  return { head: undefined, splitter: new LineSplitter(), offset };
}

/** Throws if the file does not start with a journal head. */
async function readHead(handle: FileHandle): Promise<ProgramRecord> {
  const [line = ''] = new LineSplitter().push(await readAt(handle, 0, HEAD_BYTES));
  return readSegmentHeader(parseRecord(line));
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** `undefined` for invalid lines, other records, and requests without a decision or redactions. */
function readAudited(line: string): AuditedRequest | undefined {
  const record = parseRequest(line);
  if (record?.phase !== 'ended' || Number.isNaN(Date.parse(record.at))) return undefined;
  const { method, runtime, decision, redactions } = record;
  if (typeof method !== 'string' || typeof runtime !== 'string') return undefined;
  const isAbout = typeof decision?.effect === 'string' || isCounts(redactions);
  return isAbout ? record : undefined;
}

function isCounts(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** Checks the type and the time only. `undefined` for invalid lines and other records. */
function parseRequest(line: string): AuditedRequest | undefined {
  try {
    const record = JSON.parse(line) as AuditedRequest | null;
    return record?.type === 'audit.request' && typeof record.at === 'string' ? record : undefined;
  } catch {
    return undefined;
  }
}
