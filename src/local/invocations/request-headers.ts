import type { IncomingHttpHeaders } from 'node:http';
import type { RuntimeConfig } from '../config.ts';

export const RUNTIME_SESSION_HEADER = 'X-Amzn-Bedrock-AgentCore-Runtime-Session-Id';

export const RUNTIME_SESSION = RUNTIME_SESSION_HEADER.toLowerCase();

export const MCP_SESSION_HEADER = 'Mcp-Session-Id';

export const MCP_SESSION = 'mcp-session-id';

const CUSTOM_PREFIX = 'x-amzn-bedrock-agentcore-runtime-custom-';

const MAX_CUSTOM = 20;

const MAX_CUSTOM_BYTES = 4096;

/** Lengths from the service model of InvokeAgentRuntime. */
const BOUNDS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  'content-type': [1, 256],
  accept: [1, 256],
  [MCP_SESSION]: [1, 1024],
  'mcp-protocol-version': [1, 1024],
  'mcp-method': [1, 1024],
  'mcp-name': [1, 1024],
  [RUNTIME_SESSION]: [33, 256],
  'x-amzn-bedrock-agentcore-runtime-user-id': [1, 1024],
  'x-amzn-trace-id': [0, 128],
  traceparent: [0, 128],
  tracestate: [0, 512],
  baggage: [0, 8192],
};

/** Headers forwarded to every container, in addition to the runtime's allowlist. */
const FORWARDED = Object.keys(BOUNDS).filter((name) => name !== MCP_SESSION);

/** Returns the platform's message for an invalid header; `undefined` if all are valid. */
export function validateHeaders(headers: IncomingHttpHeaders): string | undefined {
  for (const [name, [least, most]] of Object.entries(BOUNDS)) {
    const value = headers[name];
    if (typeof value !== 'string') continue;
    if (value.length < least || value.length > most) {
      return `Value at '${name}' failed to satisfy constraint: Member must have length between ${least} and ${most}, inclusive`;
    }
  }
  const custom = Object.entries(headers).filter(([name]) => name.startsWith(CUSTOM_PREFIX));
  if (custom.length > MAX_CUSTOM) return `More than ${MAX_CUSTOM} custom headers`;
  const tooLong = custom.find(([, value]) => String(value).length > MAX_CUSTOM_BYTES);
  return tooLong
    ? `Custom header '${tooLong[0]}' is longer than ${MAX_CUSTOM_BYTES} bytes`
    : undefined;
}

/** The MCP transport requires both types, because a server may respond with either. */
export function acceptsMcp(accept: string | undefined): boolean {
  const types = (accept ?? '').split(',').map((type) => type.split(';')[0]?.trim().toLowerCase());
  if (types.includes('*/*')) return true;
  return (
    (types.includes('application/json') || types.includes('application/*')) &&
    (types.includes('text/event-stream') || types.includes('text/*'))
  );
}

/** Headers for a container, except the session ids. */
export function createContainerHeaders(
  headers: IncomingHttpHeaders,
  config: RuntimeConfig,
): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  const allowed = config.requestHeaderAllowlist.map((name) => name.toLowerCase());
  for (const name of [...FORWARDED, ...allowed]) {
    const value = headers[name];
    if (value !== undefined) kept[name] = value;
  }
  for (const name in headers) {
    const param = config.switches.forwardMcpParamHeaders && name.startsWith('mcp-param-');
    const value = headers[name];
    if (value !== undefined && (param || name.startsWith(CUSTOM_PREFIX))) kept[name] = value;
  }
  return kept;
}
