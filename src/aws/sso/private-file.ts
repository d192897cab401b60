import { randomBytes } from 'node:crypto';
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
 * goes and what it points to stays. The file belongs to the owner of its folder.
 *
 * @throws {AgentCoreError} `config` where it cannot be written, or the folder is somebody else's.
 */
export async function replaceFile(
  path: string,
  content: string | Buffer,
  mode = 0o600,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const owner = await ownerOf(dirname(path));
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
  while (!(await take(lock))) {
    signal.throwIfAborted();
    await sleep(LOCK_PAUSE);
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    await (await open(lock, 'wx', 0o600)).close();
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(lock, thrown);
    const since = await stat(lock).catch(() => undefined);
    if (since && Date.now() - since.mtimeMs > LOCK_LIFE) await rm(lock, { force: true });
    return false;
  }
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

async function fill(
  file: FileHandle,
  content: string | Buffer,
  mode: number,
  owner: Owner | undefined,
): Promise<void> {
  // What `open` was given is subject to the umask.
  await file.chmod(mode);
  if (owner) await file.chown(owner.uid, owner.gid);
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
