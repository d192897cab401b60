import { type ChildProcess, spawn } from 'node:child_process';
import type { Environment } from '../environment.ts';

/** Milliseconds that a command may take; some of them open a browser. */
const RUN_WITHIN = 50_000;
const MOST_OUTPUT = 1024 * 1024;
/** Characters of the end of stderr that a sentence repeats. */
const MOST_STDERR = 400;

export interface CommandOptions {
  readonly command: string;
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly within?: number;
  /** What of its stderr a sentence may repeat; all of it, if nothing is said here. */
  readonly quote?: (stderr: string) => string;
}

/**
 * Runs a command line in a shell, with stdin closed: whatever it asks, nobody could answer. Resolves
 * with what it wrote to stdout, which is never repeated; its end takes along what it has started.
 *
 * @param fail Makes the error that is thrown, of words that follow the command's name.
 */
export async function commandOutput(
  options: CommandOptions,
  fail: (what: string) => Error,
): Promise<string> {
  const { command, env, signal, within = RUN_WITHIN, quote = String } = options;
  const child = spawn(command, {
    shell: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: env as NodeJS.ProcessEnv,
    windowsHide: true,
    // A group of its own, so that what the shell has started can be ended with it.
    detached: process.platform !== 'win32',
  });
  const stop = () => endGroup(child);
  process.once('exit', stop);
  signal.addEventListener('abort', stop, { once: true });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      let output = '';
      let errors = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.length > MOST_OUTPUT) reject(fail('wrote more than 1 MB'));
      });
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        errors = (errors + text).slice(-MOST_STDERR);
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

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    if (process.platform === 'win32') child.kill();
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
