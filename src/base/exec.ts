import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { Environment } from './environment.ts';
import { AgentCoreError } from './errors.ts';

/** Runs shell commands, and restricts VS Code to confirmed commands. */

/** Command timeout in milliseconds. Some commands open a browser. */
const COMMAND_TIMEOUT_MS = 50_000;

/** Maximum length of stdout. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

/** Maximum characters of stderr in an error message, from its end. */
const MAX_STDERR_LENGTH = 400;

interface CommandOptions {
  readonly command: string;
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** Timeout in milliseconds. */
  readonly timeoutMs?: number;
  /** Returns the part of stderr for an error message. The default is all of it. */
  readonly quote?: (stderr: string) => string;
}

/**
 * Runs a command line in a shell and returns its stdout. Stdin is closed, because no user could
 * answer a prompt. Error messages never contain stdout. If the call ends early, it kills the
 * command and its child processes.
 *
 * @param fail Creates the error from a text to append to the command's name.
 */
export async function runCommand(
  options: CommandOptions,
  fail: (what: string) => Error,
): Promise<string> {
  const { command, env, signal, timeoutMs = COMMAND_TIMEOUT_MS, quote = String } = options;
  const child = spawn(command, {
    shell: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: env as NodeJS.ProcessEnv,
    windowsHide: true,
    // A separate process group allows killing the child processes of the shell.
    detached: process.platform !== 'win32',
  });
  const stop = () => killProcessGroup(child);
  process.once('exit', stop);
  signal.addEventListener('abort', stop, { once: true });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      let output = '';
      let errors = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.length > MAX_OUTPUT_BYTES) reject(fail('wrote more than 1 MB'));
      });
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        errors = (errors + text).slice(-MAX_STDERR_LENGTH);
      });
      const formatStderr = () => {
        const words = quote(errors).trim();
        return words ? `: ${words.replace(/\s*\n\s*/g, ' / ')}` : '';
      };
      timer = setTimeout(
        () =>
          reject(
            fail(
              `did not end within ${timeoutMs / 1000} s; it cannot prompt here${formatStderr()}`,
            ),
          ),
        timeoutMs,
      );
      child.on('error', ({ message }) => reject(fail(`could not be started: ${message}`)));
      child.on('close', (code, killed) => {
        if (code === 0) resolve(output);
        else reject(fail(`failed (${killed ?? `exit code ${code}`})${formatStderr()}`));
      });
    });
  } finally {
    clearTimeout(timer);
    process.removeListener('exit', stop);
    signal.removeEventListener('abort', stop);
    stop();
  }
}

function killProcessGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    if (process.platform === 'win32') child.kill();
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The process has already exited.
  }
}

/**
 * Environment variable by which VS Code restricts its programs to confirmed workspace commands. The
 * value is `none` or a comma-separated list of SHA-256 digests. If it is not set, all commands may
 * run.
 */
export const CONFIRMED_PROCESSES = 'AGENTCORE_CONFIRMED_PROCESSES';

/** Like {@link CONFIRMED_PROCESSES}, for configuration files of the kind `localConfig`. */
export const CONFIRMED_CONFIG = 'AGENTCORE_CONFIRMED_CONFIG';

/** A command or file of the workspace, to be confirmed by the user before its use. */
export interface WorkspaceCommand {
  readonly kind:
    | 'credential_process'
    | 'tokenCommand'
    | 'localConfig'
    | 'environmentSecret'
    | 'awsLogin';
  /** The command line, the whole configuration with it, or the receiver of the secret. */
  readonly text: string;
}

/** Cause of an error. The error is resolved when the user confirms the command. */
export class UnconfirmedCommand extends Error {
  override readonly name = 'UnconfirmedCommand';
  readonly command: WorkspaceCommand;

  constructor(command: WorkspaceCommand) {
    super('The command is not confirmed');
    this.command = command;
  }
}

/** Finds the unconfirmed command in an error or its causes. */
export function findUnconfirmed(thrown: unknown): WorkspaceCommand | undefined {
  let at = thrown;
  for (let depth = 0; depth < MAX_DEPTH && at instanceof Error; depth += 1) {
    // Compare by name: two bundles in VS Code contain this class.
    if (at.name === 'UnconfirmedCommand') return (at as UnconfirmedCommand).command;
    at = at.cause;
  }
  return undefined;
}

/** Maximum length of a chain of causes. */
const MAX_DEPTH = 6;

/** SHA-256 of the text, in hexadecimal. */
export function digestCommand({ text }: Pick<WorkspaceCommand, 'text'>): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Checks the command against the confirmed ones in the environment.
 *
 * @throws {AgentCoreError} `credentials` or `config`, with an {@link UnconfirmedCommand} as cause.
 */
export function requireConfirmed(
  command: WorkspaceCommand,
  env: Environment,
  sentence: string,
): void {
  const isConfig = command.kind === 'localConfig';
  const confirmed = env[isConfig ? CONFIRMED_CONFIG : CONFIRMED_PROCESSES];
  if (!confirmed || confirmed.split(',').includes(digestCommand(command))) return;
  throw new AgentCoreError(isConfig ? 'config' : 'credentials', sentence, {
    cause: new UnconfirmedCommand(command),
  });
}
