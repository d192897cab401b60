import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError } from '../../base/errors.ts';
import { CONFIRMED_CONFIG } from '../../base/exec.ts';

/** The address and the runtimes of a running local AgentCore. */
export interface LocalEndpoint {
  readonly url: string;
  readonly runtimes: readonly { readonly name: string; readonly arn: string }[];
  /** Variables for a client: the URL, the region and the access key. */
  readonly env: Readonly<Record<string, string>>;
}

interface Running {
  readonly child: ChildProcess;
  readonly endpoint: Promise<LocalEndpoint>;
}

export interface LocalOptions {
  /** The path of `cli.js`. */
  readonly program: string;
  /** The path of the configuration file. */
  readonly config: string;
  readonly env: () => Environment;
  /** Called with each line of stderr, including the output of the containers. */
  readonly log: (line: string) => void;
}

/** Startup timeout in milliseconds. */
const READY_TIMEOUT_MS = 20_000;

/**
 * In milliseconds. After `MAX_RESTARTS` exits within this window, it stays down until the next
 * request.
 */
const RESTART_WINDOW_MS = 60_000;

const MAX_RESTARTS = 3;

/** Milliseconds for programs to stop their sessions before the local AgentCore is killed. */
const STOP_TIMEOUT_MS = 2_000;

/** Lines of stderr kept for the error message. */
const MAX_LINES = 20;

/**
 * A local AgentCore in a child process. It starts on first use. If it dies, it restarts on the same
 * port so that its clients can continue.
 */
export class LocalAgentCore {
  readonly #options: LocalOptions;
  #running: Running | undefined;
  #port = 0;
  #restarts: readonly number[] = [];
  #isDisposed = false;
  /** If set, only a configuration with this digest may be used, now and at restarts. */
  confirmed: string | undefined;
  readonly #killNow = () => this.#running?.child.kill();

  constructor(options: LocalOptions) {
    this.#options = options;
    process.once('exit', this.#killNow);
  }

  /** The process id, or `undefined` if it is not running. */
  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  /**
   * Starts the process if it is not running. Resolves when it accepts requests.
   *
   * @throws {AgentCoreError} `config` if the process exits because of a configuration error,
   *   `timeout` if the startup takes too long.
   */
  async ready(): Promise<LocalEndpoint> {
    if (this.#isDisposed) throw new AgentCoreError('shutdown', 'This window is ending');
    this.#running ??= this.#start();
    return this.#running.endpoint;
  }

  /**
   * Kills the process after {@link GRACE}, so that servers can first stop their sessions. If the
   * extension host exits earlier, the process ends with it.
   */
  dispose(): void {
    this.#isDisposed = true;
    const { child } = this.#running ?? {};
    if (!child) process.off('exit', this.#killNow);
    else setTimeout(() => child.kill(), STOP_TIMEOUT_MS).unref();
  }

  #start(): Running {
    const { program, config, env, log } = this.#options;
    const port = String(this.#port);
    const args = [program, 'local', '--config', config, '--port', port, '--json'];
    const child = spawn(process.execPath, args, {
      env: {
        ...env(),
        ELECTRON_RUN_AS_NODE: '1',
        ...(this.confirmed && { [CONFIRMED_CONFIG]: this.confirmed }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const said: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      if (said.length > MAX_LINES) said.shift();
      log(line);
    });
    const running = { child, endpoint: this.#untilReady(child, said) };
    running.endpoint.then(
      ({ url }) => {
        this.#port = Number(new URL(url).port);
      },
      () => child.kill(),
    );
    child.once('close', () => this.#ended(running));
    return running;
  }

  #untilReady(child: ChildProcess, said: readonly string[]): Promise<LocalEndpoint> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const seconds = READY_TIMEOUT_MS / 1000;
        const sentence = `The local AgentCore was not ready within ${seconds} s`;
        reject(new AgentCoreError('timeout', sentence));
      }, READY_TIMEOUT_MS);
      const fail = (sentence: string) => {
        clearTimeout(timer);
        reject(new AgentCoreError('config', sentence));
      };
      child.once('error', ({ message }) => fail(`The local AgentCore did not start: ${message}`));
      child.once('close', () => fail(said.join('\n') || 'The local AgentCore ended at once'));
      const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
      lines.once('line', (line) => {
        clearTimeout(timer);
        try {
          resolve(parseReadyLine(line));
        } catch {
          fail(`The local AgentCore said something else than that it serves: ${line}`);
        }
      });
      // Drain stdout, so that the process does not block on a full pipe.
      lines.on('line', () => {});
    });
  }

  #ended(running: Running): void {
    if (this.#running !== running) return;
    this.#running = undefined;
    if (this.#isDisposed) {
      process.off('exit', this.#killNow);
      return;
    }
    // After a failed start, it stays down until the next request.
    running.endpoint.then(
      () => this.#restart(),
      () => {
        // The old port may be in use.
        this.#port = 0;
      },
    );
  }

  #restart(): void {
    const now = Date.now();
    const recent = this.#restarts.filter((at) => now - at < RESTART_WINDOW_MS);
    if (recent.length >= MAX_RESTARTS || this.#isDisposed || this.#running) return;
    this.#restarts = [...recent, now];
    this.#options.log('The local AgentCore ended, and is started again.');
    this.ready().catch((thrown: Error) => this.#options.log(thrown.message));
  }
}

/** @throws if the line is not the `ready` event. */
function parseReadyLine(line: string): LocalEndpoint {
  const { event, url, runtimes, env } = JSON.parse(line);
  if (event !== 'ready') throw new Error('not ready');
  return { url, runtimes, env };
}
