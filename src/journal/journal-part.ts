import { type BigIntStats, constants, type Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { unfinishedPath } from './journal-files.ts';
import { checkOwnFolder } from './state-folder.ts';

/** What a journal asks of the file system. */
export type FileSystem = Pick<
  typeof import('node:fs/promises'),
  'chmod' | 'mkdir' | 'open' | 'rename' | 'stat' | 'unlink'
>;

/** Replaces what an attempt has left that could not clean up after itself. */
const AFRESH = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

/** A file of the journal while its program writes to it. */
export class JournalPart {
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
    // Whoever asks is told.
    this.#identity.catch(() => undefined);
  }

  /**
   * A new part that is in the folder with all of `lines` or not at all: whoever reads meanwhile,
   * or after a crash, finds the sessions in the part before or in this one.
   */
  static async create(files: FileSystem, path: string, lines: Buffer): Promise<JournalPart> {
    const unfinished = unfinishedPath(path);
    const handle = await files.open(unfinished, AFRESH, 0o600);
    const part = new JournalPart(files, path, handle);
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

  /** All bytes that have reached the file, also those of a write that failed half-way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes written since it was created: what was carried over does not call for the next part. */
  get growth(): number {
    return this.#bytes - this.#begunWith;
  }

  /** Appends whole lines. After it has thrown, the last line may be torn: begin another part. */
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

  /** False once the file was deleted, moved or replaced: what is written to it nobody finds. */
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

  /** Never fails: there is nothing left to do about it. */
  async close(): Promise<void> {
    await this.#handle.close().catch(() => {});
  }
}

/**
 * Makes a folder of the state where it is not there, and makes it the user's alone.
 *
 * @throws {AgentCoreError} `config` if it, or the state folder around it, is not the user's alone to
 *   change; nothing is changed then.
 */
export async function prepareFolder(files: FileSystem, folder: string): Promise<void> {
  const state = dirname(folder);
  const stateStats = await statsOf(files, state);
  // In a sticky folder, as /tmp is, nobody can move what belongs to another.
  if (!stateStats || (stateStats.mode & 0o1000) === 0) checkOwnFolder(state, stateStats);
  checkOwnFolder(folder, await statsOf(files, folder));
  await files.mkdir(folder, { recursive: true, mode: 0o700 });
  const stats = await files.stat(folder);
  checkOwnFolder(folder, stats);
  if (process.platform !== 'win32' && stats.mode & 0o077) await files.chmod(folder, 0o700);
}

async function statsOf(files: FileSystem, path: string): Promise<Stats | undefined> {
  return files.stat(path).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return undefined;
    throw thrown;
  });
}
