import { lstat, mkdir, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, posix, win32 } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  applyEdits,
  type ModificationOptions,
  modify,
  type Node,
  type ParseError,
  parse,
  parseTree,
} from 'jsonc-parser';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError, describeFileError } from '../../base/errors.ts';
import { replaceFile } from '../../base/files.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import { createServerEnvironment, type ServerEnvironment } from '../settings/server-environment.ts';

// Configuration files of other MCP clients: where they are, and how a server is added to one.

/** A server in a client's configuration. */
export interface ServerSnippet {
  readonly type?: 'stdio';
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The variable for the client secret. Snippets never contain its value. The user sets it in the
 * file or in the environment.
 */
export const SECRET_VARIABLE = 'AGENTCORE_OAUTH_CLIENT_SECRET';

const SECRET_INPUT = 'agentcore-client-secret';

/** The member with the servers, in the configuration of each client. */
const SERVERS: Readonly<Record<ClientId, string>> = {
  vscode: 'servers',
  claude: 'mcpServers',
  cursor: 'mcpServers',
  kiro: 'mcpServers',
};

/**
 * Converts an entry to a server for another client. The server runs this version of the npm package
 * with the same environment, without secrets. In VS Code, the snippet makes VS Code prompt for the
 * secret.
 *
 * @param files The variables for the AWS files, if the settings define them.
 * @throws {AgentCoreError} `usage` if the entry is on a local AgentCore, because only this
 *   extension starts it.
 */
export function createServerSnippet(
  client: ClientId,
  entry: RuntimeEntry,
  version: string,
  files: ServerEnvironment = {},
): ServerSnippet {
  if (entry.target.kind === 'local') {
    throw new AgentCoreError(
      'usage',
      `"${entry.name}" is on a local AgentCore, which this extension starts: pick a runtime on AWS`,
    );
  }
  const env = Object.fromEntries(
    Object.entries({ ...createServerEnvironment(entry), ...files }).filter(
      (pair): pair is [string, string] => pair[1] !== null && pair[0] !== SECRET_VARIABLE,
    ),
  );
  const asks = client === 'vscode' && needsSecret(entry);
  return {
    ...(client === 'vscode' && { type: 'stdio' as const }),
    command: 'npx',
    args: ['-y', `agentcore-mcp@${version}`, 'proxy'],
    env: { ...env, ...(asks && { [SECRET_VARIABLE]: `\${input:${SECRET_INPUT}}` }) },
  };
}

/** Whether the server requires a secret. The snippet omits it. */
export function needsSecret({ authorization }: RuntimeEntry): boolean {
  return authorization.kind === 'oauth';
}

/**
 * Adds the server to a client's configuration, or replaces the one with its name. Preserves
 * comments and indentation, but adjacent text may be reformatted.
 *
 * @param text The content of the file without a byte order mark. Empty if there is no file.
 * @param file The path, for error messages.
 * @throws {AgentCoreError} `config` if the client would not find the server, or if other content
 *   would change.
 */
export function withServer(
  text: string,
  client: ClientId,
  name: string,
  snippet: ServerSnippet,
  file = 'the configuration',
): string {
  const fail = (cause: string) =>
    new AgentCoreError(
      'config',
      `Could not add the server to ${file}: ${cause}. Correct the file and try again, or copy the server.`,
    );
  const before = text.trim() === '' ? '{}\n' : text;
  if (client === 'claude' && !isStrictJson(before)) {
    throw fail('Claude Desktop reads JSON without comments and trailing commas only');
  }
  const root = readRoot(before, fail);
  const key = SERVERS[client];
  const servers = readMember(root, key, fail);
  if (servers && servers.type !== 'object' && servers.type !== 'null') {
    throw fail(`"${key}" is ${describeType(servers)}, not an object`);
  }
  if (servers) readMember(servers, name, fail);
  const asks = Object.values(snippet.env).includes(`\${input:${SECRET_INPUT}}`);
  const inputs = asks ? readMember(root, 'inputs', fail) : undefined;
  if (inputs && inputs.type !== 'array' && inputs.type !== 'null') {
    throw fail(`"inputs" is ${describeType(inputs)}, not a list`);
  }
  const withSnippet =
    servers?.type === 'object'
      ? editJson(before, [key, name], snippet)
      : editJson(before, [key], { [name]: snippet });
  const after = asks ? withInput(withSnippet) : withSnippet;
  if (!isOnlyChange(before, after, key, name, snippet)) {
    throw fail(`the change would not be what a reader of the file finds`);
  }
  return after;
}

/** Whether clients would find exactly this server with this name in the text. */
export function hasServer(
  text: string,
  client: ClientId,
  name: string,
  snippet: ServerSnippet,
): boolean {
  return isDeepStrictEqual(read(text)[SERVERS[client]]?.[name], snippet);
}

/** Formats a configuration with only this server, for the clipboard. */
export function formatSnippet(client: ClientId, name: string, snippet: ServerSnippet): string {
  return withServer('', client, name, snippet);
}

function withInput(text: string): string {
  const { inputs } = read(text) as {
    readonly inputs?: readonly { readonly id?: unknown }[] | null;
  };
  if (inputs?.some((input) => input?.id === SECRET_INPUT)) return text;
  const input = {
    id: SECRET_INPUT,
    type: 'promptString',
    description: 'OAuth client secret of AgentCore',
    password: true,
  };
  return inputs
    ? editJson(text, ['inputs', inputs.length], input)
    : editJson(text, ['inputs'], [input]);
}

function editJson(text: string, path: readonly (string | number)[], value: unknown): string {
  const options: ModificationOptions = {
    formattingOptions: detectIndentation(text),
  };
  return applyEdits(text, modify(text, [...path], value, options));
}

type Configuration = Readonly<Record<string, Readonly<Record<string, unknown>> | null | undefined>>;

/** Parses like the clients: if a member is duplicated, the last one counts. */
function read(text: string): Configuration {
  return parse(text, [], { allowTrailingComma: true }) ?? {};
}

function isOnlyChange(
  before: string,
  after: string,
  key: string,
  name: string,
  snippet: ServerSnippet,
): boolean {
  const without = (text: string) => {
    const { inputs: _, [key]: servers, ...others } = read(text);
    const { [name]: _server, ...rest } = servers ?? {};
    return [others, rest];
  };
  return (
    isDeepStrictEqual(read(after)[key]?.[name], snippet) &&
    isDeepStrictEqual(without(before), without(after))
  );
}

function readRoot(text: string, fail: (cause: string) => Error): Node {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error) {
    const line = text.slice(0, error.offset).split('\n').length;
    throw fail(`it is not valid JSON at line ${line}`);
  }
  if (root?.type === 'object') return root;
  throw fail(`it is ${root ? describeType(root) : 'empty'}, not a JSON object`);
}

