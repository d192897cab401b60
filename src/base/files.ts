import { randomBytes } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  type FSWatcher,
  fstatSync,
  openSync,
  readSync,
  rmSync,
  type Stats,
  statSync,
  watch,
} from 'node:fs';
import { type FileHandle, link, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sleep } from './async.ts';
import { AgentCoreError, describeFileError, getErrorMessage } from './errors.ts';

/** Files: private directories, atomic writes, locks, bounded reads, and notice of changes. */

/** Milliseconds after which a lock counts as abandoned. */
const LOCK_TTL_MS = 60_000;

/** Also the pause between two attempts to replace a file. */
const LOCK_POLL_INTERVAL_MS = 50;

/** Maximum attempts. Windows prevents the replacement while another program reads the file. */
const MAX_REPLACE_ATTEMPTS = 20;

/**
 * Creates a directory with access for its owner only, and its missing parents. An existing one
 * stays as it is: the user or the AWS CLI has chosen its mode, and {@link replaceFile} makes each
 * file private.
 */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw createWriteError(path, cause);
  }
}

/**
 * Replaces a file atomically, so that a reader never sees part of it. If the path is a link, the
 * link is replaced and its target stays. A new file belongs to the owner of its directory.
 *
 * @param kept Mode and owner for the new file. By default the file is private.
 * @throws {AgentCoreError} `config` if it cannot be written or belongs to another user.
 */
export async function replaceFile(
  path: string,
  content: string | Buffer,
  kept?: Pick<Stats, 'mode' | 'uid' | 'gid'>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const mode = kept ? kept.mode & 0o7777 : 0o600;
  try {
    const owner = kept ? getReplacedFileOwner(kept) : await getFileOwner(dirname(path));
    const file = await open(temporary, 'wx', mode);
    try {
      await writeContent(file, content, mode, owner);
    } finally {
      await file.close();
    }
    await renameWithRetry(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw createWriteError(path, cause);
  }
}

/**
 * Creates a private file, unless the path exists. A reader never sees part of it.
 *
 * @returns false if the path exists: of several writers, the first one wins.
 */
export async function createFileOnce(path: string, content: string | Buffer): Promise<boolean> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(temporary, content, { mode: 0o600, flag: 'wx' });
    // A hard link creates the file atomically.
    await link(temporary, path);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw thrown;
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Runs work on a file under a lock, exclusive among all programs that use this function. The work
 * must end within a minute, because older locks count as abandoned.
 *
 * @param signal Ends the wait for the lock. It does not stop the work.
 */
export async function withFileLock<T>(
  path: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const lock = `${path}.lock`;
  let own = tryLock(lock);
  while (own === undefined) {
    signal.throwIfAborted();
    await sleep(LOCK_POLL_INTERVAL_MS);
    own = tryLock(lock);
  }
  try {
    return await work();
  } finally {
    // If another program took over an expired lock, keep its lock.
    removeIfSame(lock, own);
  }
}

/** Identifies one lock file among all files created at its path. */
type LockIdentity = string;

/** Takes the lock if it is free. Removes an expired lock, so the next attempt can succeed. */
function tryLock(lock: string): LockIdentity | undefined {
  if (create(lock)) {
    const own = read(lock);
    if (own) return getLockIdentity(own);
  }
  const other = read(lock);
  if (other && isTooOld(other)) removeIfSame(lock, getLockIdentity(other));
  return undefined;
}

/**
 * Removes a lock, but never a newer lock at the same path. Before removal, a program must create a
 * file named after the lock. Only one program succeeds, so the lock cannot be replaced between
 * check and removal.
 */
function removeIfSame(lock: string, identity: LockIdentity): void {
  const right = `${lock}.${identity}`;
  if (!create(right)) {
    // Left after a crash during a removal.
    const left = read(right);
    if (left && isTooOld(left)) removeIfSame(right, getLockIdentity(left));
    return;
  }
  try {
    const there = read(lock);
    if (there && getLockIdentity(there) === identity) rmSync(lock, { force: true });
  } finally {
    rmSync(right, { force: true });
  }
}

/** Returns false if the file exists. */
function create(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600));
    return true;
  } catch (thrown) {
    const { code = '' } = thrown as NodeJS.ErrnoException;
    // Windows returns EPERM while a removed file is open elsewhere.
    if (code === 'EEXIST' || (process.platform === 'win32' && code === 'EPERM')) return false;
    throw createWriteError(path, thrown);
  }
}

