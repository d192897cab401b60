import { type BigIntStats, constants, type Stats } from 'node:fs';
import { type FileHandle, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkOwnFolder } from '../../base/environment.ts';

/**
 * Files of the journal and of the audit: their names, their folder, how lines are appended, and how
 * bytes are split into lines. A program run writes a series of files, its parts.
 */

/** The file system functions that a journal needs. */
export type FileSystem = Pick<
  typeof import('node:fs/promises'),
  'chmod' | 'mkdir' | 'open' | 'rename' | 'stat' | 'unlink'
>;

/** Overwrites the leftovers of a crashed attempt. */
const CREATE_FLAGS =
  constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

/** An open file of the journal. */
export class SegmentFile {
  readonly #files: FileSystem;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #identity: Promise<BigIntStats>;
  #bytes = 0;
  #begunWith = 0;

  private constructor(files: FileSystem, path: string, handle: FileHandle) {
    this.#files = files;
    this.#path = path;
    this.#handle = handle;
    this.#identity = handle.stat({ bigint: true });
    // Prevents an unhandled rejection; callers still get the error.
    this.#identity.catch(() => undefined);
  }

  /**
   * Creates a part that appears in the folder with all of `lines` or not at all. A reader finds
   * each session in the previous part or in this one, even after a crash.
   */
  static async create(files: FileSystem, path: string, lines: Buffer): Promise<SegmentFile> {
    const unfinished = getTemporaryPath(path);
    const handle = await files.open(unfinished, CREATE_FLAGS, 0o600);
    const part = new SegmentFile(files, path, handle);
    try {
      await part.append(lines);
      await files.rename(unfinished, path);
    } catch (thrown) {
      await part.close();
      await files.unlink(unfinished).catch(() => {});
      throw thrown;
    }
    part.#begunWith = part.#bytes;
    return part;
  }

  /** Bytes in the file, including those of a partially failed write. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Bytes written since creation. Excludes the records carried over, so that they cannot trigger
   * the next part.
   */
  get growth(): number {
    return this.#bytes - this.#begunWith;
  }

  /**
   * Appends complete lines. After an error, the last line may be incomplete: start another part.
   */
  async append(lines: Buffer): Promise<void> {
    let rest = lines;
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.write(rest);
      if (bytesWritten === 0) throw new Error('The file system takes no more bytes.');
      this.#bytes += bytesWritten;
      rest = rest.subarray(bytesWritten);
    }
  }

  /** Sets the modification time, the heartbeat of its program. */
  async touch(now: Date): Promise<void> {
    await this.#handle.utimes(now, now);
  }

  /** False if the file was deleted, moved or replaced. Readers would not find new records. */
  async isInPlace(): Promise<boolean> {
    try {
      const [ours, there] = await Promise.all([
        this.#identity,
        this.#files.stat(this.#path, { bigint: true }),
      ]);
      return ours.ino === there.ino && ours.dev === there.dev;
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return false;
      throw thrown;
    }
  }

  /** Never rejects, because no caller could react. */
  async close(): Promise<void> {
    await this.#handle.close().catch(() => {});
  }
}

/**
 * Creates a folder in the state folder if missing, and restricts it to the user.
 *
 * @throws {AgentCoreError} `config` if other users can change the folder or the state folder.
 *   Nothing is changed in this case.
 */
export async function prepareFolder(files: FileSystem, folder: string): Promise<void> {
  const state = dirname(folder);
  const stateStats = await readStats(files, state);
  // In a sticky folder such as /tmp, users cannot move files of other users.
  if (!stateStats || (stateStats.mode & 0o1000) === 0) checkOwnFolder(state, stateStats);
  checkOwnFolder(folder, await readStats(files, folder));
  await files.mkdir(folder, { recursive: true, mode: 0o700 });
  const stats = await files.stat(folder);
  checkOwnFolder(folder, stats);
  if (process.platform !== 'win32' && stats.mode & 0o077) await files.chmod(folder, 0o700);
}

async function readStats(files: FileSystem, path: string): Promise<Stats | undefined> {
  return files.stat(path).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return undefined;
    throw thrown;
  });
}

/** A part of the files of one program run. */
export interface JournalPath {
  readonly path: string;
  /** Unique name of the run, equal in all its parts. */
  readonly run: string;
  readonly part: number;
}

/** Creates a name such as `20261121T114539Z-4711-a0b1c2`. Names sort by time. */
export function createRunName(startedAt: Date, pid: number, random: string): string {
  const time = startedAt.toISOString().replace(/[-:]|\.\d+/g, '');
  return `${time}-${pid}-${random}`;
}

/** Returns the path of a part: `RUN.PART.jsonl`. */
export function getPartPath(folder: string, run: string, part: number): string {
  return join(folder, `${run}.${part}.jsonl`);
}

/** Temporary path of a part until its head and the sessions carried over are written. */
export function getTemporaryPath(path: string): string {
  return `${path}.tmp`;
}

/** True for the temporary name of a part, left by a crash or still in use. */
export function isUnfinished(name: string): boolean {
  return name.endsWith('.jsonl.tmp');
}

const PART = /^(.+)\.(\d{1,9})\.jsonl$/;

/** True for the file name of a complete part. */
export function isPart(name: string): boolean {
  return PART.test(name);
}

/** All journal files, sorted by program start and part; empty if the folder does not exist. */
export async function listJournalPaths(folder: string): Promise<JournalPath[]> {
  const paths: JournalPath[] = [];
  for (const name of await listFileNames(folder)) {
    const [, run, part] = PART.exec(name) ?? [];
    if (run && part) paths.push({ path: join(folder, name), run, part: Number(part) });
  }
  return paths.sort((a, b) => (a.run < b.run ? -1 : a.run > b.run ? 1 : a.part - b.part));
}

/** The names in a folder; empty if it does not exist. */
export async function listFileNames(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}

const LINE_FEED = 0x0a;

/** Maximum bytes of a line. Our writers stay far below. */
const LINE_LIMIT = 1024 * 1024;

/** Splits bytes into lines and buffers an incomplete last line. */
export class LineSplitter {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #length = 0;
  /** Number of lines skipped because of their length. */
  tooLong = 0;

  constructor(limit: number = LINE_LIMIT) {
    this.#limit = limit;
  }

  /**
   * Returns the lines that end within `chunk`, without blank ones. May keep references to `chunk`.
   */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      this.#add(chunk.subarray(start, end));
      const line = this.end();
      if (line) lines.push(line);
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
    return lines;
  }

  /** Returns the buffered incomplete line; empty if there is none. */
  end(): string {
    const isTooLong = this.#length > this.#limit;
    if (isTooLong) this.tooLong += 1;
    const line = isTooLong ? '' : Buffer.concat(this.#parts).toString().trim();
    this.#parts = [];
    this.#length = 0;
    return line;
  }

  #add(part: Buffer): void {
    if (part.length === 0) return;
    this.#length += part.length;
    if (this.#length > this.#limit) this.#parts = [];
    else this.#parts.push(part);
  }
}
