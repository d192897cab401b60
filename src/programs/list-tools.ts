import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import packageJson from '../../package.json' with { type: 'json' };
import type { Environment } from '../environment.ts';
import { AgentCoreError, getErrorMessage } from '../error.ts';
import type { JsonObject } from '../mcp/message.ts';
import { readPages } from '../mcp/pages.ts';
import { ProxyTransport } from '../smoke/proxy-transport.ts';
import { readProxySettings } from './proxy-settings.ts';

/** Milliseconds. Without warm capacity, a microVM takes about twenty seconds to start. */
const LIST_TOOLS_TIMEOUT_MS = 60_000;

/**
 * Lists a runtime's tools through the proxy, without the policies of AGENTCORE_POLICY: `policy
 * init` is about to write them.
 *
 * @throws {AgentCoreError} `usage` if the proxy would reject the settings, `connection` if the
 * tools could not be listed.
 */
export async function listTools(
  runtime: string | undefined,
  env: Environment,
): Promise<JsonObject[]> {
  const { AGENTCORE_POLICY: _, ...rest } = env;
  const proxyEnv = { ...rest, ...(runtime !== undefined && { AGENTCORE_AGENT_ARN: runtime }) };
  // Validate first, so that invalid settings are not reported as an exit of the proxy.
  readProxySettings(proxyEnv);
  const transport = new ProxyTransport(resolveProxyPath(), proxyEnv);
  const client = new Client({ name: 'agentcore-mcp', version: packageJson.version });
  const options = { timeout: LIST_TOOLS_TIMEOUT_MS };
  try {
    await client.connect(transport, options);
    const tools: JsonObject[] = [];
    const read = (cursor: string | undefined) =>
      client.request(
        { method: 'tools/list', params: cursor === undefined ? {} : { cursor } },
        options,
      );
    for await (const page of readPages(read, ({ nextCursor }) => nextCursor)) {
      tools.push(...(page.tools as unknown as JsonObject[]));
    }
    return tools;
  } catch (cause) {
    const said = transport.stderr.trim() || getErrorMessage(cause);
    throw new AgentCoreError('connection', `Could not list the tools: ${said}`, { cause });
  } finally {
    await client.close();
  }
}

/** `proxy.js` is next to the program or, from a chunk, one folder up. */
function resolveProxyPath(): string {
  const places = ['./proxy.js', '../proxy.js', '../../dist/proxy.js'];
  const paths = places.map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const found = paths.find((path) => existsSync(path));
  if (found) return found;
  throw new AgentCoreError('config', `The proxy's program is not there: ${paths.join(', ')}`);
}
