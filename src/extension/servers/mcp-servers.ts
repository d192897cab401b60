import { setTimeout as delay } from 'node:timers/promises';
import * as vscode from 'vscode';
import { AgentCoreError } from '../../error.ts';
import { ErrorCode } from '../../mcp/errors.ts';
import { statementToCall } from '../commands/missing-statement.ts';
import type { RuntimeStore } from '../runtimes/runtime-store.ts';
import { requireMcp } from './mcp-switch.ts';
import type { RunningServers } from './running-servers.ts';
import { arnOf } from './server-environment.ts';
import { Cancelled } from './server-preparation.ts';
import type { ServerProvider } from './server-provider.ts';

/** In milliseconds. */
const PATIENCE = {
  /** In which VS Code learns of a server that has just been given to it. */
  known: 15_000,
  /** Between two attempts: for a second after a change, a start does nothing at all. */
  again: 500,
  /** For a start: somebody may have to sign in meanwhile. */
  started: 6 * 60_000,
  /** Between the end of a start and the first record of the server. */
  seen: 5_000,
  /** In which a change of the settings becomes one of the servers, where it becomes one. */
  told: 1_000,
  /** For VS Code to end a process that does not end by itself, and some more. */
  stopped: 25_000,
};
/** Milliseconds between two looks. */
const LOOK_EVERY = 200;

/**
 * VS Code's commands (source: `mcpCommands.ts` of microsoft/vscode). They take a server's id, and do
 * nothing where there is none of it; `waitForLiveTools` is passed over by versions before it.
 */
const START = 'workbench.mcp.startServer';
const STOP = 'workbench.mcp.stopServer';
const SHOW_OUTPUT = 'workbench.mcp.showOutput';

type ProviderEvents = Pick<ServerProvider, 'onDidPrepare' | 'onDidChangeMcpServerDefinitions'>;

/** Starts and stops the servers of this window, by VS Code's commands: it has no API for it. */
export class McpServers {
  readonly #extensionId: string;
  readonly #store: Pick<RuntimeStore, 'find'>;
  readonly #provider: ProviderEvents;
  readonly #running: RunningServers;
  readonly #patience: typeof PATIENCE;
  /** How often each server was stopped: who starts one sees whether it was stopped meanwhile. */
  readonly #stops = new Map<string, number>();

  constructor(options: {
    /** `publisher.name`. */
    readonly extensionId: string;
    readonly store: Pick<RuntimeStore, 'find'>;
    readonly provider: ProviderEvents;
    readonly running: RunningServers;
    readonly patience?: Partial<typeof PATIENCE>;
  }) {
    this.#extensionId = options.extensionId;
    this.#store = options.store;
    this.#provider = options.provider;
    this.#running = options.running;
    this.#patience = { ...PATIENCE, ...options.patience };
  }

