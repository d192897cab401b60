import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError, describeFileError } from '../../base/errors.ts';
import { CONFIRMED_CONFIG, digestCommand } from '../../base/exec.ts';
import { Settings } from '../settings/contributions.ts';
import { SAMPLE_RUNTIME } from '../settings/runtime-entry.ts';
import {
  isWorkspacePath,
  isWorkspaceSetting,
  resolveEntryPath,
} from '../settings/window-settings.ts';
import type { CommandConsent } from './command-consent.ts';
import type { PreparationStep, StartVariables } from './preparation.ts';

// Local AgentCores as child processes of this window. One is started before a server on it.

/** The address and the runtimes of a running local AgentCore. */
interface LocalEndpoint {
  readonly url: string;
  readonly runtimes: readonly { readonly name: string; readonly arn: string }[];
  /** Environment variables for a client: the URL, the region and the access key. */
  readonly env: Readonly<Record<string, string>>;
}

interface Running {
  readonly child: ChildProcess;
  readonly endpoint: Promise<LocalEndpoint>;
}

interface LocalOptions {
  /** The path of `cli.js`. */
  readonly program: string;
  /** The path of the configuration file. */
  readonly config: string;
  readonly env: () => Environment;
  /** Called with each line of stderr, including the output of the containers. */
  readonly log: (line: string) => void;
}

/** Milliseconds until the start of the process counts as failed. */
const READY_TIMEOUT_MS = 20_000;

/**
 * Window for restarts in milliseconds. After `MAX_RESTARTS` restarts within it, the process is
 * restarted only on the next request.
 */
const RESTART_WINDOW_MS = 60_000;

const MAX_RESTARTS = 3;

/** Milliseconds for servers to stop their sessions before the local AgentCore is killed. */
const STOP_TIMEOUT_MS = 2_000;

/** Maximum lines of stderr in the error message. */
const MAX_LINES = 20;

/**
 * A local AgentCore in a child process. It starts on first use. If it exits later, it restarts on
 * the same port, so its clients can continue.
 */
