import { applyEdits, type ModificationOptions, modify, type ParseError, parse } from 'jsonc-parser';
import { AgentCoreError } from '../../error.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';
import { environmentOf } from '../servers/server-environment.ts';
import type { ClientId } from './client-paths.ts';

/** A server as the configuration of a client names it. */
export interface ServerSnippet {
  readonly type?: 'stdio';
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The variable that no snippet has: the person puts it there, or in the environment. */
export const SECRET_VARIABLE = 'AGENTCORE_OAUTH_CLIENT_SECRET';

const SECRET_INPUT = 'agentcore-client-secret';
/** Where the clients' configurations have their servers. */
const SERVERS: Readonly<Record<ClientId, string>> = {
  vscode: 'servers',
  claude: 'mcpServers',
  cursor: 'mcpServers',
  kiro: 'mcpServers',
};

/**
 * The entry as a server of another client: the npm package of this version, and the same
 * environment without any secret. VS Code asks for the secret and keeps it.
 *
 * @throws {AgentCoreError} `usage` for a local AgentCore, which only this extension starts.
 */
export function serverSnippet(
  client: ClientId,
  entry: RuntimeEntry,
  version: string,
): ServerSnippet {
  if (entry.target.kind === 'local') {
    throw new AgentCoreError(
      'usage',
      `"${entry.name}" is on a local AgentCore, which this extension starts: pick a runtime on AWS`,
    );
  }
  const env = Object.fromEntries(
    Object.entries(environmentOf(entry)).filter(
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

/** Whether the server takes a secret that the snippet leaves out. */
export function needsSecret({ authorization }: RuntimeEntry): boolean {
  return authorization.kind === 'oauth';
}

/**
 * A client's configuration with this server in it, in place of one that has its name. Everything
 * else stays, comments and indentation too; what stands right beside it may be laid out anew.
 *
 * @param text The file as it is; empty where there is none.
 * @throws {AgentCoreError} `config` where it is no JSON object, so that nothing is lost.
 */
export function withServer(
  text: string,
  client: ClientId,
  name: string,
  snippet: ServerSnippet,
): string {
  const before = text.trim() === '' ? '{}\n' : text;
  const told = readObject(before);
  const asks = Object.values(snippet.env).includes(`\${input:${SECRET_INPUT}}`);
  const inputs = Array.isArray(told.inputs) ? told.inputs : [];
  const hasInput = inputs.some((input) => input?.id === SECRET_INPUT);
  const withSnippet = changed(before, [SERVERS[client], name], snippet);
  if (!asks || hasInput) return withSnippet;
  const input = {
    id: SECRET_INPUT,
    type: 'promptString',
    description: 'OAuth client secret of AgentCore',
    password: true,
  };
  return changed(withSnippet, ['inputs', inputs.length], input);
}

/** The part of a configuration that a person pastes: the server under its name. */
export function snippetText(client: ClientId, name: string, snippet: ServerSnippet): string {
  return withServer('', client, name, snippet);
}

function changed(text: string, path: readonly (string | number)[], value: unknown): string {
  const options: ModificationOptions = {
    formattingOptions: indentationOf(text),
  };
  return applyEdits(text, modify(text, [...path], value, options));
}

function readObject(text: string): { readonly inputs?: readonly { readonly id?: unknown }[] } {
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { allowTrailingComma: true });
  if (errors.length === 0 && typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value;
  }
  throw new AgentCoreError(
    'config',
    'The file is not a JSON object, so nothing was written: mend it, or copy the snippet',
  );
}

/** As the file has it already; two spaces where there is nothing to go by. */
function indentationOf(text: string): NonNullable<ModificationOptions['formattingOptions']> {
  const [, indent = '  '] = /^([ \t]+)\S/m.exec(text) ?? [];
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  return indent.startsWith('\t')
    ? { insertSpaces: false, tabSize: 1, eol }
    : { insertSpaces: true, tabSize: indent.length, eol };
}
