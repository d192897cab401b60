import { AgentCoreError, messageOf } from '../error.ts';
import { DEFAULT_CONFIG_FILE, readConfigFile } from '../local/config-file.ts';
import type { LocalEvent, SessionChange } from '../local/events.ts';
import { parseFault } from '../local/faults.ts';
import { type LocalRuntime, startResolved } from '../local/local-runtime.ts';

const DEFAULT_PORT = 8787;
/** A stuck container must not keep the program: it is killed at this moment. */
const CLOSE_MS = 6000;
const QUIET_CHANGES: ReadonlySet<SessionChange> = new Set(['starting', 'invoked', 'answered']);
const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

export interface LocalOptions {
  /** The configuration file. Default: `agentcore-local.yaml` in the working folder. */
  readonly config?: string | undefined;
  /** Comes before the file's; 0 is any free port. */
  readonly port?: number | undefined;
  /** Faults in the short form or as JSON, besides the file's. */
  readonly faults?: readonly string[] | undefined;
  /** One JSON object a line instead of text for people. */
  readonly json?: boolean | undefined;
}

interface LocalStreams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Where SIGINT, SIGTERM, SIGHUP and `exit` come from: a process, or a test's emitter. */
  readonly signals: Pick<NodeJS.EventEmitter, 'on' | 'off'>;
}

/**
 * Serves a local AgentCore until SIGINT, SIGTERM or SIGHUP, and leaves no container behind.
 *
 * @returns the exit code: 0, 1 where the port is taken, 2 for a bad configuration or bad usage.
 */
export async function runLocal(options: LocalOptions, streams: LocalStreams): Promise<number> {
  let local: LocalRuntime;
  const ended = firstSignal(streams.signals);
  try {
    local = await startLocal(options, streams);
  } catch (error) {
    ended.stop();
    streams.stderr.write(`${messageOf(error)}\n`);
    const misused = error instanceof AgentCoreError && ['config', 'usage'].includes(error.code);
    return misused ? 2 : 1;
  }
  const killNow = () => local.killNow();
  streams.signals.on('exit', killNow);
  streams.stdout.write(options.json ? readyLine(local) : summary(local));
  await ended.signal;
  // Whoever asks a second time does not want to wait.
  const again = firstSignal(streams.signals);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS);
  });
  await Promise.race([local.close(), again.signal, late]);
  clearTimeout(timer);
  again.stop();
  local.killNow();
  streams.signals.off('exit', killNow);
  return 0;
}

async function startLocal(options: LocalOptions, streams: LocalStreams): Promise<LocalRuntime> {
  const faults = (options.faults ?? []).map(parseFault);
  const config = await readConfigFile(options.config ?? DEFAULT_CONFIG_FILE);
  const local = await startResolved(
    { ...config, port: options.port ?? config.port ?? DEFAULT_PORT },
    { listener: (event) => report(event, options, streams) },
  );
  for (const fault of faults) local.faults.inject(fault);
  return local;
}

function firstSignal(signals: LocalStreams['signals']): {
  readonly signal: Promise<void>;
  stop(): void;
} {
  let stop = () => {};
  const signal = new Promise<void>((resolve) => {
    const heard = () => {
      stop();
      resolve();
    };
    stop = () => {
      for (const name of END_SIGNALS) signals.off(name, heard);
    };
    for (const name of END_SIGNALS) signals.on(name, heard);
  });
  return { signal, stop: () => stop() };
}

function report(event: LocalEvent, { json }: LocalOptions, { stdout, stderr }: LocalStreams): void {
  // What a container says is its log, never the output of this program.
  if (event.type === 'container-output') {
    stderr.write(`[${event.runtime} ${event.pid ?? '-'}] ${event.line}\n`);
    return;
  }
  // Starts and stops are told; what goes on in between would drown them.
  if (event.type === 'session' && QUIET_CHANGES.has(event.change)) return;
  if (event.type === 'request') return;
  if (json) stdout.write(`${JSON.stringify({ event: event.type, ...withoutType(event) })}\n`);
  else {
    const line = sentence(event);
    if (line !== undefined) stdout.write(`${line}\n`);
  }
}

function withoutType({ type: _, ...rest }: LocalEvent): object {
  return rest;
}

function sentence(event: LocalEvent): string | undefined {
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
    default:
      return undefined;
  }
}

function readyLine({ url, region, account, runtimes, env }: LocalRuntime): string {
  const ready = { event: 'ready', url, pid: process.pid, region, account, runtimes, env };
  return `${JSON.stringify(ready)}\n`;
}

function summary({ url, region, account, runtimes, env }: LocalRuntime): string {
  const assign = process.platform === 'win32' ? 'set' : 'export';
  return [
    `Local AgentCore on ${url} (${region}, account ${account})`,
    '',
    ...runtimes.map(({ name, arn, protocol, sessions }) => {
      const kind = sessions ? `${protocol}, ${sessions}` : protocol;
      return `  ${name} (${kind})\n    ${arn}`;
    }),
    '',
    'For a client:',
    '',
    ...Object.entries(env).map(([name, value]) => `  ${assign} ${name}=${value}`),
    '',
    'Ctrl-C stops it and its containers.',
    '',
  ].join('\n');
}
