import { existsSync } from 'node:fs';
import { waitUntilSettled } from '../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import { requireConfirmed } from '../base/exec.ts';
import { readRegularText } from '../base/files.ts';
import { escapeControls, escapeLines } from '../base/logger.ts';
import { parseConfig } from '../local/config/config-file.ts';
import type { ResolvedConfig } from '../local/config/schema.ts';
import type { LocalEvent, LocalListener, SessionChange } from '../local/core/events.ts';
import { parseFault } from '../local/core/fault-injector.ts';
import type { RequestRecord } from '../local/core/history.ts';
import { type LocalRuntime, startResolved } from '../local/local-runtime.ts';
import type { LocalSso } from '../local/services/sso/sso.ts';

// The verb `local`: runs a local AgentCore until a signal, and prints its events.

const DEFAULT_CONFIG_FILE = 'agentcore-local.yaml';

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

const DEFAULT_PORT = 8787;

/** Maximum duration of the shutdown in milliseconds. Then all containers are killed. */
const CLOSE_MS = 6000;

/** Changes of a session that are not printed, because they are too frequent. */
const QUIET_CHANGES: ReadonlySet<SessionChange> = new Set(['starting', 'invoked', 'answered']);

const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Milliseconds. npm and `timeout` forward a signal of the terminal, so this process gets it twice.
 */
const SAME_SIGNAL_MS = 500;

/** Poll interval for the parent process. */
const PARENT_CHECK_MS = 1000;

export interface LocalOptions {
  /** Configuration file. Default: `agentcore-local.yaml` in the working directory. */
  readonly config?: string | undefined;
  /** Overrides the port in the file; 0 means any free port. */
  readonly port?: number | undefined;
  /** Faults in the short form or as JSON, in addition to those in the file. */
  readonly faults?: readonly string[] | undefined;
  /** Prints one JSON object per line. */
  readonly json?: boolean | undefined;
}

interface LocalStreams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Emits SIGINT, SIGTERM, SIGHUP and `exit`: the process, or an emitter in tests. */
  readonly signals: Pick<NodeJS.EventEmitter, 'on' | 'off'>;
  /** Returns the current parent process id. Default: from the system. */
  readonly parent?: (() => number) | undefined;
}

/**
 * Runs a local AgentCore until SIGINT, SIGTERM or SIGHUP, or until its output is closed. No
 * container survives.
 *
 * @returns the exit code: 0; 1 if the port is in use; 2 for an invalid configuration or invalid
 *   usage.
 */
export async function runLocal(options: LocalOptions, streams: LocalStreams): Promise<number> {
  let local: LocalRuntime;
  const end = listenForEnd(streams);
  // Scripts expect the ready line first, but events of warm containers are earlier.
  let early: LocalEvent[] | undefined = options.json ? [] : undefined;
  const listener = (event: LocalEvent) => {
    if (early && event.type !== 'container-output') early.push(event);
    else report(event, options, streams);
  };
  try {
    local = await startLocal(options, listener);
  } catch (error) {
    end.stop();
    streams.stderr.write(`${escapeLines(getErrorMessage(error))}\n`);
    const misused = error instanceof AgentCoreError && ['config', 'usage'].includes(error.code);
    return misused ? 2 : 1;
  }
  const killNow = () => local.killNow();
  streams.signals.on('exit', killNow);
  streams.stdout.write(options.json ? formatReadyLine(local) : formatSummary(local));
  for (const event of early ?? []) report(event, options, streams);
  early = undefined;
  const unwatch = watchParent(options, streams);
  await end.asked;
  unwatch();
  // A second signal ends the wait.
  await waitUntilSettled(Promise.race([local.close(), end.askedAgain]), CLOSE_MS);
  end.stop();
  local.killNow();
  streams.signals.off('exit', killNow);
  return 0;
}

async function startLocal(options: LocalOptions, listener: LocalListener): Promise<LocalRuntime> {
  const faults = (options.faults ?? []).map(parseFault);
  const config = readConfig(options.config ?? DEFAULT_CONFIG_FILE);
  return startResolved(
    {
      ...config,
      port: options.port ?? config.port ?? DEFAULT_PORT,
      faults: [...config.faults, ...faults],
    },
    { listener },
  );
}

