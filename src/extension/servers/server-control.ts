import * as vscode from 'vscode';
import { createCallStatement } from '../../aws/iam/access-denied.ts';
import { sleep, waitUntil, waitUntilSettled, withAbort } from '../../base/async.ts';
import { AgentCoreError } from '../../base/errors.ts';
import { ErrorCode } from '../../mcp/message.ts';
import type { ServersModel } from '../models/servers-model.ts';
import { Contexts } from '../settings/contributions.ts';
import type { RuntimeStore } from '../settings/runtime-store.ts';
import { getTargetArn } from '../settings/server-environment.ts';
import type { McpDefinitionProvider } from './definition-provider.ts';
import { UserCancelledError } from './preparation.ts';

// Starts, stops and restarts MCP servers in VS Code, and checks whether its settings allow MCP
// servers.

/** Timeouts and delays in milliseconds. */
const TIMEOUTS_MS = {
  /** Time until VS Code has registered a new server. */
  known: 15_000,
  /**
   * Delay between two attempts to start. VS Code ignores a start within one second after a change.
   */
  again: 500,
  /** Timeout of a start. It is long, because the user may have to sign in first. */
  started: 6 * 60_000,
  /** Time from the end of a start until the server's first journal record. */
  seen: 5_000,
  /** Time until a settings change reaches the server definitions. Some changes never do. */
  told: 1_000,
  /** VS Code waits before it kills a process. Includes a margin. */
  stopped: 25_000,
};

/** Poll interval for the state of a server, in milliseconds. */
const POLL_INTERVAL_MS = 200;

/**
 * Commands of VS Code (source: `mcpCommands.ts` of microsoft/vscode). Their argument is a server
 * id, and an unknown id has no effect. Older versions ignore `waitForLiveTools`.
 */
const START = 'workbench.mcp.startServer';

const STOP = 'workbench.mcp.stopServer';

const SHOW_OUTPUT = 'workbench.mcp.showOutput';

type ProviderEvents = Pick<
  McpDefinitionProvider,
  'onDidPrepare' | 'onDidChangeMcpServerDefinitions'
>;

/**
 * Starts and stops the servers of this window. Uses commands of VS Code, because it has no API for
 * this.
 */
export class ServerController {
  readonly #extensionId: string;
  readonly #store: Pick<RuntimeStore, 'find'>;
  readonly #provider: ProviderEvents;
  readonly #running: ServersModel;
  readonly #timeoutsMs: typeof TIMEOUTS_MS;
  /** Number of stops by server. A start compares it to detect a concurrent stop. */
  readonly #stops = new Map<string, number>();

  constructor(options: {
    /** `publisher.name`. */
    readonly extensionId: string;
    readonly store: Pick<RuntimeStore, 'find'>;
    readonly provider: ProviderEvents;
    readonly running: ServersModel;
    readonly timeoutsMs?: Partial<typeof TIMEOUTS_MS>;
  }) {
    this.#extensionId = options.extensionId;
    this.#store = options.store;
    this.#provider = options.provider;
    this.#running = options.running;
    this.#timeoutsMs = { ...TIMEOUTS_MS, ...options.timeoutsMs };
  }

