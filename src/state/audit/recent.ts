import { type FileHandle, open, stat } from 'node:fs/promises';
import { getErrorMessage } from '../../base/errors.ts';
import { readSegmentHeader } from '../journal/reader.ts';
import { type ProgramRecord, parseRecord } from '../journal/records.ts';
import { type JournalPath, LineSplitter, listJournalPaths } from '../journal/segment.ts';
import type { AuditedRequest } from './audit-log.ts';
import { getAuditDirectory } from './audit-log.ts';

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
  let record: Partial<AuditedRequest> | null;
  try {
    record = JSON.parse(line) as Partial<AuditedRequest> | null;
  } catch {
    return undefined;
  }
  if (record?.type !== 'audit.request' || record.phase !== 'ended') return undefined;
  const { at, method, runtime, decision, redactions } = record;
  if (typeof at !== 'string' || Number.isNaN(Date.parse(at))) return undefined;
  if (typeof method !== 'string' || typeof runtime !== 'string') return undefined;
  const isAbout = typeof decision?.effect === 'string' || isCounts(redactions);
  return isAbout ? (record as AuditedRequest) : undefined;
}

function isCounts(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