function readConfig(path: string): ResolvedConfig {
  let text: string;
  try {
    text = readRegularText(path, MAX_CONFIG_BYTES);
  } catch (cause) {
    if (path !== DEFAULT_CONFIG_FILE || existsSync(path)) throw cause;
    throw new AgentCoreError(
      'config',
      `There is no ${path} in this folder. Name a configuration with --config, or write one: docs/local-runtime.md has an example.`,
      { cause },
    );
  }
  requireConfirmed(
    { kind: 'localConfig', text },
    process.env,
    `Could not start the local AgentCore: ${path} has changed since it was confirmed. Start the server in VS Code again.`,
  );
  return parseConfig(text, path);
}

interface ShutdownReason {
  /** Resolves after the first signal, or when stdout closes. */
  readonly asked: Promise<void>;
  /** Resolves after a later signal. */
  readonly askedAgain: Promise<void>;
  stop(): void;
}

function listenForEnd({ signals, stdout, stderr }: LocalStreams): ShutdownReason {
  let first = () => {};
  let second = () => {};
  const asked = new Promise<void>((resolve) => {
    first = resolve;
  });
  const askedAgain = new Promise<void>((resolve) => {
    second = resolve;
  });
  let firstAt: number | undefined;
  const signalled = () => {
    firstAt ??= performance.now();
    first();
    if (performance.now() - firstAt >= SAME_SIGNAL_MS) second();
  };
  for (const name of END_SIGNALS) signals.on(name, signalled);
  // Never removed, because writes during the shutdown can fail too.
  stdout.on('error', first);
  stdout.on('close', first);
  stderr.on('error', () => {});
  return {
    asked,
    askedAgain,
    stop: () => {
      for (const name of END_SIGNALS) signals.off(name, signalled);
    },
  };
}

/**
 * Detects a closed output. A pipe reports a closed reader only on a write, so this writes a line
 * when the parent has exited. If the parent was the reader, the write fails and the program exits.
 * Otherwise, the program continues.
 */
function watchParent({ json }: LocalOptions, { stdout, parent }: LocalStreams): () => void {
  const parentNow = parent ?? (() => process.ppid);
  const atStart = parentNow();
  const timer = setInterval(() => {
    if (parentNow() === atStart) return;
    clearInterval(timer);
    stdout.write(json ? '{"event":"parent-gone"}\n' : 'The parent process has exited.\n');
  }, PARENT_CHECK_MS).unref();
  return () => clearInterval(timer);
}

function report(event: LocalEvent, { json }: LocalOptions, { stdout, stderr }: LocalStreams): void {
  // Container output is a log, so it goes to stderr.
  if (event.type === 'container-output') {
    stderr.write(`[${event.runtime} ${event.pid ?? '-'}] ${escapeControls(event.line)}\n`);
    return;
  }
  // Print only starts and stops. Other changes are too frequent.
  if (event.type === 'session' && QUIET_CHANGES.has(event.change)) return;
  if (event.type === 'request') return;
  if (json) stdout.write(`${JSON.stringify({ event: event.type, ...withoutType(event) })}\n`);
  else {
    const line = formatEvent(event);
    if (line !== undefined) stdout.write(`${escapeLines(line)}\n`);
  }
}

function withoutType({ type: _, ...rest }: LocalEvent): object {
  return rest;
}

