import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import packageJson from '../../package.json' with { type: 'json' };
import type { AssumeRole } from '../aws/credentials/options.ts';
import { createCredentialProvider } from '../aws/credentials/provider.ts';
import { PAYLOAD_LIMIT, readServiceSettings } from '../aws/endpoints.ts';
import { SigningClock } from '../aws/sigv4.ts';
import type { Environment } from '../base/environment.ts';
import { getErrorMessage } from '../base/errors.ts';
import { escapeControls, type Log, meetsThreshold } from '../base/logger.ts';
import { Network } from '../http/network.ts';
import { RetryInterceptor } from '../recovery/retry.ts';
import { SessionReplayInterceptor } from '../recovery/session-replay.ts';
import { Conversation } from '../relay/conversation.ts';
import { KeepAliveInterceptor } from '../relay/keep-alive.ts';
import { applyInterceptors } from '../relay/peer.ts';
import { ToolCatalog } from '../relay/tool-catalog.ts';
import { openFileStore } from '../state/files/file-store.ts';
import { getMachine, readProcessState } from '../state/journal/processes.ts';
import { CallRecorderInterceptor } from '../telemetry/call-recorder.ts';
import { StdioConnection } from '../transports/stdio.ts';
import { getRegion, openUpstream } from '../upstream/connect.ts';
import { ElicitationPrompts } from './credential-prompts.ts';
import {
  CALLS_END_MS,
  EXIT_TIMEOUT_MS,
  type ProgramStreams,
  STOPPING_ENDS_MS,
  waitForShutdown,
} from './main.ts';
import { DEFAULT_MAX_RETRIES, type ProxySettings, readProxySettings } from './proxy-settings.ts';

/** Maximum open requests of the client. */
const OPEN_LIMIT = 10_000;

/**
 * Runs the stdio proxy between an MCP client and an AgentCore runtime or gateway. Builds the chain
 * of interceptors.
 *
 * @returns the exit code, after the shutdown.
 * @throws {AgentCoreError} `usage` or `config` if a setting is invalid, before any input or output.
 */
