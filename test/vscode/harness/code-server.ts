import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { AgentCoreError } from '../../../src/base/errors.ts';
import { socketVariable } from '../driver-extension/protocol.ts';
import { layout } from '../install/layout.ts';
import type { RunFolder } from './run-folder.ts';
import { until } from './until.ts';

const startMs = 120_000;
const installMs = 180_000;
const stopMs = 5_000;
const keptOutput = 65_536;

export interface CodeServerOptions {
  /** Whether VS Code starts in Restricted Mode until the folder is trusted. */
  readonly workspaceTrust: boolean;
  /** Extensions that may use proposed API. */
  readonly proposedApi: readonly string[];
  /** Additional environment variables for VS Code, its extensions and their child processes. */
  readonly env: Readonly<Record<string, string>>;
}

/** A VS Code that is served to browsers, in its own process group. */
export class CodeServer {
  readonly #child: ChildProcess;
  #output = '';
  #url = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-keptOutput);
      });
    }
  }

  /** Resolves once it responds on a port of its choice. */
  static async start(folder: RunFolder, options: CodeServerOptions): Promise<CodeServer> {
    const server = new CodeServer(
      spawn(
        // The kernel kills it when this process ends in any way.
        'setpriv',
        ['--pdeathsig', 'TERM', layout.node, layout.entry, ...serverArguments(folder, options)],
        {
          env: environment(folder, options.env),
          detached: true,
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      ),
    );
    try {
      await until(startMs, 'code-server', () => server.#answers());
    } catch (cause) {
      await server.stop();
      throw new AgentCoreError('timeout', `code-server does not answer: ${server.#output}`, {
        cause,
      });
    }
    return server;
  }

  /** `http://127.0.0.1:` and its port. */
  get url(): string {
    return this.#url;
  }

  /** Stops it and all its child processes. */
  async stop(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined) return;
    if (exitCode === null && signalCode === null) {
      const exit = once(this.#child, 'exit');
      const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), stopMs);
      this.#child.kill('SIGTERM');
      await exit;
      clearTimeout(timer);
    }
    signalGroup(pid, 'SIGKILL');
  }

  async #answers(): Promise<boolean> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) {
      throw new AgentCoreError('upstream', `code-server ended with ${exitCode ?? signalCode}`);
    }
    // Printed once it has its port.
    const [, url] = /HTTP server listening on (http:\/\/[^\s/]+)/.exec(this.#output) ?? [];
    if (url === undefined) return false;
    this.#url = url;
    const signal = AbortSignal.timeout(1000);
    return await fetch(`${url}/healthz`, { signal }).then(
      ({ ok }) => ok,
      () => false,
    );
  }
}

/** Installs a packaged extension before VS Code is started. */
export async function installVsix(folder: RunFolder, vsix: string): Promise<void> {
  const args = [layout.entry, ...folderArguments(folder), '--install-extension', vsix, '--force'];
  await promisify(execFile)(layout.node, args, {
    env: environment(folder, {}),
    timeout: installMs,
    killSignal: 'SIGKILL',
  });
}

function folderArguments({ config, data, extensions }: RunFolder): readonly string[] {
  return ['--config', config, '--user-data-dir', data, '--extensions-dir', extensions];
}

function serverArguments(folder: RunFolder, options: CodeServerOptions): readonly string[] {
  return [
    ...folderArguments(folder),
    '--auth=none',
    '--bind-addr=127.0.0.1:0',
    '--disable-telemetry',
    '--disable-update-check',
    '--disable-getting-started-override',
    ...(options.workspaceTrust ? [] : ['--disable-workspace-trust']),
    ...options.proposedApi.flatMap((id) => ['--enable-proposed-api', id]),
  ];
}

/** The environment without the developer's credentials, profiles and settings. */
function environment(
  folder: RunFolder,
  more: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    LANG: 'C.UTF-8',
    HOME: folder.home,
    AGENTCORE_STATE_DIR: folder.state,
    AWS_EC2_METADATA_DISABLED: 'true',
    [socketVariable]: folder.driverSocket,
    ...more,
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The whole process group has exited.
  }
}
