import type { Readable, Writable } from 'node:stream';
import { findCredentials } from '../aws/credentials.ts';
import { dataPlaneUrl } from '../aws/endpoints.ts';
import { Network } from '../aws/network.ts';
import { PAYLOAD_LIMIT } from '../aws/payload-limit.ts';
import { readServiceSettings } from '../aws/shared-config.ts';
import { sigV4Signer } from '../aws/signer.ts';
import { RuntimeInvoker } from '../ends/runtime/invoker.ts';
import { RuntimeEnd } from '../ends/runtime/runtime-end.ts';
import { messageOf } from '../error.ts';
import { isLoud, type Log } from '../log.ts';
import { ClientLog } from '../relay/client-log.ts';
import { Connection } from '../relay/connection.ts';
import { throughInterceptors } from '../relay/interceptors.ts';
import { SessionEnding } from '../sessions/session-ending.ts';
import { freshSessionId, identitySessionId } from '../sessions/session-ids.ts';
import { askedToEnd } from './ending.ts';
import { readProxySettings } from './proxy-settings.ts';

const OPEN_LIMIT = 10_000;
/** Milliseconds that open calls, and then the stopping of sessions, have when the proxy ends. */
const CALLS_GRACE = 5_000;
const STOPPING_GRACE = 3_000;
/** After this the process is gone, whatever it waits for: VS Code kills after 10 s. */
const LAST_MOMENT = 8_400;

export interface ProgramStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/**
 * The stdio proxy: an MCP client on the streams, an AgentCore runtime behind.
 *
 * @returns the exit code, once nothing is left to do.
 * @throws {AgentCoreError} `usage` or `config` before anything was read or written.
 */
export async function runProxy(
  env: Readonly<Record<string, string | undefined>>,
  streams: ProgramStreams,
): Promise<number> {
  const asked = askedToEnd();
  const settings = readProxySettings(env);
  const { runtime, qualifier, profile, mode, timeouts, stderrLevel } = settings;
  const clientLog = new ClientLog();
  const log: Log = (level, sentence) => {
    clientLog.say(level, sentence);
    if (stderrLevel && isLoud(level, stderrLevel)) {
      streams.stderr.write(`agentcore-mcp: ${level}: ${sentence}\n`);
    }
  };

  const network = new Network(env);
  const service = await readServiceSettings('Bedrock AgentCore', profile, env);
  const endpoint = dataPlaneUrl(runtime, service);
  const { region } = runtime;
  const credentials = findCredentials({ ...settings, region, network, env });
  const sessionId = async () => {
    if (mode !== 'identity') return freshSessionId();
    const { callerArn } = await import('../aws/caller-identity.ts');
    const caller = await callerArn({ credentials, region, network });
    return identitySessionId({ callerArn: caller, runtimeArn: runtime.arn, qualifier });
  };
  const agent = await network.agentFor(endpoint);
  const ending = new SessionEnding({ runtime, qualifier, endpoint, credentials, agent, log });
  const runtimeEnd = new RuntimeEnd({
    invoker: new RuntimeInvoker({
      runtime,
      qualifier,
      endpoint,
      signer: sigV4Signer(credentials, region, 'bedrock-agentcore'),
      agent,
      timeouts,
    }),
    mode,
    sessionId,
    onSessionOver: (session) => ending.stop(session),
    messageLimit: PAYLOAD_LIMIT,
    log,
  });

  let outputClosed: (() => void) | undefined;
  const output = new Promise<void>((resolve) => {
    outputClosed = resolve;
  });
  const connection = new Connection({
    input: streams.stdin,
    output: streams.stdout,
    messageLimit: PAYLOAD_LIMIT,
    openLimit: OPEN_LIMIT,
    faults: 'answer',
    onOutputClosed: () => outputClosed?.(),
    onDropped: (what) => log('warning', what),
  });
  log('debug', `Talking to ${runtime.arn} at ${endpoint.origin}, session mode "${mode}"`);

  await Promise.race([
    connection.serve(throughInterceptors([clientLog], runtimeEnd)),
    asked,
    output,
  ]);
  const lastMoment = new Promise<void>((resolve) => setTimeout(resolve, LAST_MOMENT));
  const end = async () => {
    await connection.close(CALLS_GRACE);
    runtimeEnd.close();
    // Where an identity shares them, others may be using them.
    if (mode === 'session') for (const session of runtimeEnd.sharedSessions) ending.stop(session);
    await ending.settled(STOPPING_GRACE);
  };
  await Promise.race([end().catch((thrown) => log('error', messageOf(thrown))), lastMoment]);
  return 0;
}