  /**
   * Starts a server. Resolves when it runs, or immediately if it already runs.
   *
   * @param signal Aborts only the wait. The start continues.
   * @throws {UserCancelledError} if the user cancelled, stopped the server or has already seen the
   *   error.
   * @throws {AgentCoreError} `upstream` if the server exited again or the runtime answered with an
   *   error, `connection` if it could not be reached.
   * @throws {AgentCoreError} `timeout` if VS Code does not start the server, `config` if a setting
   *   disables MCP servers.
   */
  async start(name: string, signal?: AbortSignal): Promise<void> {
    requireMcp();
    await this.#running.refresh();
    if (this.#running.hasAnswered(name)) return;
    const start = this.#start(name, new Set());
    if (!signal) return start;
    await withAbort(start, signal).catch((thrown) => {
      if (!signal.aborted) throw thrown;
    });
  }

  /**
   * Stops a server. Resolves when its process has exited, or immediately if it is not running.
   *
   * @throws {AgentCoreError} `timeout` if the process does not exit.
   */
  async stop(name: string): Promise<void> {
    this.#stops.set(name, this.#getStopCount(name) + 1);
    await vscode.commands.executeCommand(STOP, this.#getServerId(name));
    const isGone = await this.#waitUntil(
      () => this.#running.getPids(name).length === 0,
      this.#timeoutsMs.stopped,
    );
    if (isGone) return;
    throw new AgentCoreError(
      'timeout',
      vscode.l10n.t(
        'Server "{0}" did not exit within {1} s',
        name,
        this.#timeoutsMs.stopped / 1000,
      ),
      { data: { server: name } },
    );
  }

  /**
   * Starts a new process. In modes `session` and `request`, this also starts a new session.
   *
   * @param between Runs while the server is stopped. If it throws, the server is started before the
   *   error is rethrown, so the user still has a server.
   */
  async restart(name: string, between: () => Promise<void> = async () => {}): Promise<void> {
    await this.#running.refresh();
    const before = new Set(this.#running.getPids(name));
    await this.stop(name);
    try {
      await between();
    } finally {
      await this.#start(name, before);
    }
  }

  /**
   * Changes the definition of a server. VS Code then stops the server and starts it only on demand.
   * If the server was running, this restarts it.
   */
  async change(name: string, change: () => Promise<void>): Promise<void> {
    await this.#running.refresh();
    if (this.#running.getPids(name).length === 0) return change();
    let tell = () => {};
    const told = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const subscription = this.#provider.onDidChangeMcpServerDefinitions(() => tell());
    try {
      await this.restart(name, async () => {
        await change();
        await waitUntilSettled(told, this.#timeoutsMs.told);
      });
    } finally {
      subscription.dispose();
    }
  }

  async showOutput(name: string): Promise<void> {
    await vscode.commands.executeCommand(SHOW_OUTPUT, this.#getServerId(name));
  }

  /** VS Code builds the id from the extension id in lower case and the label. */
  #getServerId(name: string): string {
    return `${this.#extensionId.toLowerCase()}/${name}`;
  }

  #getStopCount(name: string): number {
    return this.#stops.get(name) ?? 0;
  }

  async #start(name: string, before: ReadonlySet<number>): Promise<void> {
    const since = Date.now();
    const stops = this.#getStopCount(name);
    const isStopped = () => this.#getStopCount(name) !== stops;
    const runs = () => this.#running.getPids(name).some((pid) => !before.has(pid));
    let prepared: 'ready' | 'cancelled' | 'failed' | undefined;
    const subscription = this.#provider.onDidPrepare((event) => {
      if (event.name === name) prepared = event.outcome;
    });
    try {
      const isBegun = () => runs() || prepared !== undefined;
      const request = async () => {
        if (isBegun()) return true;
        await this.#requestStart(name).catch((thrown) => {
          // The preparation has already shown this error.
          if (prepared !== 'failed') throw thrown;
        });
        await this.#running.refresh();
        return isBegun();
      };
      const { again: intervalMs, known: timeoutMs } = this.#timeoutsMs;
      if (!(await waitUntil(request, { intervalMs, timeoutMs }))) throw createNotStartedError(name);
    } finally {
      subscription.dispose();
    }
    if (prepared === 'cancelled' || prepared === 'failed') throw new UserCancelledError();
    const wasAnswered = await this.#waitForHandshake(name, since, isStopped);
    // If the wait for `initialize` timed out, do not wait again.
    const timeoutsMs = wasAnswered ? this.#timeoutsMs.seen : 0;
    await this.#waitUntil(() => runs() || isStopped(), timeoutsMs);
    if (isStopped()) throw new UserCancelledError();
    if (runs()) return;
    throw new AgentCoreError(
      'upstream',
      vscode.l10n.t('Server "{0}" has exited again. See its output for the reason.', name),
      { data: { server: name } },
    );
  }

  /**
   * Waits for the outcome of `initialize` in the journal. If the runtime does not answer, VS Code
   * stops the server and reports this only in its output.
   *
   * @returns whether the journal contains an outcome.
   * @throws {AgentCoreError} `upstream` if the runtime answered with an error, `connection` if it
   *   could not be reached.
   */
  async #waitForHandshake(name: string, since: number, isStopped: () => boolean): Promise<boolean> {
    const handshake = () => this.#running.findHandshake(name, since);
    await this.#waitUntil(() => handshake() !== undefined || isStopped(), this.#timeoutsMs.seen);
    if (isStopped()) throw new UserCancelledError();
    const { outcome, code } = handshake() ?? {};
    if (outcome === undefined) return false;
    if (outcome === 'result' || outcome === 'cancelled') return true;
    if (code === ErrorCode.accessDenied) throw this.#denied(name);
    const sentence =
      code === undefined
        ? vscode.l10n.t(
            'Could not reach runtime "{0}". See the output of its server for the reason.',
            name,
          )
        : vscode.l10n.t(
            'Runtime "{0}" returned an error. See the output of its server for the reason.',
            name,
          );
    const kind = code === undefined ? 'connection' : 'upstream';
    throw new AgentCoreError(kind, sentence, { data: { server: name } });
  }

  /**
   * Creates the error for a denied call. If IAM authorizes calls, it contains the missing
   * statement. With a token, the authorizer of the runtime decides, and no statement helps.
   */
  #denied(name: string): AgentCoreError {
    const entry = this.#store.find(name);
    const arn = entry?.authorization.kind === 'iam' ? getTargetArn(entry) : undefined;
    const statement = arn && createCallStatement(arn, entry?.qualifier);
    return new AgentCoreError(
      'upstream',
      vscode.l10n.t('Access denied: the credentials of runtime "{0}" may not call it', name),
      { data: { server: name, ...(statement && { statements: [{ statement }] }) } },
    );
  }

  /**
   * Requests a start from VS Code. Resolves when the tools are available, the start fails, or the
   * timeout passes.
   */
  async #requestStart(name: string): Promise<void> {
    const ending = new AbortController();
    const command = vscode.commands.executeCommand(START, this.#getServerId(name), {
      waitForLiveTools: true,
    });
    try {
      await Promise.race([command, sleep(this.#timeoutsMs.started, ending.signal)]);
    } finally {
      ending.abort();
    }
  }

  #waitUntil(isTrue: () => boolean, timeoutMs: number): Promise<boolean> {
    const check = async () => {
      await this.#running.refresh();
      return isTrue();
    };
    return waitUntil(check, { intervalMs: POLL_INTERVAL_MS, timeoutMs });
  }
}

