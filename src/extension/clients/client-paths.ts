import { readdir, readFile } from 'node:fs/promises';
import { posix, win32 } from 'node:path';
import type { Environment } from '../../environment.ts';

/** A client whose configuration names MCP servers. */
export type ClientId = 'vscode' | 'claude' | 'cursor' | 'kiro';

/** What a path depends on. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly env: Environment;
  /** The names in a folder; rejects if it is none. Default: the file system's. */
  readonly listFolder?: ((path: string) => Promise<readonly string[]>) | undefined;
}

/** A configuration that a server can be added to. */
export interface ClientFile {
  readonly client: ClientId;
  /** The name of the application. */
  readonly application: string;
  /** The profile of VS Code; absent for the default one. */
  readonly profile?: string | undefined;
  readonly file: string;
}

/** The VS Code of this window. */
export interface ThisVsCode {
  readonly application: string;
  /** The extension's global storage, which lies in the folder of the profile. */
  readonly globalStorage: string;
  /** The workspace file, or the folder, as VS Code's settings have it. */
  readonly workspace?: string | undefined;
}

/** Folders of the applications that keep their data as VS Code does. */
const VS_CODES = {
  Code: 'VS Code',
  'Code - Insiders': 'VS Code Insiders',
  VSCodium: 'VSCodium',
  'VSCodium - Insiders': 'VSCodium Insiders',
} as const;

/**
 * Where the other clients of this user find their servers (sources: the documentation of VS Code,
 * Claude Desktop, Cursor and Kiro; Claude Desktop on Linux keeps the usual place of such programs).
 */
export async function findClientFiles(machine: Machine): Promise<readonly ClientFile[]> {
  const { join } = pathsOf(machine);
  const applications = applicationFolder(machine);
  const vsCodes = await Promise.all(
    Object.entries(VS_CODES).map(async ([folder, application]) => {
      const user = join(applications, folder, 'User');
      return (await isFolder(user, machine)) ? profileFiles(application, user, machine) : [];
    }),
  );
  const claudes = await claudeFolders(machine);
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
 * The file of the profile that this window uses. It is on the machine where the extension runs, so
 * in a remote window it is the one for all windows of that remote machine.
 */
export async function findOwnFile(
  { application, globalStorage, workspace }: ThisVsCode,
  machine: Machine,
): Promise<ClientFile> {
  const { basename, dirname, join } = pathsOf(machine);
  const profileFolder = dirname(dirname(globalStorage));
  const isNamed = basename(dirname(profileFolder)) === 'profiles';
  const user = isNamed ? dirname(dirname(profileFolder)) : profileFolder;
  const { profiles, associations } = await readProfiles(user, machine);
  // A profile that shares the default one's storage is known by its workspace alone.
  const id = isNamed ? basename(profileFolder) : workspace && associations[workspace];
  const profile = profiles.find(({ location }) => location === id);
  const own = profile ? join(user, 'profiles', profile.location) : profileFolder;
  const folder = profile?.sharesServers ? user : own;
  return { client: 'vscode', application, profile: profile?.name, file: join(folder, 'mcp.json') };
}

interface VsCodeProfile {
  readonly name: string;
  /** The name of its folder below `profiles`. */
  readonly location: string;
  /** Whether it uses the servers of the default profile. */
  readonly sharesServers: boolean;
}

async function profileFiles(
  application: string,
  user: string,
  machine: Machine,
): Promise<readonly ClientFile[]> {
  const { join } = pathsOf(machine);
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

/** What VS Code stores of its profiles; none if the file is not there or is not understood. */
async function readProfiles(
  user: string,
  machine: Machine,
): Promise<{
  readonly profiles: readonly VsCodeProfile[];
  /** Locations of profiles, by the workspaces that use them. */
  readonly associations: Readonly<Record<string, unknown>>;
}> {
  try {
    const file = pathsOf(machine).join(user, 'globalStorage', 'storage.json');
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
 * The package of the Microsoft Store reads a folder of its own in place of `%APPDATA%`. Both are
 * named if both are there.
 */
async function claudeFolders(machine: Machine): Promise<readonly string[]> {
  const { join } = pathsOf(machine);
  const usual = join(applicationFolder(machine), 'Claude');
  if (machine.platform !== 'win32') return [usual];
  const { home, env } = machine;
  const packages = join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'Packages');
  const names = await listFolder(packages, machine).catch(() => []);
  const packaged = names
    .filter((name) => name.startsWith('Claude_'))
    .map((name) => join(packages, name, 'LocalCache', 'Roaming', 'Claude'));
  return packaged.length > 0 && !(await isFolder(usual, machine)) ? packaged : [...packaged, usual];
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

function pathsOf({ platform }: Machine): typeof posix {
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