/** Returns the value of a member. Rejects duplicates, because parsers disagree about them. */
function readMember(object: Node, name: string, fail: (cause: string) => Error): Node | undefined {
  const found = (object.children ?? []).filter(({ children }) => children?.[0]?.value === name);
  if (found.length > 1) throw fail(`it has "${name}" ${found.length} times`);
  return found[0]?.children?.[1];
}

function describeType({ type }: Node): string {
  switch (type) {
    case 'array':
      return 'a list';
    case 'object':
      return 'an object';
    case 'null':
      return 'null';
    default:
      return `a ${type}`;
  }
}

function isStrictJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    // Only comments and trailing commas count. Invalid JSON gets another error message later.
    const errors: ParseError[] = [];
    parse(text, errors, { allowTrailingComma: true });
    return errors.length > 0;
  }
}

/** Detects the indentation of the file. Default: two spaces. */
function detectIndentation(text: string): NonNullable<ModificationOptions['formattingOptions']> {
  const [, indent = '  '] = /^([ \t]+)\S/m.exec(text) ?? [];
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  return indent.startsWith('\t')
    ? { insertSpaces: false, tabSize: 1, eol }
    : { insertSpaces: true, tabSize: indent.length, eol };
}

/** A configuration has a few kilobytes. A larger file is no configuration. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;

/**
 * Reads a client's configuration without its byte order mark. Returns an empty string if there is
 * no file.
 *
 * @throws {AgentCoreError} `config` if it is not a regular file with UTF-8 text.
 */
