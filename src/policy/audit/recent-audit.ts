import { type FileHandle, open, stat } from 'node:fs/promises';
import { messageOf } from '../../error.ts';
import { type JournalPath, journalPaths } from '../../journal/journal-files.ts';
import { LineSplitter } from '../../journal/line-splitter.ts';
import { headOf } from '../../journal/reader.ts';
import { parseLine } from '../../journal/record-line.ts';
import type { ProgramRecord } from '../../journal/records.ts';
import { auditFolder } from './audit-folder.ts';
import type { AuditedRequest } from './audit-records.ts';

/** A request about which something was decided, or in which something was hidden, and by whom. */
export interface Audited {
  readonly record: AuditedRequest;
  readonly head: ProgramRecord;
}

export interface AuditNews {
  /** Within a file in the order of writing. */
  readonly audited: readonly Audited[];
  /** A sentence for each file that could not be read. */
  readonly problems: readonly string[];
}

/** Bounds of what one look reads. */
const LIMITS = {
  /** Files that are looked at: those of the programs that began last. */
  files: 500,
  /** Bytes of one file, from its end. */
  fileBytes: 4 * 1024 * 1024,
  /** Bytes of all files. */
  bytes: 16 * 1024 * 1024,
};
/** The head of a file is its first line. */
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
 * What was put on the audit's record last, by whatever program. The first look gives the newest of
 * what is there, each further one what has come since. It checks no hashes: `verifyAudit` does.
 */
export class RecentAudit {
  readonly folder: string;
  readonly #limits: typeof LIMITS;
  #progress = new Map<string, Progress>();

  constructor(stateFolder: string, limits: Partial<typeof LIMITS> = {}) {
    this.folder = auditFolder(stateFolder);
    this.#limits = { ...LIMITS, ...limits };
  }

  /** Rejects where the folder is there and cannot be listed. One look at a time. */
  async look(): Promise<AuditNews> {
    const problems: string[] = [];
    const grown: Written[] = [];
    const paths = (await journalPaths(this.folder)).slice(-this.#limits.files);
    for (const file of paths) {
      const status = await stat(file.path).catch(() => undefined);
      // Opening a named pipe would wait for its writer.
      if (!status?.isFile()) continue;
      const { size, mtimeMs } = status;
      if (size <= (this.#progress.get(file.path)?.offset ?? 0)) continue;
      grown.push({ file, size, touchedAt: mtimeMs });
    }
    const audited: Audited[][] = [];
    let bytes = this.#limits.bytes;
    for (const { file, size } of grown.sort((one, other) => other.touchedAt - one.touchedAt)) {
      try {
        const progress = this.#progressOf(file, size, bytes);
        bytes -= size - progress.offset;
        audited.unshift(await this.#readOn(file, progress, size));
      } catch (thrown) {
        // It is read again when it has grown.
        this.#progress.set(file.path, ended(size));
        if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') continue;
        problems.push(`Could not read ${file.path}: ${messageOf(thrown)}`);
      }
    }
    const present = new Set(paths.map(({ path }) => path));
    for (const path of this.#progress.keys()) if (!present.has(path)) this.#progress.delete(path);
    return { audited: audited.flat(), problems };
  }

  /** Where to read on: not further from the end than may still be read. */
  #progressOf({ path }: JournalPath, size: number, bytes: number): Progress {
    const known = this.#progress.get(path);
    const first = Math.max(0, size - Math.min(this.#limits.fileBytes, Math.max(0, bytes)));
    const progress =
      known && known.offset >= first ? known : { ...ended(first), head: known?.head };
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

/** Begins at a place of a file: what is left of the line there is no record, and is passed over. */
function ended(offset: number): Progress {
  return { head: undefined, splitter: new LineSplitter(), offset };
}

/** Throws where it does not begin as a journal does. */
async function readHead(handle: FileHandle): Promise<ProgramRecord> {
  const [line = ''] = new LineSplitter().push(await readAt(handle, 0, HEAD_BYTES));
  return headOf(parseLine(line));
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** Undefined for what is no record, for other records, and for requests that no policy was about. */
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
