import { realpathSync, type Stats, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, posix, win32 } from 'node:path';
import { AgentCoreError } from '../error.ts';

const NAME = 'agentcore-mcp';
const SET_ANOTHER = 'Set AGENTCORE_STATE_DIR to a folder in which only you can write.';

/**
 * Where all programs of a user keep their state: `AGENTCORE_STATE_DIR`, or else the operating
 * system's usual place.
 *
 * @throws {AgentCoreError} `usage` if that variable is no absolute path, `config` if others can change
 *   what is in the folder.
 */
export function stateFolder(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  const folder = folderOf(env, platform, home);
  if (platform === process.platform) {
    checkWayTo(folder);
    checkOwnFolder(folder, statsOf(folder));
  }
  return folder;
}

/**
 * Refuses a folder that is another user's, or in which others can write: they could forge sessions,
 * approvals and the audit. `stats` follow links, so a link is refused for what it leads to. Windows
 * has neither modes nor user ids here, and nothing is checked there.
 *
 * @param stats `undefined` if there is no such folder yet.
 * @throws {AgentCoreError} `config` with the reason.
 */
export function checkOwnFolder(
  folder: string,
  stats: Pick<Stats, 'uid' | 'mode'> | undefined,
): void {
  if (!stats) return;
  const us = process.getuid?.();
  if (us !== undefined && stats.uid !== us) {
    throw unusable(folder, `it belongs to user ${stats.uid}, and this program runs as user ${us}`);
  }
  if (us !== undefined && (stats.mode & 0o022) !== 0) {
    const mode = (stats.mode & 0o777).toString(8);
    throw unusable(
      folder,
      `others can write in it (mode ${mode})`,
      `Run chmod go-w '${folder}' to keep them out.`,
    );
  }
}

/**
 * Refuses a folder that is reached through a link, if somebody else can change where that leads. Folders
 * without a link on the way are left to the user: a home may lie anywhere.
 */
function checkWayTo(folder: string): void {
  const us = process.getuid?.();
  const parent = dirname(folder);
  const real = realPathOf(parent);
  if (us === undefined || real === parent) return;
  for (let place = real; place !== dirname(place); place = dirname(place)) {
    const stats = statsOf(place);
    if (!stats) continue;
    const isForeign = stats.uid !== us && stats.uid !== 0;
    // In a sticky folder, as /tmp is, nobody can move what belongs to another.
    const isOpen = (stats.mode & 0o1002) === 0o002;
    if (!isForeign && !isOpen) continue;
    const reason = isForeign ? `belongs to user ${stats.uid}` : 'can be written by everybody';
    throw unusable(folder, `a link on the way leads to ${place}, which ${reason}`);
  }
}

/** `undefined` if it cannot be read: a disk that fails is no reason to refuse a folder. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Of the part of the path that exists. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPathOf(parent), basename(path));
  }
}

function unusable(folder: string, reason: string, action = SET_ANOTHER): AgentCoreError {
  return new AgentCoreError(
    'config',
    `Could not use the state folder ${folder}: ${reason}. ${action}`,
  );
}

function folderOf(env: NodeJS.ProcessEnv, platform: NodeJS.Platform, home: string): string {
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
  // The XDG specification says to pass over a relative path.
  const base = usual && path.isAbsolute(usual) ? usual : path.join(home, '.local', 'state');
  return path.join(base, NAME);
}

/** Where the files of the journal are, given the state folder. */
export function journalFolder(state: string): string {
  return join(state, 'journal');
}
