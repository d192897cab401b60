import * as vscode from 'vscode';
import { Debouncer } from '../../base/async.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import type { RuntimeStore } from '../settings/runtime-store.ts';
import {
  createServerEnvironment,
  getDefinitionVersion,
  type ServerEnvironment,
} from '../settings/server-environment.ts';
import type { ServerPreparation, StartVariables } from './preparation.ts';

/** Debounce in milliseconds, after a change of the settings. */
const DEBOUNCE_MS = 100;

/** The outcome of a preparation. VS Code starts one for each start of a server. */
export interface Prepared {
  readonly name: string;
  readonly outcome: 'ready' | 'cancelled' | 'failed';
}

interface Snapshot {
  readonly text: string;
  readonly definitions: vscode.McpStdioServerDefinition[];
}

/**
 * Provides one server definition for each runtime entry. VS Code stores the definitions, so they
 * contain no secrets. {@link resolveMcpServerDefinition} adds the secrets at the start.
 */
export class McpDefinitionProvider
  implements vscode.McpServerDefinitionProvider<vscode.McpStdioServerDefinition>, vscode.Disposable
{
  readonly #store: RuntimeStore;
  readonly #preparation: ServerPreparation;
  readonly #extension: { readonly version: string; readonly proxy: string };
  readonly #shared: () => ServerEnvironment;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #prepared = new vscode.EventEmitter<Prepared>();
  readonly #debouncer = new Debouncer(() => this.#tell(), DEBOUNCE_MS);
  readonly #subscriptions: readonly vscode.Disposable[];
  #snapshot: Snapshot;

  constructor(options: {
    readonly store: RuntimeStore;
    readonly preparation: ServerPreparation;
    /** The version of the extension and the path of `proxy.js`. */
    readonly extension: { readonly version: string; readonly proxy: string };
    /** Variables for all servers, from the settings below `agentcore.aws`. */
    readonly shared: () => ServerEnvironment;
  }) {
    this.#store = options.store;
    this.#preparation = options.preparation;
    this.#extension = options.extension;
    this.#shared = options.shared;
    this.#snapshot = this.#take();
    this.#subscriptions = [
      this.#store.onDidChange(() => this.#debouncer.restart()),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('agentcore.aws')) this.#debouncer.restart();
      }),
    ];
  }

  get onDidChangeMcpServerDefinitions(): vscode.Event<void> {
    return this.#changed.event;
  }

  /** Fires after the preparation of each start. */
  get onDidPrepare(): vscode.Event<Prepared> {
    return this.#prepared.event;
  }

  provideMcpServerDefinitions(): vscode.McpStdioServerDefinition[] {
    return this.#snapshot.definitions;
  }

  /**
   * Prepares the start of a server. Called by VS Code.
   *
   * @returns `undefined` if the user cancelled.
   * @throws an error with a message that includes the next step.
   */
  async resolveMcpServerDefinition(
    definition: vscode.McpStdioServerDefinition,
    token: vscode.CancellationToken,
  ): Promise<vscode.McpStdioServerDefinition | undefined> {
    const entry = this.#store.find(definition.label);
    if (!entry) {
      const sentence = vscode.l10n.t(
        'Runtime "{0}" is no longer set up. Set it up again, or remove the server.',
        definition.label,
      );
      throw new Error(sentence);
    }
    const added = await this.#prepare(entry, token);
    if (!added) return undefined;
    const { label, command, args, version } = definition;
    // Use the current entry. The definition from VS Code can be older than the last edit or
    // confirmation.
    const env = { ...this.#getEnvironment(entry), ELECTRON_RUN_AS_NODE: '1', ...added };
    return new vscode.McpStdioServerDefinition(label, command, args, env, version);
  }

  dispose(): void {
    this.#debouncer.dispose();
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#changed.dispose();
    this.#prepared.dispose();
  }

  async #prepare(
    entry: RuntimeEntry,
    token: vscode.CancellationToken,
  ): Promise<StartVariables | undefined> {
    const { name } = entry;
    try {
      const added = await this.#preparation.prepare(entry, token);
      this.#prepared.fire({ name, outcome: added ? 'ready' : 'cancelled' });
      return added;
    } catch (thrown) {
      this.#prepared.fire({ name, outcome: 'failed' });
      throw thrown;
    }
  }

  #getEnvironment(entry: RuntimeEntry): ServerEnvironment {
    return { ...createServerEnvironment(entry), ...this.#shared() };
  }

  /** Fires only if a definition has changed, because VS Code then stops running servers. */
  #tell(): void {
    const snapshot = this.#take();
    if (snapshot.text === this.#snapshot.text) return;
    this.#snapshot = snapshot;
    this.#changed.fire();
  }

  #take(): Snapshot {
    const definitions = this.#store.entries.map((entry) => {
      const environment = this.#getEnvironment(entry);
      return new vscode.McpStdioServerDefinition(
        entry.name,
        process.execPath,
        [this.#extension.proxy],
        { ...environment, ELECTRON_RUN_AS_NODE: '1' },
        getDefinitionVersion(this.#extension.version, environment),
      );
    });
    return { definitions, text: JSON.stringify(definitions) };
  }
}
