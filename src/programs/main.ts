import module from 'node:module';
import type { Readable, Writable } from 'node:stream';
import type { Environment } from '../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import { escapeLines } from '../base/logger.ts';

/** Minimum Node version: shipped with VS Code 1.101 and required by package.json. */
const MIN_NODE_VERSION = '22.15';

/** Milliseconds to write the last output before the exit. */
export const OUTPUT_ENDS_MS = 500;

/** Streams of a program, and its handler for uncaught errors. */
export interface ProgramStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Set by a program that needs a clean shutdown after an uncaught error. */
  onFault?: () => void;
}

/** Streams of the process. Opens stdin on first use. */
class ProcessStreams implements ProgramStreams {
  readonly stdout = process.stdout;
  readonly stderr = process.stderr;
  onFault?: () => void;

  get stdin(): Readable {
    return process.stdin;
  }
}

/** Runs until the program ends. Resolves with the exit code. */
type Program = (env: Environment, streams: ProgramStreams) => Promise<number>;

/**
 * Runs a program and exits with its code: 2 for invalid usage or configuration, 1 for other
 * failures. A failure prints a message on stderr. Enables V8's compile cache for later imports.
 */
export async function main(program: Program): Promise<void> {
  if (isTooOld(process.versions.node)) {
    process.stderr.write(
      `agentcore-mcp needs Node ${MIN_NODE_VERSION} or newer, and this is ${process.version}\n`,
    );
    process.exit(1);
  }
  module.enableCompileCache();
  // A closed stderr must not crash the process.
  process.stderr.on('error', () => undefined);
  const streams = new ProcessStreams();
  let isFaulty = false;
  process.on('uncaughtException', (thrown) => {
    if (!streams.onFault) return void exitWithError(thrown);
    // Further errors may follow during the shutdown. Print only the first one.
    if (!isFaulty) process.stderr.write(`agentcore-mcp: ${escapeLines(getErrorMessage(thrown))}\n`);
    isFaulty = true;
    streams.onFault();
  });
  try {
    const code = await program(process.env, streams);
    await exitAfterFlush(isFaulty ? 1 : code);
  } catch (thrown) {
    await exitWithError(thrown);
  }
}

function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = MIN_NODE_VERSION.split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}

async function exitWithError(thrown: unknown): Promise<void> {
  process.stderr.write(`agentcore-mcp: ${escapeLines(getErrorMessage(thrown))}\n`);
  const isUsage =
    thrown instanceof AgentCoreError && (thrown.code === 'usage' || thrown.code === 'config');
  await exitAfterFlush(isUsage ? 2 : 1);
}

async function exitAfterFlush(code: number): Promise<void> {
  // Exit explicitly, because keep-alive sockets keep the process running. Flush first, because an
  // exit truncates the output.
  setTimeout(() => process.exit(code), OUTPUT_ENDS_MS).unref();
  await Promise.all([process.stdout, process.stderr].map(flushStream));
  process.exit(code);
}

async function flushStream(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength > 0) await new Promise((resolve) => stream.write('', resolve));
}

/** The reason for the shutdown of a program. */
type ShutdownReason = 'input' | 'signal' | 'output' | 'parent' | 'fault';

/**
 * Milliseconds from the start of the shutdown: until open calls get errors, until the proxy stops
 * waiting for session stops, and until it exits. The official MCP SDKs send SIGTERM 2 s after they
 * close stdin, and SIGKILL 2 s later.
 */
export const CALLS_END_MS = 1_500;

export const STOPPING_ENDS_MS = 2_700;

export const EXIT_TIMEOUT_MS = 3_000;

/** Exit code after Ctrl-C, by convention of shells: 128 + SIGINT. */
export const INTERRUPTED = 130;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Interval of the parent check, in milliseconds. */
const PARENT_CHECK_INTERVAL_MS = 1_000;

/**
 * Resolves when the program should end: on a signal, an uncaught error, or the exit of the parent.
 * The parent must be polled: stdin does not end if another process holds the pipe open.
 *
 * @param onSignal Called for each signal, with the number of signals so far.
 */
export async function waitForShutdown(
  streams: { onFault?: () => void },
  onSignal: (count: number) => void = () => undefined,
  program: NodeJS.Process = process,
): Promise<ShutdownReason> {
  const parent = program.ppid;
  return new Promise<ShutdownReason>((resolve) => {
    streams.onFault = () => resolve('fault');
    let signals = 0;
    // Keep the handlers: a second signal must not kill the program during its shutdown.
    for (const signal of SIGNALS) {
      program.on(signal, () => {
        onSignal(++signals);
        resolve('signal');
      });
    }
    const timer = setInterval(() => {
      if (isParentAlive(program, parent)) return;
      clearInterval(timer);
      resolve('parent');
    }, PARENT_CHECK_INTERVAL_MS);
    timer.unref();
  });
}

function isParentAlive(program: NodeJS.Process, parent: number): boolean {
  if (program.platform !== 'win32') return program.ppid === parent;
  try {
    return program.kill(parent, 0);
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
