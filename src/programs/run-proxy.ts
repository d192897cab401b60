import packageJson from '../../package.json' with { type: 'json' };
import { findCredentials, renewalOf } from '../aws/credentials.ts';
import { dataPlaneUrl } from '../aws/endpoints.ts';
import { Network } from '../aws/network.ts';
import { PAYLOAD_LIMIT } from '../aws/payload-limit.ts';
import { readServiceSettings } from '../aws/shared-config.ts';
import { sigV4Signer } from '../aws/signer.ts';
import { RuntimeInvoker } from '../ends/runtime/invoker.ts';
import { RuntimeEnd } from '../ends/runtime/runtime-end.ts';
import { messageOf } from '../error.ts';
import { CallRecorder } from '../journal/call-recorder.ts';
import { Journal } from '../journal/journal.ts';
import { journalFolder } from '../journal/state-folder.ts';
import { isLoud, type Log } from '../log.ts';
import { HandshakeFirst } from '../recovery/handshake-first.ts';
import { Idempotence } from '../recovery/idempotence.ts';
import { Replay } from '../recovery/replay.ts';
import { Retry } from '../recovery/retry.ts';
import { ClientLog } from '../relay/client-log.ts';
import { Connection } from '../relay/connection.ts';
import { throughInterceptors } from '../relay/interceptors.ts';
import { KeepAlive } from '../relay/keep-alive.ts';
import { freshSessionId, identitySessionId } from '../sessions/session-ids.ts';
import { SessionRegister } from '../sessions/session-register.ts';
import { askedToEnd } from './ending.ts';
import type { ProgramStreams } from './main.ts';
import { readProxySettings } from './proxy-settings.ts';

const OPEN_LIMIT = 10_000;
/** Milliseconds that open calls, and then the stopping of sessions, have when the proxy ends. */
const CALLS_GRACE = 5_000;
const STOPPING_GRACE = 3_000;
/** After this the process is gone, whatever it waits for: VS Code kills after 10 s. */
const LAST_MOMENT = 8_400;

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
  const asked = askedToEnd(streams);
  const settings = readProxySettings(env);
  const { runtime, qualifier, profile, assumeRole, mode, timeouts, stderrLevel } = settings;
  const clientLog = new ClientLog();
  const say: Log = (level, sentence) => {
    clientLog.say(level, sentence);
    if (stderrLevel && isLoud(level, stderrLevel)) {
      streams.stderr.write(`agentcore-mcp: ${level}: ${sentence}\n`);
    }
  };
  const journal = new Journal({
    folder: journalFolder(settings.stateFolder),
    program: 'proxy',
    version: packageJson.version,
    onFailure: (sentence) => say('warning', sentence),
  });
  const log: Log = (level, sentence) => {
    say(level, sentence);
    if (!isLoud(level, 'warning')) return;
    journal.record({ type: 'error', at: new Date().toISOString(), level, message: sentence });
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
  const sessions = new SessionRegister({
    origin: {
      runtime: runtime.arn,
      qualifier,
      mode,
      endpoint: endpoint.href,
      profile,
      assumeRole,
    },
    journal,
    stop: { runtime, qualifier, endpoint, credentials, agent },
    log,
  });
  const runtimeEnd = new RuntimeEnd({
    invoker: new RuntimeInvoker({
      runtime,
      qualifier,
      endpoint,
      signer: sigV4Signer(credentials, region, 'bedrock-agentcore'),
      renewCredentials: renewalOf(credentials),
      agent,
      timeouts,
    }),
    mode,
    sessions,
    sessionId,
    alone: [new HandshakeFirst()],
    endsSessions: settings.stopsSessions,
    messageLimit: PAYLOAD_LIMIT,
    log,
  });
  const retry = new Retry({
    repeats: settings.repeats,
    patience: timeouts.read,
    idempotence: new Idempotence(),
    log,
  });
  const replay = new Replay({
    patience: timeouts.read,
    retry,
    onReplay: ({ session, next, ...report }) => {
      if (session === undefined || next === undefined) return;
      const at = new Date().toISOString();
      journal.record({ type: 'session.replayed', at, session, next, ...report });
    },
    log,
  });
  const server = throughInterceptors(
    [
      clientLog,
      ...(settings.keepAlive ? [new KeepAlive(settings.keepAlive)] : []),
      new CallRecorder((record) => journal.record(record), settings.recordsContent),
      retry,
      ...(mode === 'request' ? [] : [replay]),
    ],
    runtimeEnd,
  );

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

  await Promise.race([connection.serve(server), asked, output]);
  const lastMoment = new Promise<void>((resolve) => setTimeout(resolve, LAST_MOMENT));
  const end = async () => {
    await connection.close(CALLS_GRACE);
    runtimeEnd.close();
    if (settings.stopsSessions) sessions.endAll();
    else sessions.leaveAll();
    await sessions.settled(STOPPING_GRACE);
    await journal.close();
  };
  await Promise.race([end().catch((thrown) => log('error', messageOf(thrown))), lastMoment]);
  return 0;
}
