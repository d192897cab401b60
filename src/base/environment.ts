import { realpathSync, type Stats, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, posix, win32 } from 'node:path';
import { AgentCoreError } from './errors.ts';

/** Environment variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

const NAME = 'agentcore-mcp';

const SET_ANOTHER = 'Set AGENTCORE_STATE_DIR to a folder in which only you can write.';

/**
 * The folder for the state of all programs of a user: `AGENTCORE_STATE_DIR`, or the default
 * location of the operating system.
 *
 * @throws {AgentCoreError} `usage` if the variable is not an absolute path, `config` if other users
 *   can change the contents of the folder.
 */
export function getStateDirectory(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  const folder = resolveStateDirectory(env, platform, home);
  if (platform === process.platform) {
    checkWayTo(folder);
    checkOwnFolder(folder, readStats(folder));
  }
  return folder;
}

/**
 * Rejects a folder if it belongs to another user or is writable for others: they could forge
 * sessions, approvals and the audit. `stats` follow links, so the target of a link is checked.
 * Checks nothing on Windows, because it has no such modes and user IDs.
 *
 * @param stats `undefined` if the folder does not exist yet.
 * @throws {AgentCoreError} `config` with the reason.
 */
export function checkOwnFolder(
  folder: string,
  stats: Pick<Stats, 'uid' | 'mode'> | undefined,
): void {
  if (!stats) return;
  const us = process.getuid?.();
  if (us !== undefined && stats.uid !== us) {
    throw createStateDirectoryError(
      folder,
      `it belongs to user ${stats.uid}, and this program runs as user ${us}`,
    );
  }
  if (us !== undefined && (stats.mode & 0o022) !== 0) {
    const mode = (stats.mode & 0o777).toString(8);
    throw createStateDirectoryError(
      folder,
      `other users can write in it (mode ${mode})`,
      `Run chmod go-w '${folder}' to keep them out.`,
    );
  }
}

/**
 * Rejects a path with a link whose target other users can change. Without links, the location is
 * the user's choice: a home folder may be anywhere.
 */
function checkWayTo(folder: string): void {
  const us = process.getuid?.();
  const parent = dirname(folder);
  const real = resolveRealPath(parent);
  if (us === undefined || real === parent) return;
  for (let place = real; place !== dirname(place); place = dirname(place)) {
    const stats = readStats(place);
    if (!stats) continue;
    const isForeign = stats.uid !== us && stats.uid !== 0;
    // In a sticky folder such as /tmp, users cannot move files of other users.
    const isOpen = (stats.mode & 0o1002) === 0o002;
    if (!isForeign && !isOpen) continue;
    const reason = isForeign ? `belongs to user ${stats.uid}` : 'is writable for everyone';
    throw createStateDirectoryError(
      folder,
      `a link in its path leads to ${place}, which ${reason}`,
    );
  }
}

/** `undefined` if it cannot be read. A failing disk is no reason to reject a folder. */
function readStats(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Resolves links in the existing part of the path. */
function resolveRealPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(resolveRealPath(parent), basename(path));
  }
}

function createStateDirectoryError(
  folder: string,
  reason: string,
  action = SET_ANOTHER,
): AgentCoreError {
  return new AgentCoreError(
    'config',
    `Could not use the state folder ${folder}: ${reason}. ${action}`,
  );
}

function resolveStateDirectory(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
  home: string,
): string {
  const path = platform === 'win32' ? win32 : posix;
  const chosen = env.AGENTCORE_STATE_DIR;
  if (chosen) {
    if (path.isAbsolute(chosen)) return path.normalize(chosen);
    throw new AgentCoreError(
      'usage',
      `AGENTCORE_STATE_DIR must be an absolute path, so that all programs mean the same folder, but is "${chosen}".`,
    );
  }
  if (platform === 'darwin') return path.join(home, 'Library', 'Application Support', NAME);
  if (platform === 'win32') {
    return path.join(env.LOCALAPPDATA || path.join(home, 'AppData', 'Local'), NAME);
  }
  const usual = env.XDG_STATE_HOME;
  // If the path is relative, ignore it, as the XDG specification requires.
  const base = usual && path.isAbsolute(usual) ? usual : path.join(home, '.local', 'state');
  return path.join(base, NAME);
}

/** The folder of journal files in the state folder. */
export function getJournalDirectory(state: string): string {
  return join(state, 'journal');
}