function formatEvent(event: LocalEvent): string | undefined {
  switch (event.type) {
    case 'session': {
      const { runtime, runtimeSessionId, mcpSessionId, pid, why } = event.session;
      const ids = mcpSessionId
        ? `${runtimeSessionId}, MCP session ${mcpSessionId}`
        : runtimeSessionId;
      const detail = event.change === 'stopped' ? `: ${why}` : `, process ${pid}`;
      return `${runtime}: session ${event.change} (${ids})${detail}`;
    }
    case 'container-failed': {
      const output = event.output ? `\n${event.output.replace(/^/gm, '  ')}` : '';
      return `${event.runtime}: container ${event.reason}${output}`;
    }
    case 'container-exited': {
      if (!event.byItself || event.pid === undefined) return undefined;
      const how = event.signal ? `by ${event.signal}` : `with code ${event.code}`;
      return `${event.runtime}: process ${event.pid} exited by itself ${how}`;
    }
    case 'container-warm':
      return `${event.runtime}: process ${event.pid} is warm`;
    case 'fault':
      return `${getRequestTarget(event.request)}: fault ${event.request.fault} met ${getCalledName(event.request)}`;
    case 'signature-refused':
      return `${getRequestTarget(event.request)}: signature refused: ${event.reason}`;
    case 'token-refused':
      return `${getRequestTarget(event.request)}: token refused: ${event.reason}`;
    case 'access-denied':
      return `${getRequestTarget(event.request)}: access denied: ${event.reason}`;
    default:
      return undefined;
  }
}

function getRequestTarget({ runtime, operation, path }: RequestRecord): string {
  return runtime ?? (operation === 'sts' ? 'sts' : path);
}

function getCalledName({ operation, rpcMethod, tool }: RequestRecord): string {
  const called = rpcMethod ?? operation ?? 'a request';
  return tool === undefined ? called : `${called} ${tool}`;
}

function formatReadyLine(local: LocalRuntime): string {
  const { url, region, account, runtimes, gateways, env } = local;
  const { issuer, discoveryUrl, tokenUrl, clients } = local.oauth;
  return `${JSON.stringify({
    event: 'ready',
    url,
    pid: process.pid,
    region,
    account,
    runtimes,
    gateways,
    oauth: { issuer, discoveryUrl, tokenUrl, clients },
    ...(local.hasSso && { sso: pickSignInFields(local.sso) }),
    env,
  })}\n`;
}

function pickSignInFields({ startUrl, region, users }: LocalSso) {
  return { startUrl, region, users };
}

function formatSummary(local: LocalRuntime): string {
  const { url, region, account, runtimes, gateways, env } = local;
  const isWindows = process.platform === 'win32';
  const assign = isWindows ? 'set' : 'export';
  // Variables of real AWS credentials would override these or be mixed with them.
  const unset = isWindows
    ? ['AWS_PROFILE', 'AWS_SESSION_TOKEN', 'AWS_DEFAULT_PROFILE', 'AWS_SECURITY_TOKEN'].map(
        (name) => `  set ${name}=`,
      )
    : ['  unset AWS_PROFILE AWS_SESSION_TOKEN', '  unset AWS_DEFAULT_PROFILE AWS_SECURITY_TOKEN'];
  return [
    `Local AgentCore on ${url} (${region}, account ${account})`,
    '',
    ...runtimes.map(({ name, arn, protocol, sessions, authorizer }) => {
      const kind = [protocol, sessions, authorizer].filter(Boolean).join(', ');
      return `  ${name} (${kind})\n    ${arn}`;
    }),
    ...gateways.map(
      (gateway) => `  ${gateway.name} (gateway, ${gateway.authorizer})\n    ${gateway.url}`,
    ),
    '',
    ...formatSignInOptions(local),
    'For a client:',
    '',
    ...unset,
    ...Object.entries(env).map(([name, value]) => `  ${assign} ${name}=${value}`),
    '',
    'Ctrl-C stops it and its containers.',
    '',
  ].join('\n');
}

/** Formats the sign-in options that the configuration contains. Most configurations have none. */
function formatSignInOptions(local: LocalRuntime): string[] {
  const { tokenUrl, clients } = local.oauth;
  const lines: string[] = [];
  if (local.hasSso) {
    const { startUrl, region, users } = local.sso;
    lines.push(
      `SSO, as ${users.join(' or ')}:`,
      '',
      `  sso_start_url = ${startUrl}`,
      `  sso_region = ${region}`,
      '',
    );
  }
  if (clients.length > 0) {
    lines.push(`OAuth, as ${clients.join(' or ')}:`, '', `  token URL ${tokenUrl}`, '');
  }
  return lines;
}
