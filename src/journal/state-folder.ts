import { homedir } from 'node:os';
import { join, posix, win32 } from 'node:path';
import { AgentCoreError } from '../error.ts';

const NAME = 'agentcore-mcp';

/**
 * Where all programs of a user keep their state: `AGENTCORE_STATE_DIR`, or else the operating
 * system's usual place. Throws 'usage' where that variable is no absolute path.
 */
export function stateFolder(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
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
  // The XDG specification says to pass over a relative path.
  const base = usual && path.isAbsolute(usual) ? usual : path.join(home, '.local', 'state');
  return path.join(base, NAME);
}

/** Where the files of the journal are, given the state folder. */
export function journalFolder(state: string): string {
  return join(state, 'journal');
}
