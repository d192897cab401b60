import { readdir, readFile } from 'node:fs/promises';
import { posix, win32 } from 'node:path';
import type { Environment } from '../../base/environment.ts';

/** A client with a configuration file for MCP servers. */
export type ClientId = 'vscode' | 'claude' | 'cursor' | 'kiro';

/** The inputs of a path. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly env: Environment;
  /** Lists the names in a directory. Rejects if it is not a directory. Default: the file system. */
  readonly listFolder?: ((path: string) => Promise<readonly string[]>) | undefined;
}

/** A configuration file to which a server can be added. */
export interface ClientFile {
  readonly client: ClientId;
  /** The name of the application. */
  readonly application: string;
  /** The VS Code profile. Absent for the default profile. */
  readonly profile?: string | undefined;
  readonly file: string;
}

/** The VS Code of this window. */
interface ThisVsCode {
  readonly application: string;
  /** The extension's global storage, a directory of the VS Code profile. */
  readonly globalStorage: string;
  /** URI of the workspace file or folder, in the format of VS Code's storage. */
  readonly workspace?: string | undefined;
}

/** Data directories of the VS Code variants. */
const VS_CODES = {
  Code: 'VS Code',
  'Code - Insiders': 'VS Code Insiders',
  VSCodium: 'VSCodium',
  'VSCodium - Insiders': 'VSCodium Insiders',
} as const;

/**
 * Finds the configuration files of the user's other clients (sources: the documentation of VS Code,
 * Claude Desktop, Cursor and Kiro). Assumes the usual configuration directory for Claude Desktop on
 * Linux.
 */
export async function findClientFiles(machine: Machine): Promise<readonly ClientFile[]> {
  const { join } = getPathModule(machine);
  const applications = getApplicationDirectory(machine);
  const vsCodes = await Promise.all(
    Object.entries(VS_CODES).map(async ([folder, application]) => {
      const user = join(applications, folder, 'User');
      return (await isFolder(user, machine)) ? listProfileFiles(application, user, machine) : [];
    }),
  );
  const claudes = await listClaudeDirectories(machine);
  return [
    ...vsCodes.flat(),
    ...claudes.map((folder) => ({
      client: 'claude' as const,
      application: 'Claude Desktop',
      file: join(folder, 'claude_desktop_config.json'),
    })),
    {
      client: 'cursor',
      application: 'Cursor',
      file: join(machine.home, '.cursor', 'mcp.json'),
    },
    {
      client: 'kiro',
      application: 'Kiro',
      file: join(machine.home, '.kiro', 'settings', 'mcp.json'),
    },
  ];
}

/**
 * The file of this window's VS Code profile, on the machine of the extension host. In a remote
 * window, it applies to all windows of the remote machine.
 */
export async function findOwnFile(
  { application, globalStorage, workspace }: ThisVsCode,
  machine: Machine,
): Promise<ClientFile> {
  const { basename, dirname, join } = getPathModule(machine);
  const profileFolder = dirname(dirname(globalStorage));
  const isNamed = basename(dirname(profileFolder)) === 'profiles';
  const user = isNamed ? dirname(dirname(profileFolder)) : profileFolder;
  const { profiles, associations } = await readProfiles(user, machine);
  // If a profile shares the default profile's storage, only its workspace identifies it.
  const id = isNamed ? basename(profileFolder) : workspace && associations[workspace];
  const profile = profiles.find(({ location }) => location === id);
  const own = profile ? join(user, 'profiles', profile.location) : profileFolder;
  const folder = profile?.sharesServers ? user : own;
  return { client: 'vscode', application, profile: profile?.name, file: join(folder, 'mcp.json') };
}

interface VsCodeProfile {
  readonly name: string;
  /** The name of its directory below `profiles`. */
  readonly location: string;
  /** Whether it uses the MCP servers of the default profile. */
  readonly sharesServers: boolean;
}

async function listProfileFiles(
  application: string,
  user: string,
  machine: Machine,
): Promise<readonly ClientFile[]> {
  const { join } = getPathModule(machine);
  const { profiles } = await readProfiles(user, machine);
  const own = profiles.filter(({ sharesServers }) => !sharesServers);
  return [
    { client: 'vscode', application, file: join(user, 'mcp.json') },
    ...own.map(({ name, location }) => ({
      client: 'vscode' as const,
      application,
      profile: name,
      file: join(user, 'profiles', location, 'mcp.json'),
    })),
  ];
}

/** Reads VS Code's stored profiles. Empty if the file is missing or invalid. */
async function readProfiles(
  user: string,
  machine: Machine,
): Promise<{
  readonly profiles: readonly VsCodeProfile[];
  /** Locations of profiles by workspace URI. */
  readonly associations: Readonly<Record<string, unknown>>;
}> {
  try {
    const file = getPathModule(machine).join(user, 'globalStorage', 'storage.json');
    const { userDataProfiles, profileAssociations } = JSON.parse(await readFile(file, 'utf8'));
    const stored: readonly StoredProfile[] = Array.isArray(userDataProfiles)
      ? userDataProfiles
      : [];
    const profiles = stored.flatMap(({ name, location, useDefaultFlags }) =>
      typeof name === 'string' && typeof location === 'string' && /^[\w-]+$/.test(location)
        ? [{ name, location, sharesServers: useDefaultFlags?.mcp === true }]
        : [],
    );
    return { profiles, associations: profileAssociations?.workspaces ?? {} };
  } catch {
    return { profiles: [], associations: {} };
  }
}

interface StoredProfile {
  readonly name?: unknown;
  readonly location?: unknown;
  readonly useDefaultFlags?: { readonly mcp?: unknown };
}

/**
 * The Microsoft Store package reads a private directory instead of `%APPDATA%`. If both exist,
 * returns both.
 */
async function listClaudeDirectories(machine: Machine): Promise<readonly string[]> {
  const { join } = getPathModule(machine);
  const usual = join(getApplicationDirectory(machine), 'Claude');
  if (machine.platform !== 'win32') return [usual];
  const { home, env } = machine;
  const packages = join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'Packages');
  const names = await listFolder(packages, machine).catch(() => []);
  const packaged = names
    .filter((name) => name.startsWith('Claude_'))
    .map((name) => join(packages, name, 'LocalCache', 'Roaming', 'Claude'));
  return packaged.length > 0 && !(await isFolder(usual, machine)) ? packaged : [...packaged, usual];
}

/** The user's configuration directory of desktop applications. */
function getApplicationDirectory({ platform, home, env }: Machine): string {
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

function getPathModule({ platform }: Machine): typeof posix {
  return platform === 'win32' ? win32 : posix;
}

function listFolder(path: string, machine: Machine): Promise<readonly string[]> {
  return machine.listFolder ? machine.listFolder(path) : readdir(path);
}

async function isFolder(path: string, machine: Machine): Promise<boolean> {
  return listFolder(path, machine).then(
    () => true,
    () => false,
  );
}