export class LocalAgentCore {
  readonly #options: LocalOptions;
  #running: Running | undefined;
  #port = 0;
  #restarts: readonly number[] = [];
  #isDisposed = false;
  /**
   * The digest of the confirmed configuration. If set, the process rejects any other configuration,
   * also after a restart.
   */
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
   * @throws {AgentCoreError} `config` if the process exits or prints something else first,
   *   `timeout` if the start takes too long, `shutdown` after {@link dispose}.
   */
  async ready(): Promise<LocalEndpoint> {
    if (this.#isDisposed) throw new AgentCoreError('shutdown', 'This window is ending');
    this.#running ??= this.#start();
    return this.#running.endpoint;
  }

  /**
   * Kills the process after {@link STOP_TIMEOUT_MS}, so servers can stop their sessions first. If
   * the extension host exits earlier, the process is killed then.
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
      // Read the rest of stdout. Otherwise, the process blocks on a full pipe.
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
    // If the start failed, the process is started again only on the next request.
    running.endpoint.then(
      () => this.#restart(),
      () => {
        // The old port can be in use, so use any free one.
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

/**
 * Parses the `ready` line of `agentcore-mcp local --json`.
 *
 * @throws if the line is another event or no JSON.
 */
function parseReadyLine(line: string): LocalEndpoint {
  const { event, url, runtimes, env } = JSON.parse(line);
  if (event !== 'ready') throw new Error('not ready');
  return { url, runtimes, env };
}

interface LocalPlaces {
  /** The extension's storage directory on this machine. */
  readonly storage: string;
  /** The path of the sample server. */
  readonly sampleServer: string;
  /** Returns the directory for relative configuration paths. `undefined` if no folder is open. */
  readonly folder: () => string | undefined;
}

/** The local AgentCores of this window, one per configuration file. */
export class LocalAgentCores {
  readonly #options: Omit<LocalOptions, 'config'>;
  readonly #places: LocalPlaces;
  readonly #byConfig = new Map<string, LocalAgentCore>();

  constructor(options: Omit<LocalOptions, 'config'>, places: LocalPlaces) {
    this.#options = options;
    this.#places = places;
  }

  /**
   * Returns the local AgentCore of a configuration file. If `config` is `undefined`, the sample's.
   */
  async of(config: string | undefined): Promise<LocalAgentCore> {
    const path = config === undefined ? await this.#writeSample() : this.readPathSetting(config);
    const known = this.#byConfig.get(path);
    if (known) return known;
    const local = new LocalAgentCore({ ...this.#options, config: path });
    this.#byConfig.set(path, local);
    return local;
  }

  /** Returns the absolute path of a configuration file. */
  readPathSetting(config: string): string {
    return resolveEntryPath(config, this.#places.folder());
  }

  dispose(): void {
    for (const local of this.#byConfig.values()) local.dispose();
  }

  /**
   * Writes the sample configuration if it has changed. Updates of the extension or VS Code change
   * the paths in it.
   */
  async #writeSample(): Promise<string> {
    const { storage, sampleServer } = this.#places;
    const path = join(storage, 'sample-agentcore.json');
    const text = createSampleConfig(process.execPath, sampleServer);
    if ((await readFile(path, 'utf8').catch(() => '')) !== text) {
      await mkdir(storage, { recursive: true });
      await writeFile(path, text);
    }
    return path;
  }
}

/**
 * Creates the step for a local AgentCore. The step starts it and returns the variables for the
 * server.
 *
 * @returns a step. It throws {@link AgentCoreError} `credentials` if the workspace controls the
 *   configuration and the user has not confirmed its commands.
 */
export function prepareLocal(
  locals: LocalAgentCores,
  consent: Pick<CommandConsent, 'require'>,
): PreparationStep {
  return async ({ name, target }) => {
    if (target.kind !== 'local') return undefined;
    const { config, runtime } = target;
    const local = await locals.of(config);
    // A running process has already read its configuration, so no confirmation is needed.
    if (local.pid === undefined) {
      const isOfWorkspace =
        config !== undefined && (isWorkspaceSetting(Settings.runtimes) || isWorkspacePath(config));
      local.confirmed = isOfWorkspace ? await confirmed(locals.readPathSetting(config)) : undefined;
    }
    return createLocalVariables(await local.ready(), runtime);

    async function confirmed(path: string): Promise<string> {
      const command = { kind: 'localConfig', text: await readText(path) } as const;
      consent.require(command, name);
      return digestCommand(command);
    }
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new AgentCoreError('config', `Could not read ${path}: ${describeFileError(cause)}`, {
      cause,
    });
  }
}

/** Variables that would change the endpoint or the credentials. They are removed for the proxy. */
const REMOVED_VARIABLES = [
  'AWS_PROFILE',
  'AWS_DEFAULT_PROFILE',
  'AWS_SESSION_TOKEN',
  'AWS_SECURITY_TOKEN',
  'AWS_ENDPOINT_URL_BEDROCK_AGENTCORE',
  'AWS_ENDPOINT_URL_STS',
  'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS',
  'AWS_USE_FIPS_ENDPOINT',
  'AWS_USE_DUALSTACK_ENDPOINT',
  // An HTTP proxy cannot reach the local AgentCore on this machine.
  ...['HTTP_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
];

/**
 * The variables for a proxy of a runtime on a local AgentCore.
 *
 * @throws {AgentCoreError} `config` if the local AgentCore has no runtime with this name.
 */
export function createLocalVariables(endpoint: LocalEndpoint, runtime: string): StartVariables {
  const { runtimes, env } = endpoint;
  const found = runtimes.find(({ name }) => name === runtime);
  if (!found) {
    const names = runtimes.map(({ name }) => name).join(', ') || 'none';
    throw new AgentCoreError(
      'config',
      `The local AgentCore has no runtime "${runtime}": name one of ${names}`,
    );
  }
  const nothing = Object.fromEntries(REMOVED_VARIABLES.map((name) => [name, null]));
  return { ...nothing, ...env, AGENTCORE_AGENT_ARN: found.arn };
}

/**
 * The sample configuration as JSON. All JSON is valid YAML.
 *
 * @param node The executable of VS Code. `ELECTRON_RUN_AS_NODE` makes it run as Node.
 * @param server The path of the sample server.
 */
function createSampleConfig(node: string, server: string): string {
  const sample = {
    command: [node, server],
    sessions: 'stateful',
    env: { ELECTRON_RUN_AS_NODE: '1' },
  };
  return `${JSON.stringify({ runtimes: { [SAMPLE_RUNTIME]: sample } }, undefined, 2)}\n`;
}
