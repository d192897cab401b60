import { Client } from '@modelcontextprotocol/client';
import {
  createCallStatement,
  createMissingStatements,
  parseDenial,
} from '../../aws/iam/access-denied.ts';
import type { Statement } from '../../aws/iam/policies.ts';
import type { Environment } from '../../base/environment.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { ProxyTransport } from '../../client/proxy-client.ts';
import type { ServerEnvironment } from '../settings/server-environment.ts';

/** The outcome of a test call to a runtime or gateway. */
type ProbeOutcome =
  | {
      readonly kind: 'answered';
      /** Name and version from `serverInfo`. */
      readonly server: string;
      /** Names of the server's tools. */
      readonly tools: readonly string[];
    }
  | {
      readonly kind: 'failed';
      /** The error message. */
      readonly reason: string;
      /** The caller's missing IAM statement, if IAM denied the call. */
      readonly missing: Statement | undefined;
    };

/**
 * Timeout of each step in milliseconds. Without warm capacity, a microVM starts in about 20
 * seconds.
 */
const STEP_TIMEOUT_MS = 60_000;

/**
 * Calls a runtime or gateway as an MCP client: runs the proxy as a child process, initializes, and
 * lists the tools. Stops the session afterwards.
 */
export async function probeInvoke(options: {
  /** The path of `proxy.js`. */
  readonly proxy: string;
  readonly version: string;
  /** The environment of the window. `variables` are those of the entry and its start. */
  readonly env: Environment;
  readonly variables: ServerEnvironment;
  readonly signal: AbortSignal;
}): Promise<ProbeOutcome> {
  const { proxy, version, env, variables, signal } = options;
  const transport = new ProxyTransport(proxy, probeEnvironment(env, variables));
  const client = new Client({ name: 'agentcore-setup', version });
  const request = { timeout: STEP_TIMEOUT_MS, signal };
  // Before `connect`, because the client then calls this `onclose` handler too. A later one would
  // replace the client's handler.
  const over = Promise.race([waitForExit(transport), waitForAbort(signal)]);
  over.catch(() => undefined);
  try {
    await Promise.race([client.connect(transport, request), over]);
    const list = async () =>
      client.getServerCapabilities()?.tools
        ? (await client.listTools(undefined, request)).tools.map(({ name }) => name)
        : [];
    const tools = await Promise.race([list(), over]);
    const { name = '', version: serverVersion = '' } = client.getServerVersion() ?? {};
    return { kind: 'answered', server: `${name} ${serverVersion}`.trim(), tools };
  } catch (thrown) {
    const reason = getLastLine(getErrorMessage(thrown));
    return { kind: 'failed', reason, missing: findMissingStatement(reason, variables) };
  } finally {
    await transport.close();
  }
}

/** The environment of the server, but with a separate session, stopped on exit. */
function probeEnvironment(env: Environment, variables: ServerEnvironment): Record<string, string> {
  const all: Record<string, string | null | undefined> = {
    ...env,
    ...variables,
    ELECTRON_RUN_AS_NODE: '1',
    RUNTIME_SESSION_MODE: 'session',
    AGENTCORE_STOP_ON_EXIT: 'true',
    // Responses contain the errors. stderr must contain only the reason of an early exit.
    LOG_LEVEL: 'error',
  };
  return Object.fromEntries(
    Object.entries(all).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}

/** The start of the proxy's message if AgentCore denied access. */
const DENIED = /Access was denied \(HTTP 403/;

function findMissingStatement(
  reason: string,
  {
    AGENTCORE_AGENT_ARN: arn,
    AGENTCORE_QUALIFIER: qualifier,
    AGENTCORE_AUTH: auth,
  }: ServerEnvironment,
): Statement | undefined {
  const parsed = parseDenial(reason);
  const told = parsed && createMissingStatements([parsed])[0];
  if (told || !arn || auth || !DENIED.test(reason)) return told;
  return createCallStatement(arn, qualifier ?? undefined);
}

function waitForExit(transport: { onclose?: () => void; readonly stderr: string }): Promise<never> {
  return new Promise((_, reject) => {
    transport.onclose = () => {
      reject(new Error(transport.stderr.trim() || 'The proxy ended before it answered'));
    };
  });
}

function waitForAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = () => reject(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

/** Returns the last line of a program's output. It contains the reason of the exit. */
function getLastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() || text;
}