function createNotStartedError(name: string): AgentCoreError {
  return new AgentCoreError(
    'timeout',
    vscode.l10n.t('VS Code did not start server "{0}". Start it from the list of servers.', name),
    { data: { listsServers: true } },
  );
}

/**
 * The VS Code setting that disables MCP servers, or `undefined` if they are enabled. An
 * organization's policy may control these settings.
 */
function findDisablingSetting(): string | undefined {
  const chat = vscode.workspace.getConfiguration('chat');
  if (chat.get<boolean>('disableAIFeatures') === true) return 'chat.disableAIFeatures';
  if (chat.get<boolean>('agent.enabled') === false) return 'chat.agent.enabled';
  if (chat.get<string>('mcp.access') === 'none') return 'chat.mcp.access';
  // Predecessor of `chat.mcp.access`.
  return chat.get<boolean>('mcp.enabled') === false ? 'chat.mcp.enabled' : undefined;
}

/**
 * Checks that VS Code starts MCP servers.
 *
 * @throws {AgentCoreError} `config`, with the setting, if they are disabled.
 */
function requireMcp(): void {
  const setting = findDisablingSetting();
  if (setting !== undefined) {
    throw new AgentCoreError('config', describeDisabledBy(setting), { data: { setting } });
  }
}

/**
 * Reports whether a setting disables MCP servers. Updates the context key and calls `onChange` now
 * and after each change.
 */
export function watchMcpAvailability(
  onChange: (sentence: string | undefined) => void,
): vscode.Disposable {
  const update = () => {
    const setting = findDisablingSetting();
    const isOff = setting !== undefined;
    void vscode.commands.executeCommand('setContext', Contexts.mcpIsOff, isOff);
    onChange(isOff ? describeDisabledBy(setting) : undefined);
  };
  update();
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration('chat')) update();
  });
}

function describeDisabledBy(setting: string): string {
  return vscode.l10n.t('MCP servers are disabled in VS Code by the setting {0}', setting);
}
