import { randomBytes } from 'node:crypto';
import { type BigIntStats, closeSync, openSync, rmSync, type Stats, statSync } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentCoreError, messageOf } from '../../error.ts';

/** Milliseconds after which a lock is what a program left that died. */
const LOCK_LIFE = 60_000;
const LOCK_PAUSE = 50;
/** Windows lets nobody replace a file while another program reads it. */
const REPLACE_ATTEMPTS = 20;

/** Makes a folder that only its owner may enter, and an existing one of ours likewise. */
export async function privateFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    if (process.getuid === undefined) return;
    const { mode, uid } = await stat(path);
    if (uid === process.getuid() && (mode & 0o077) !== 0) await chmod(path, 0o700);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/**
 * Replaces a file as a whole: no reader ever sees half of it, and where the path is a link, the link
 * goes and what it points to stays. A new file belongs to the owner of its folder.
 *
 * @param kept The file whose mode and owner the new one takes over. By default it is private.
 * @throws {AgentCoreError} `config` where it cannot be written, or the owner is somebody else.
 */
export async function replaceFile(
  path: string,
  content: string | Buffer,
  kept?: Pick<Stats, 'mode' | 'uid' | 'gid'>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const mode = kept ? kept.mode & 0o7777 : 0o600;
  try {
    const owner = kept ? ownerOfFile(kept) : await ownerOf(dirname(path));
    const file = await open(temporary, 'wx', mode);
    try {
      await fill(file, content, mode, owner);
    } finally {
      await file.close();
    }
    await moveOver(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw unwritable(path, cause);
  }
}

/**
 * Does work that only one at a time may do on a file, among all programs that use this function.
 * The work has to end within a minute, after which its lock counts for nothing.
 */
export async function locked<T>(
  path: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const lock = `${path}.lock`;
  let own = take(lock);
  while (own === undefined) {
    signal.throwIfAborted();
    await sleep(LOCK_PAUSE);
    own = take(lock);
  }
  try {
    return await work();
  } finally {
    // A lock that took over ours, when it was too old, is left alone.
    removeIfSame(lock, own);
  }
}

/** Names one lock file among all that are ever at its path. */
type LockIdentity = string;

/** Takes the lock if nobody has it. Removes one that is too old, for the next attempt. */
function take(lock: string): LockIdentity | undefined {
  if (create(lock)) {
    const own = read(lock);
    if (own) return identityOf(own);
  }
  const other = read(lock);
  if (other && isTooOld(other)) removeIfSame(lock, identityOf(other));
  return undefined;
}

/**
 * Removes a lock, but never another one that has taken its place. Of all who try to remove the same
 * lock, only the one that creates a file named after it does so, so the lock cannot be replaced
 * between the check and the removal.
 */
function removeIfSame(lock: string, identity: LockIdentity): void {
  const right = `${lock}.${identity}`;
  if (!create(right)) {
    // Of a program that died in the middle of this.
    const left = read(right);
    if (left && isTooOld(left)) removeIfSame(right, identityOf(left));
    return;
  }
  try {
    const there = read(lock);
    if (there && identityOf(there) === identity) rmSync(lock, { force: true });
  } finally {
    rmSync(right, { force: true });
  }
}

/** False if the file is there already. */
function create(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600));
    return true;
  } catch (thrown) {
    const { code = '' } = thrown as NodeJS.ErrnoException;
    // Windows says EPERM as long as a file that was removed is open elsewhere.
    if (code === 'EEXIST' || (process.platform === 'win32' && code === 'EPERM')) return false;
    throw unwritable(path, thrown);
  }
}

function read(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

function identityOf({ ino, mtimeNs }: BigIntStats): LockIdentity {
  return `${ino}-${mtimeNs}`;
}

/** Also if its time is far in the future, as after a clock that was wrong. */
function isTooOld({ mtimeMs }: BigIntStats): boolean {
  return Math.abs(Date.now() - Number(mtimeMs)) > LOCK_LIFE;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whom the file has to be given to; nobody where it is ours anyway. */
async function ownerOf(folder: string): Promise<Owner | undefined> {
  const us = process.getuid?.();
  if (us === undefined) return undefined;
  const { uid, gid } = await stat(folder);
  if (uid === us) return undefined;
  // With sudo, or in a container that shares a home: a file of root's would lock its owner out.
  if (us === 0) return { uid, gid };
  throw new Error(`the folder ${folder} belongs to another user`);
}

/** The same for a file that is replaced, whose group may be another one of ours. */
function ownerOfFile({ uid, gid }: Owner): Owner | undefined {
  const us = process.getuid?.();
  if (us === undefined || (uid === us && gid === process.getgid?.())) return undefined;
  if (uid === us || us === 0) return { uid, gid };
  throw new Error('the file belongs to another user');
}

async function fill(
  file: FileHandle,
  content: string | Buffer,
  mode: number,
  owner: Owner | undefined,
): Promise<void> {
  if (owner) await file.chown(owner.uid, owner.gid);
  // What `open` was given is subject to the umask, and `chown` clears some bits.
  await file.chmod(mode);
  await file.writeFile(content);
  await file.sync();
}

async function moveOver(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rename(from, to);
    } catch (thrown) {
      const { code = '' } = thrown as NodeJS.ErrnoException;
      const isBusy = process.platform === 'win32' && ['EPERM', 'EACCES', 'EBUSY'].includes(code);
      if (!isBusy || attempt === REPLACE_ATTEMPTS) throw thrown;
      await sleep(LOCK_PAUSE);
    }
  }
}

function unwritable(path: string, cause: unknown): AgentCoreError {
  if (cause instanceof AgentCoreError) return cause;
  return new AgentCoreError('config', `Could not write ${path}: ${messageOf(cause)}`, { cause });
}