export async function readConfig(file: string): Promise<string> {
  const fail = (cause: string, details?: { readonly cause: unknown }) =>
    new AgentCoreError(
      'config',
      `Could not read ${file}: ${cause}. Nothing was written.`,
      details ?? {},
    );
  try {
    const found = await stat(file);
    if (!found.isFile()) throw fail('it is not a regular file');
    if (found.size > MAX_FILE_BYTES) throw fail('it is larger than 10 MB');
    const bytes = await readFile(file);
    const isUtf16 = [0xfffe, 0xfeff].includes(bytes.length > 1 ? bytes.readUInt16BE() : 0);
    if (isUtf16) throw fail('it is encoded in UTF-16: save it as UTF-8');
    const text = decode(bytes);
    if (text === undefined) throw fail('it is not encoded in UTF-8: save it as UTF-8');
    return text;
  } catch (thrown) {
    if (thrown instanceof AgentCoreError) throw thrown;
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw fail(describeFileError(thrown), { cause: thrown });
    }
    const isLink = await lstat(file).then(
      () => true,
      () => false,
    );
    if (isLink) throw fail('it is a link to a file that does not exist');
    return '';
  }
}

/**
 * Replaces the whole configuration. Follows symbolic links, and preserves mode and owner.
 *
 * @param before The text from the read. If the file has changed since then, nothing is written.
 * @throws {AgentCoreError} `config` if the file has changed or cannot be written.
 */
export async function writeConfig(file: string, before: string, after: string): Promise<void> {
  if ((await readConfig(file)) !== before) {
    throw new AgentCoreError(
      'config',
      `Could not write ${file}: another program has changed it meanwhile. Try again.`,
    );
  }
  await mkdir(dirname(file), { recursive: true }).catch((cause: unknown) => {
    const sentence = `Could not write ${file}: ${describeFileError(cause)}.`;
    throw new AgentCoreError('config', sentence, { cause });
  });
  const path = await realpath(file).catch(() => file);
  await replaceFile(path, after, await stat(path).catch(() => undefined));
}

function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A client with a configuration file for MCP servers. */
export type ClientId = 'vscode' | 'claude' | 'cursor' | 'kiro';

/** The facts about the machine for the paths of the files. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly env: Environment;
  /** Lists the names in a directory. Rejects if it is no directory. Default: the file system. */
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
  /** The global storage of the extension, a directory in the VS Code profile. */
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
 * Claude Desktop, Cursor and Kiro). On Linux, assumes the usual configuration directory for Claude
 * Desktop.
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
 * Finds the file of this window's VS Code profile, on the machine of the extension host. In a
 * remote window, it applies to all windows of the remote machine.
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
  // If a profile shares the storage of the default profile, only the workspace identifies it.
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
  /** Whether it shares the MCP servers of the default profile. */
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

/** Reads the profiles in VS Code's storage. Empty if the file is missing or invalid. */
async function readProfiles(
  user: string,
  machine: Machine,
): Promise<{
  readonly profiles: readonly VsCodeProfile[];
  /** Locations of profiles, by the URI of a workspace. */
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
 * The directories of Claude Desktop. The Microsoft Store package uses a private directory instead
 * of `%APPDATA%`. If both exist, returns both.
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

/** The user's directory for the configuration of desktop applications. */
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