  /**
   * Resolves once the server runs; one that runs already is left alone.
   *
   * @param signal Whoever aborts it does not wait any longer: the start itself goes on.
   * @throws {Cancelled} where the person did not want to go on, or was told already what is wrong.
   * @throws {AgentCoreError} `upstream` where it ended again, `timeout` where VS Code does not start
   *   it, `config` where its settings have switched servers off.
   */
  async start(name: string, signal?: AbortSignal): Promise<void> {
    requireMcp();
    await this.#running.refresh();
    if (this.#running.hasAnswered(name)) return;
    await untilAborted(this.#start(name, new Set()), signal);
  }

  /** Resolves once its process is gone. One that does not run is left alone. */
  async stop(name: string): Promise<void> {
    this.#stops.set(name, this.#stopsOf(name) + 1);
    await vscode.commands.executeCommand(STOP, this.#idOf(name));
    const isGone = await this.#becomes(
      () => this.#running.pidsOf(name).length === 0,
      this.#patience.stopped,
    );
    if (isGone) return;
    throw new AgentCoreError(
      'timeout',
      vscode.l10n.t('Server "{0}" has not ended within {1} s', name, this.#patience.stopped / 1000),
      { data: { server: name } },
    );
  }

  /**
   * Another process, and in modes `session` and `request` another session.
   *
   * @param between Done while the server does not run. What it throws is thrown once the server runs
   *   again: nobody is left without one on top of it.
   */
  async restart(name: string, between: () => Promise<void> = async () => {}): Promise<void> {
    await this.#running.refresh();
    const before = new Set(this.#running.pidsOf(name));
    await this.stop(name);
    try {
      await between();
    } finally {
      await this.#start(name, before);
    }
  }

  /**
   * Changes what a server is made of. VS Code stops one whose definition is another, and then waits
   * until somebody needs it: one that ran runs again here.
   */
  async change(name: string, change: () => Promise<void>): Promise<void> {
    await this.#running.refresh();
    if (this.#running.pidsOf(name).length === 0) return change();
    let tell = () => {};
    const told = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const subscription = this.#provider.onDidChangeMcpServerDefinitions(() => tell());
    try {
      await this.restart(name, async () => {
        await change();
        await Promise.race([told, delay(this.#patience.told)]);
      });
    } finally {
      subscription.dispose();
    }
  }

  async showOutput(name: string): Promise<void> {
    await vscode.commands.executeCommand(SHOW_OUTPUT, this.#idOf(name));
  }

  /** As VS Code makes it: the extension's id as a key, and the label. */
  #idOf(name: string): string {
    return `${this.#extensionId.toLowerCase()}/${name}`;
  }

  #stopsOf(name: string): number {
    return this.#stops.get(name) ?? 0;
  }

  async #start(name: string, before: ReadonlySet<number>): Promise<void> {
    const since = Date.now();
    const stops = this.#stopsOf(name);
    const isStopped = () => this.#stopsOf(name) !== stops;
    const runs = () => this.#running.pidsOf(name).some((pid) => !before.has(pid));
    let prepared: 'ready' | 'cancelled' | 'failed' | undefined;
    const subscription = this.#provider.onDidPrepare((event) => {
      if (event.name === name) prepared = event.outcome;
    });
    try {
      const deadline = Date.now() + this.#patience.known;
      while (!runs() && prepared === undefined) {
        if (Date.now() >= deadline) throw notTaken(name);
        await this.#ask(name).catch((thrown) => {
          // Whoever prepares it has said already what is wrong.
          if (prepared !== 'failed') throw thrown;
        });
        await this.#running.refresh();
        if (!runs() && prepared === undefined) await delay(this.#patience.again);
      }
    } finally {
      subscription.dispose();
    }
    if (prepared === 'cancelled' || prepared === 'failed') throw new Cancelled();
    const wasAnswered = await this.#shakesHands(name, since, isStopped);
    // Whoever was waited for without an answer is not waited for again.
    const patience = wasAnswered ? this.#patience.seen : 0;
    await this.#becomes(() => runs() || isStopped(), patience);
    if (isStopped()) throw new Cancelled();
    if (runs()) return;
    throw new AgentCoreError(
      'upstream',
      vscode.l10n.t('Server "{0}" has ended again: its output says why', name),
      { data: { server: name } },
    );
  }

  /**
   * VS Code ends a server whose runtime did not answer, and says so in its output alone.
   *
   * @returns whether it is on record that it was answered.
   * @throws {AgentCoreError} `upstream` where it did not answer as it should, `connection` where it
   *   was not reached.
   */
  async #shakesHands(name: string, since: number, isStopped: () => boolean): Promise<boolean> {
    const handshake = () => this.#running.handshakeOf(name, since);
    await this.#becomes(() => handshake() !== undefined || isStopped(), this.#patience.seen);
    if (isStopped()) throw new Cancelled();
    const { outcome, code } = handshake() ?? {};
    if (outcome === undefined) return false;
    if (outcome === 'result' || outcome === 'cancelled') return true;
    if (code === ErrorCode.accessDenied) throw this.#denied(name);
    const sentence =
      code === undefined
        ? vscode.l10n.t('Runtime "{0}" could not be reached: its output says why', name)
        : vscode.l10n.t('Runtime "{0}" answered with an error: its output says why', name);
    const kind = code === undefined ? 'connection' : 'upstream';
    throw new AgentCoreError(kind, sentence, { data: { server: name } });
  }

  /** With what is missing, where IAM decides: a token has to be allowed by the runtime itself. */
  #denied(name: string): AgentCoreError {
    const entry = this.#store.find(name);
    const arn = entry?.authorization.kind === 'iam' ? arnOf(entry) : undefined;
    const statement = arn && statementToCall(arn, entry?.qualifier);
    return new AgentCoreError(
      'upstream',
      vscode.l10n.t('Runtime "{0}" does not let its credentials call it', name),
      { data: { server: name, ...(statement && { statements: [{ statement }] }) } },
    );
  }

  /** Resolves when the server's tools are there, or it has failed. */
  async #ask(name: string): Promise<void> {
    const ending = new AbortController();
    const command = vscode.commands.executeCommand(START, this.#idOf(name), {
      waitForLiveTools: true,
    });
    try {
      await Promise.race([
        command,
        delay(this.#patience.started, undefined, { signal: ending.signal, ref: false }),
      ]);
    } finally {
      ending.abort();
    }
  }

  async #becomes(isSo: () => boolean, within: number): Promise<boolean> {
    const deadline = Date.now() + within;
    for (;;) {
      await this.#running.refresh();
      if (isSo()) return true;
      if (Date.now() >= deadline) return false;
      await delay(LOOK_EVERY);
    }
  }
}

function untilAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const leave = () => resolve();
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

function notTaken(name: string): AgentCoreError {
  return new AgentCoreError(
    'timeout',
    vscode.l10n.t('VS Code has not started server "{0}": start it from the list of servers', name),
    { data: { listsServers: true } },
  );
}
