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
import { AgentCoreError } from '../../base/errors.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';
import { createServerEnvironment, type ServerEnvironment } from '../servers/server-environment.ts';
import type { ClientId } from './client-paths.ts';

/** A server in a client's configuration. */
export interface ServerSnippet {
  readonly type?: 'stdio';
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Snippets never contain this variable. The user sets it in the file or in the environment. */
export const SECRET_VARIABLE = 'AGENTCORE_OAUTH_CLIENT_SECRET';

const SECRET_INPUT = 'agentcore-client-secret';

/** The key of the servers in each client's configuration. */
const SERVERS: Readonly<Record<ClientId, string>> = {
  vscode: 'servers',
  claude: 'mcpServers',
  cursor: 'mcpServers',
  kiro: 'mcpServers',
};

/**
 * Converts an entry to a server of another client: the npm package in this version, and the same
 * environment without secrets. VS Code prompts for the secret and stores it.
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

/** Whether the server needs a secret that the snippet omits. */
export function needsSecret({ authorization }: RuntimeEntry): boolean {
  return authorization.kind === 'oauth';
}

/**
 * Adds the server to a client's configuration, or replaces the one with its name. Keeps comments
 * and indentation. Adjacent text may be reformatted.
 *
 * @param text The file without a byte order mark. Empty if there is no file.
 * @param file The path, for errors.
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

/** Whether a client that parses this text finds exactly this server under the name. */
export function hasServer(
  text: string,
  client: ClientId,
  name: string,
  snippet: ServerSnippet,
): boolean {
  return isDeepStrictEqual(read(text)[SERVERS[client]]?.[name], snippet);
}

/** The text for the user to paste: a configuration with only this server. */
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

/** Parses like the clients: the last of several members with one name counts. */
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

/**
 * Returns the value of a member. Rejects duplicates, because readers differ in which one counts.
 */
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
    // Invalid JSON has a different error message.
    const errors: ParseError[] = [];
    parse(text, errors, { allowTrailingComma: true });
    return errors.length > 0;
  }
}

/** The indentation of the file. Two spaces if the file has none. */
function detectIndentation(text: string): NonNullable<ModificationOptions['formattingOptions']> {
  const [, indent = '  '] = /^([ \t]+)\S/m.exec(text) ?? [];
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  return indent.startsWith('\t')
    ? { insertSpaces: false, tabSize: 1, eol }
    : { insertSpaces: true, tabSize: indent.length, eol };
}