export async function runProxy(env: Environment, streams: ProgramStreams): Promise<number> {
  const calls = new AbortController();
  const waits = new AbortController();
  const asked = waitForShutdown(streams, (signals) => {
    calls.abort();
    if (signals > 1) waits.abort();
  });
  const settings = readProxySettings(env);
  const { profile, assumeRole, mode, timeouts, stderrLevel } = settings;
  let outputClosed: (() => void) | undefined;
  const output = new Promise<void>((resolve) => {
    outputClosed = resolve;
  });
  const connection = new StdioConnection({
    input: streams.stdin,
    output: streams.stdout,
    messageLimit: PAYLOAD_LIMIT,
    openLimit: OPEN_LIMIT,
    otherSide: 'client',
    onOutputClosed: () => outputClosed?.(),
    onDropped: (what) => log('warning', what),
  });
  const conversation = new Conversation(getAgentSessionId(), connection);
  const say: Log = (level, sentence) => {
    conversation.log(level, sentence);
    if (stderrLevel && meetsThreshold(level, stderrLevel)) {
      streams.stderr.write(`agentcore-mcp: ${level}: ${escapeControls(sentence)}\n`);
    }
  };
  const store = openFileStore(settings.stateFolder, {
    program: 'proxy',
    version: packageJson.version,
    name: settings.serverName,
    onFailure: (sentence) => say('warning', sentence),
  });
  const { journal } = store;
  const log: Log = (level, sentence) => {
    say(level, sentence);
    if (!meetsThreshold(level, 'warning')) return;
    journal.record({ type: 'error', at: new Date().toISOString(), level, message: sentence });
  };

  const service = await readServiceSettings('Bedrock AgentCore', profile, env);
  const network = new Network(env, service.caBundle);
  const region = getRegion(settings.server) ?? service.region ?? 'us-east-1';
  const prompts = new ElicitationPrompts(conversation, { env, network });
  const clock = new SigningClock(log);
  const credentials = createCredentialProvider({
    profile,
    region,
    assumeRole,
    network,
    env,
    prompts,
    log,
    clock,
    onFound: () => {
      if (assumeRole) void addRecentRole(assumeRole, settings).catch(() => undefined);
    },
  });
  const tools = new ToolCatalog();
  const timeoutMs = timeouts.read;
  const { maxRetries } = settings;
  const retry = new RetryInterceptor({ maxRetries, timeoutMs, tools, log });
  // Retry handshakes even if retries are disabled: a temporary failure of a probe must not replace
  // a healthy session.
  const handshakeRetry = new RetryInterceptor({
    maxRetries: Math.max(maxRetries, DEFAULT_MAX_RETRIES),
    timeoutMs,
    tools,
    log,
  });
  const { name, url, peer, sessions, caller } = await openUpstream({
    settings,
    service,
    credentials,
    clock,
    assumeRole: assumeRole && toRecordedRole(assumeRole),
    env,
    network,
    journal,
    log,
    say,
    tools,
    handshakeRetry,
  });
  const replay = new SessionReplayInterceptor({
    timeoutMs,
    retry: handshakeRetry,
    onReplay: ({ session, next, ...report }) => {
      if (session === undefined || next === undefined) return;
      const at = new Date().toISOString();
      journal.record({ type: 'session.replayed', at, session, next, ...report });
    },
    log,
  });
  // If no policy is possible, its modules stay unloaded.
  const governance =
    settings.policies.length === 0
      ? []
      : await import('../policy/governance.ts').then(({ createGovernance }) =>
          createGovernance({
            places: settings.policies,
            conversation,
            runtime: name,
            tools,
            store,
            vaultKey: settings.vaultKey,
            asksInVsCode: settings.asksInVsCode,
            caller,
            log,
          }),
        );
  const server = applyInterceptors(
    [
      conversation,
      ...(settings.keepAlive ? [new KeepAliveInterceptor(settings.keepAlive)] : []),
      ...governance,
      new CallRecorderInterceptor(journal, settings.recordsContent),
      retry,
      ...(mode === 'request' ? [] : [replay]),
      tools,
    ],
    peer,
  );

  log('debug', `Talking to ${name} at ${url.origin}, session mode "${mode}"`);

  await Promise.race([connection.serve(server), asked, output]);
  const endedAt = performance.now();
  const skipped = new Promise<void>((resolve) => {
    if (waits.signal.aborted) resolve();
    waits.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const unlessSkipped = (work: Promise<unknown>) => Promise.race([work, skipped]);
  const close = async () => {
    await connection.close(CALLS_END_MS, calls.signal);
    peer.close();
    await Promise.all([
      sessions?.shutdown({
        stop: settings.stopsSessions,
        timeoutMs: endedAt + STOPPING_ENDS_MS - performance.now(),
      }),
      unlessSkipped(connection.flushed()),
    ]);
    // If a second signal arrives, only the journal is awaited.
    await store.close(waits.signal);
  };
  // Exit in time even if a step does not end.
  const lastMoment = new Promise<void>((resolve) => setTimeout(resolve, EXIT_TIMEOUT_MS));
  await Promise.race([
    close().catch((thrown) => log('error', getErrorMessage(thrown))),
    lastMoment,
  ]);
  return 0;
}

/** Stores the role for the extension, which offers recent roles. */
async function addRecentRole(role: AssumeRole, settings: ProxySettings): Promise<void> {
  const { RoleTargets } = await import('../aws/credentials/recent-roles.ts');
  const wantsExternalId = role.externalId !== undefined;
  await new RoleTargets(settings.stateFolder).touch({
    ...toRecordedRole(role),
    ...(wantsExternalId && { wantsExternalId }),
    sourceProfile: settings.profile,
  });
}

/** Returns the role without the external id, for records on disk. */
function toRecordedRole({ arn, sessionName, chain, mfaSerial, sourceIdentity }: AssumeRole) {
  return { arn, sessionName, chain, mfaSerial, sourceIdentity };
}

/**
 * Identifies the agent's session by the parent process, so its counts survive a restart of the
 * proxy. If the parent process cannot be identified, each proxy counts as one session.
 */
function getAgentSessionId(): string {
  const { bootId, pidNamespace } = getMachine();
  const start = readProcessState(process.ppid)?.start;
  if (start === undefined) return `process ${randomUUID()}`;
  return ['parent', hostname(), bootId, pidNamespace, process.ppid, start].join(' ');
}