function read(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

function getLockIdentity({ ino, mtimeNs }: BigIntStats): LockIdentity {
  return `${ino}-${mtimeNs}`;
}

/** Also true if its time is far in the future, as after a clock error. */
function isTooOld({ mtimeMs }: BigIntStats): boolean {
  return Math.abs(Date.now() - Number(mtimeMs)) > LOCK_TTL_MS;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Returns the new owner for the file, or `undefined` if no change is needed. */
async function getFileOwner(folder: string): Promise<Owner | undefined> {
  const us = process.getuid?.();
  if (us === undefined) return undefined;
  const { uid, gid } = await stat(folder);
  if (uid === us) return undefined;
  // With sudo, or in a container with a shared home, a file of root would lock its owner out.
  if (us === 0) return { uid, gid };
  throw new Error(`the folder ${folder} belongs to another user`);
}

/** Like {@link getFileOwner}, for a replaced file. Its group may be another group of this user. */
function getReplacedFileOwner({ uid, gid }: Owner): Owner | undefined {
  const us = process.getuid?.();
  if (us === undefined || (uid === us && gid === process.getgid?.())) return undefined;
  if (uid === us || us === 0) return { uid, gid };
  throw new Error('the file belongs to another user');
}

async function writeContent(
  file: FileHandle,
  content: string | Buffer,
  mode: number,
  owner: Owner | undefined,
): Promise<void> {
  if (owner) await file.chown(owner.uid, owner.gid);
  // The umask limits the mode given to `open`, and `chown` clears some bits.
  await file.chmod(mode);
  await file.writeFile(content);
  await file.sync();
}

async function renameWithRetry(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rename(from, to);
    } catch (thrown) {
      const { code = '' } = thrown as NodeJS.ErrnoException;
      const isBusy = process.platform === 'win32' && ['EPERM', 'EACCES', 'EBUSY'].includes(code);
      if (!isBusy || attempt === MAX_REPLACE_ATTEMPTS) throw thrown;
      await sleep(LOCK_POLL_INTERVAL_MS);
    }
  }
}

function createWriteError(path: string, cause: unknown): AgentCoreError {
  if (cause instanceof AgentCoreError) return cause;
  return new AgentCoreError('config', `Could not write ${path}: ${getErrorMessage(cause)}`, {
    cause,
  });
}

/** Bytes per read. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Reads a document that the user named. Never blocks on a FIFO or a device. Reads at most
 * `maxBytes`, even if the file grows meanwhile.
 *
 * @throws {AgentCoreError} `config` if the path is no regular file, or the file is too large.
 * @throws {NodeJS.ErrnoException} if the file is missing or cannot be read.
 */
export function readRegularFile(path: string, maxBytes: number): Buffer {
  // Check the path first: opening a device can have an effect. Check the open file again, because
  // the path may be replaced in between.
  checkIsRegular(path, statSync(path));
  const { O_RDONLY, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants;
  const descriptor = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    const status = fstatSync(descriptor);
    checkIsRegular(path, status);
    if (status.size > maxBytes) throw createTooLargeError(path, maxBytes);
    return readAtMost(descriptor, path, maxBytes);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Reads a UTF-8 document. Every failure has a message for the user.
 *
 * @throws {AgentCoreError} `config`
 */
export function readRegularText(path: string, maxBytes: number): string {
  try {
    return decodeUtf8(readRegularFile(path, maxBytes));
  } catch (cause) {
    if (cause instanceof AgentCoreError) throw cause;
    throw new AgentCoreError('config', `Could not read ${path}: ${describeFileError(cause)}`, {
      cause,
    });
  }
}

/**
 * Decodes UTF-8 and removes a leading byte order mark.
 *
 * @throws {Error} if the bytes are not UTF-8.
 */
export function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error('it is not text in UTF-8', { cause });
  }
}

function readAtMost(descriptor: number, path: string, maxBytes: number): Buffer {
  const chunks: Buffer[] = [];
  for (let total = 0; ; ) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const count = readSync(descriptor, chunk, 0, chunk.length, null);
    if (count === 0) return Buffer.concat(chunks, total);
    total += count;
    if (total > maxBytes) throw createTooLargeError(path, maxBytes);
    chunks.push(chunk.subarray(0, count));
  }
}

function checkIsRegular(path: string, status: Stats): void {
  if (status.isFile()) return;
  throw new AgentCoreError(
    'config',
    `Could not read ${path}: it is ${getFileKind(status)}, not a regular file. Name a regular file`,
  );
}

function getFileKind(status: Stats): string {
  if (status.isDirectory()) return 'a folder';
  if (status.isFIFO()) return 'a FIFO';
  if (status.isSocket()) return 'a socket';
  return 'a device';
}

function createTooLargeError(path: string, maxBytes: number): AgentCoreError {
  return new AgentCoreError(
    'config',
    `Could not read ${path}: it is larger than ${maxBytes} bytes. Name a smaller file`,
  );
}

/** Returns a fingerprint that changes when a file is written, replaced, created or deleted. */
export function getFileFingerprint(paths: Iterable<string>): string {
  return [...paths].map(getPathFingerprint).join('\n');
}

function getPathFingerprint(path: string): string {
  try {
    // Most of these files do not exist, and creating an error takes longer than the check.
    const status = statSync(path, { throwIfNoEntry: false });
    // The change time differs even if an edit keeps the size and resets the modification time.
    return status
      ? `${path} ${status.mtimeMs} ${status.ctimeMs} ${status.size} ${status.ino}`
      : path;
  } catch {
    return path;
  }
}

/**
 * Reports changes in a directory. Callers also poll, because some file systems report no changes.
 * It does not keep the process alive.
 */
export class DirectoryWatcher {
  readonly #path: string;
  readonly #onChange: () => void;
  #watcher: FSWatcher | undefined;
  #isClosed = false;

  constructor(path: string, onChange: () => void) {
    this.#path = path;
    this.#onChange = onChange;
  }

  /**
   * Starts the watch if it is not running. Call it again if the directory may have been missing.
   *
   * @returns true if the watch starts now.
   */
  start(): boolean {
    if (this.#watcher || this.#isClosed) return false;
    try {
      const watcher = watch(this.#path, { persistent: false }, () => this.#onChange());
      watcher.on('error', () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      });
      this.#watcher = watcher;
      return true;
    } catch {
      return false;
    }
  }

  /** Ends the watch. It cannot start again. */
  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
  }
}
