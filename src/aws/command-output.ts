import { type ChildProcess, spawn } from 'node:child_process';
import type { Environment } from '../environment.ts';

/** Command timeout in milliseconds. Some commands open a browser. */
const COMMAND_TIMEOUT_MS = 50_000;

const MAX_OUTPUT_BYTES = 1024 * 1024;

/** Maximum characters of stderr in an error message, from its end. */
const MAX_STDERR_LENGTH = 400;

interface CommandOptions {
  readonly command: string;
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** Timeout in milliseconds. */
  readonly within?: number;
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
  const { command, env, signal, within = COMMAND_TIMEOUT_MS, quote = String } = options;
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
      const said = () => {
        const words = quote(errors).trim();
        return words ? `: ${words.replace(/\s*\n\s*/g, ' / ')}` : '';
      };
      timer = setTimeout(
        () =>
          reject(
            fail(`did not end within ${within / 1000} s; it cannot ask anything here${said()}`),
          ),
        within,
      );
      child.on('error', ({ message }) => reject(fail(`could not be started: ${message}`)));
      child.on('close', (code, killed) => {
        if (code === 0) resolve(output);
        else reject(fail(`failed (${killed ?? `exit code ${code}`})${said()}`));
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
