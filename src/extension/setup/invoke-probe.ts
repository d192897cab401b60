import { Client } from '@modelcontextprotocol/client';
import { missingStatements, parseDenial } from '../../aws/iam/access-denied.ts';
import type { Statement } from '../../aws/iam/policy-document.ts';
import type { Environment } from '../../environment.ts';
import { messageOf } from '../../error.ts';
import { ProxyTransport } from '../../smoke/proxy-transport.ts';
import { statementToCall } from '../commands/missing-statement.ts';
import type { ServerEnvironment } from '../servers/server-environment.ts';

/** What came of calling a runtime or gateway for once. */
export type ProbeOutcome =
  | {
      readonly kind: 'answered';
      /** Name and version that the server gives itself. */
      readonly server: string;
      /** Names of its tools. */
      readonly tools: readonly string[];
    }
  | {
      readonly kind: 'failed';
      /** A sentence. */
      readonly reason: string;
      /** What IAM has to allow, where it refused. */
      readonly missing: Statement | undefined;
    };

/** Milliseconds for each step: a microVM without warm capacity takes some twenty seconds to come. */
const STEP_WITHIN = 60_000;

/**
 * Tries a runtime or gateway as a client would, through the proxy in a process of its own: initializes
 * and lists the tools. The session that this takes is stopped again.
 */
export async function probeInvoke(options: {
  /** The path of `proxy.js`. */
  readonly proxy: string;
  readonly version: string;
  /** The window's environment, and what the entry and its start add to it. */
  readonly env: Environment;
  readonly variables: ServerEnvironment;
  readonly signal: AbortSignal;
}): Promise<ProbeOutcome> {
  const { proxy, version, env, variables, signal } = options;
  const transport = new ProxyTransport(proxy, probeEnvironment(env, variables));
  const client = new Client({ name: 'agentcore-setup', version });
  const request = { timeout: STEP_WITHIN, signal };
  // Before the client connects, which goes on to tell whoever listens already.
  const over = Promise.race([endOf(transport), aborted(signal)]);
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
    const reason = lastSentence(messageOf(thrown));
    return { kind: 'failed', reason, missing: whatIsMissing(reason, variables) };
  } finally {
    await transport.close();
  }
}

/** As the entry's server would run, but for a session that nobody else uses and that ends. */
function probeEnvironment(env: Environment, variables: ServerEnvironment): Record<string, string> {
  const all: Record<string, string | null | undefined> = {
    ...env,
    ...variables,
    ELECTRON_RUN_AS_NODE: '1',
    RUNTIME_SESSION_MODE: 'session',
    AGENTCORE_STOP_ON_EXIT: 'true',
    // What goes wrong is told by the answers; an early end is told there alone.
    LOG_LEVEL: 'error',
  };
  return Object.fromEntries(
    Object.entries(all).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}

/** How the proxy begins to say that AgentCore refused for want of a permission. */
const DENIED = /Access was denied \(HTTP 403/;

function whatIsMissing(
  reason: string,
  {
    AGENTCORE_AGENT_ARN: arn,
    AGENTCORE_QUALIFIER: qualifier,
    AGENTCORE_AUTH: auth,
  }: ServerEnvironment,
): Statement | undefined {
  const parsed = parseDenial(reason);
  const told = parsed && missingStatements([parsed])[0];
  if (told || !arn || auth || !DENIED.test(reason)) return told;
  return statementToCall(arn, qualifier ?? undefined);
}

function endOf(transport: { onclose?: () => void; readonly stderr: string }): Promise<never> {
  return new Promise((_, reject) => {
    transport.onclose = () => {
      reject(new Error(transport.stderr.trim() || 'The proxy ended before it answered'));
    };
  });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = () => reject(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

/** What a program says last is why it ended. */
function lastSentence(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() || text;
}
