import { type BigIntStats, constants, type Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { getTemporaryPath } from './journal-files.ts';
import { checkOwnFolder } from './state-folder.ts';

/** The file system functions that a journal needs. */
export type FileSystem = Pick<
  typeof import('node:fs/promises'),
  'chmod' | 'mkdir' | 'open' | 'rename' | 'stat' | 'unlink'
>;

/** Overwrites the leftovers of a crashed attempt. */
const AFRESH = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

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
    const handle = await files.open(unfinished, AFRESH, 0o600);
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
