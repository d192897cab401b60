import {
  createCallStatement,
  createMissingStatements,
  parseDenial,
} from '../../aws/iam/access-denied.ts';
import type { Statement } from '../../aws/iam/policies.ts';
import { withAbort } from '../../base/async.ts';
import type { Environment } from '../../base/environment.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { ProxyClient, STEP_TIMEOUT_MS } from '../../client/proxy-client.ts';
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
 * Calls a runtime or gateway as an MCP client: runs the proxy as a child process, initializes, and
 * lists the tools. Stops the session afterwards.
 */
export async function probeInvoke(options: {
  /** The path of `proxy.js`. */
  readonly proxy: string;
  /** The environment of the window. `variables` are those of the entry and its start. */
  readonly env: Environment;
  readonly variables: ServerEnvironment;
  readonly signal: AbortSignal;
}): Promise<ProbeOutcome> {
  const { proxy, env, variables, signal } = options;
  const client = new ProxyClient({
    name: 'agentcore-setup',
    program: proxy,
    env: probeEnvironment(env, variables),
  });
  const request = { timeout: STEP_TIMEOUT_MS, signal };
  const list = async () => {
    await client.start(request);
    return client.getServerCapabilities()?.tools
      ? (await client.listTools(undefined, request)).tools.map(({ name }) => name)
      : [];
  };
  try {
    const tools = await withAbort(client.untilExit(list()), signal);
    const { name = '', version = '' } = client.getServerVersion() ?? {};
    return { kind: 'answered', server: `${name} ${version}`.trim(), tools };
  } catch (thrown) {
    const reason = getLastLine(getErrorMessage(thrown));
    return { kind: 'failed', reason, missing: findMissingStatement(reason, variables) };
  } finally {
    await client.end().catch(() => undefined);
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
  const statement = parsed && createMissingStatements([parsed])[0];
  if (statement || !arn || auth || !DENIED.test(reason)) return statement;
  return createCallStatement(arn, qualifier ?? undefined);
}

/** Returns the last line of a program's output. It contains the reason of the exit. */
function getLastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() || text;
}
