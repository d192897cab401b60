import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { AgentCoreError, getErrorMessage } from '../../error.ts';
import type { Log } from '../../log.ts';

/** The last lines of stderr and their length in characters, kept to explain an exit. */
const LAST_LINES = 20;

const LINE_LENGTH = 500;

/** Milliseconds from SIGTERM to SIGKILL. */
const STOP_TIMEOUT_MS = 5_000;

/** Milliseconds from the end of its output to SIGTERM. */
const EXIT_TIMEOUT_MS = 1_000;

export interface ChildCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** A process with MCP on stdin and stdout. Keeps the last lines of its stderr. */
export class ChildProcess {
  readonly stdin: ChildProcessWithoutNullStreams['stdin'];
  readonly stdout: ChildProcessWithoutNullStreams['stdout'];
  /** Resolves with the reason when the process has exited or could not be started. */
  readonly ended: Promise<AgentCoreError>;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lastLines: string[] = [];

  constructor(command: ChildCommand, log: Log) {
    const { program, args, cwd, env } = command;
    this.#process = spawn(program, args, { cwd, env, stdio: 'pipe' });
    this.stdin = this.#process.stdin;
    this.stdout = this.#process.stdout;
    // Ignore write errors: `ended` reports the reason, and later writes are lost in any case.
    this.stdin.on('error', () => undefined);
    createInterface({ input: this.#process.stderr }).on('line', (line) => {
      log('info', `[${program}] ${line}`);
      this.#lastLines.push(line.slice(0, LINE_LENGTH));
      if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift();
    });
    this.ended = new Promise((resolve) => {
      this.#process.once('error', (cause) => {
        if (this.#process.pid === undefined) resolve(this.#failure(getErrorMessage(cause), cause));
      });
      this.#process.once('close', (code, signal) => {
        resolve(this.#failure(signal ? `killed by ${signal}` : `exit code ${code}`));
      });
    });
  }

  /** False if the program could not be started. */
  get started(): boolean {
    return this.#process.pid !== undefined;
  }

  /** After the process closed its output, waits one second and then stops it. */
  async endSoon(): Promise<void> {
    const timer = setTimeout(() => void this.stop(), EXIT_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  /** Sends SIGTERM, and SIGKILL after five seconds. Resolves when the process has exited. */
  async stop(): Promise<void> {
    if (!this.started) return;
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  #failure(how: string, cause?: unknown): AgentCoreError {
    const what = this.started ? 'ended' : 'could not be started';
    const last = this.#lastLines.at(-1);
    return new AgentCoreError(
      'upstream',
      `The MCP server ${what} (${how}${last ? `; it said last: ${last}` : ''}): initialize again to start it anew, and look at its logs`,
      { cause, data: { started: this.started, stderr: [...this.#lastLines] } },
    );
  }
}
