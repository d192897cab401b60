import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CONFIRMED_CONFIG } from '../../confirmed-commands.ts';
import type { Environment } from '../../environment.ts';
import { AgentCoreError } from '../../error.ts';

/** A local AgentCore that serves. */
export interface LocalEndpoint {
  readonly url: string;
  readonly runtimes: readonly { readonly name: string; readonly arn: string }[];
  /** What a client's environment needs to come there: its URL, region and access key. */
  readonly env: Readonly<Record<string, string>>;
}

interface Running {
  readonly child: ChildProcess;
  readonly endpoint: Promise<LocalEndpoint>;
}

export interface LocalOptions {
  /** The path of `cli.js`. */
  readonly program: string;
  /** The path of the configuration. */
  readonly config: string;
  readonly env: () => Environment;
  /** What it and its containers say, line by line. */
  readonly log: (line: string) => void;
}

/** Milliseconds until it serves. */
const READY_WITHIN = 20_000;
/** Milliseconds in which it may die so often before it stays dead until somebody wants it again. */
const RESTART_WINDOW = 60_000;
const MOST_RESTARTS = 3;
/** Milliseconds for programs to stop their sessions on it before it goes. */
const GRACE = 2_000;
/** How much of what it says is kept to say why it ended. */
const MOST_LINES = 20;

/**
 * A local AgentCore in a process of its own, started when somebody first wants it. Where it dies, it
 * is started again at the same address, so that whoever talks with it goes on.
 */
export class LocalAgentCore {
  readonly #options: LocalOptions;
  #running: Running | undefined;
  #port = 0;
  #restarts: readonly number[] = [];
  #isDisposed = false;
  /** The digest of the only configuration that may be used, now and at restarts; absent: any may. */
  confirmed: string | undefined;
  readonly #killNow = () => this.#running?.child.kill();

  constructor(options: LocalOptions) {
    this.#options = options;
    process.once('exit', this.#killNow);
  }

  /** Id of its process; nothing while there is none. */
  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  /**
   * Starts it where it does not run, and resolves once it serves.
   *
   * @throws {AgentCoreError} `config` where it ends with the configuration's mistakes, `timeout`
   *   where it takes too long.
   */
  async ready(): Promise<LocalEndpoint> {
    if (this.#isDisposed) throw new AgentCoreError('shutdown', 'This window is ending');
    this.#running ??= this.#start();
    return this.#running.endpoint;
  }

  /**
   * Ends it, after a moment in which the servers that use it can stop their sessions. Where this
   * program goes before, it ends by itself.
   */
  dispose(): void {
    this.#isDisposed = true;
    const { child } = this.#running ?? {};
    if (!child) process.off('exit', this.#killNow);
    else setTimeout(() => child.kill(), GRACE).unref();
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
      if (said.length > MOST_LINES) said.shift();
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
        const seconds = READY_WITHIN / 1000;
        const sentence = `The local AgentCore was not ready within ${seconds} s`;
        reject(new AgentCoreError('timeout', sentence));
      }, READY_WITHIN);
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
          resolve(endpointOf(line));
        } catch {
          fail(`The local AgentCore said something else than that it serves: ${line}`);
        }
      });
      // What it goes on to tell is read, so that it does not wait for a reader.
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
    // One that never served is started again when somebody wants it, not before.
    running.endpoint.then(
      () => this.#restart(),
      () => {
        // Its old port may be what is in its way.
        this.#port = 0;
      },
    );
  }

  #restart(): void {
    const now = Date.now();
    const recent = this.#restarts.filter((at) => now - at < RESTART_WINDOW);
    if (recent.length >= MOST_RESTARTS || this.#isDisposed || this.#running) return;
    this.#restarts = [...recent, now];
    this.#options.log('The local AgentCore ended, and is started again.');
    this.ready().catch((thrown: Error) => this.#options.log(thrown.message));
  }
}

/** @throws where the line is another than the ready one. */
function endpointOf(line: string): LocalEndpoint {
  const { event, url, runtimes, env } = JSON.parse(line);
  if (event !== 'ready') throw new Error('not ready');
  return { url, runtimes, env };
}
