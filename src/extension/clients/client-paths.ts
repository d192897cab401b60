import { posix, win32 } from 'node:path';
import type { Environment } from '../../environment.ts';

/** A client other than this window, whose configuration names MCP servers. */
export type ClientId = 'vscode' | 'claude' | 'cursor' | 'kiro';

/** What a path depends on. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly env: Environment;
}

/**
 * The file in which a client of this user finds its servers (sources: the documentation of VS Code,
 * Claude Desktop, Cursor and Kiro; Claude Desktop on Linux keeps the usual place of such programs).
 */
export function clientFile(client: ClientId, machine: Machine): string {
  const { join } = machine.platform === 'win32' ? win32 : posix;
  switch (client) {
    case 'vscode':
      return join(applicationFolder(machine), 'Code', 'User', 'mcp.json');
    case 'claude':
      return join(applicationFolder(machine), 'Claude', 'claude_desktop_config.json');
    case 'cursor':
      return join(machine.home, '.cursor', 'mcp.json');
    case 'kiro':
      return join(machine.home, '.kiro', 'settings', 'mcp.json');
  }
}

/** Where desktop programs keep what belongs to a user. */
function applicationFolder({ platform, home, env }: Machine): string {
  switch (platform) {
    case 'win32':
      return env.APPDATA || win32.join(home, 'AppData', 'Roaming');
    case 'darwin':
      return posix.join(home, 'Library', 'Application Support');
    default: {
      const usual = env.XDG_CONFIG_HOME;
      return usual && posix.isAbsolute(usual) ? usual : posix.join(home, '.config');
    }
  }
}
