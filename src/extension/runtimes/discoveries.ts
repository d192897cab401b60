import { join } from 'node:path';
import * as vscode from 'vscode';
import type { DiscoveredScope, Discovery } from '../../aws/discovery/discovery.ts';
import type { DiscoveryScope } from '../../aws/discovery/model.ts';
import { getScopeKey } from '../../aws/discovery/scopes.ts';
import { type Environment, getStateDirectory } from '../../base/environment.ts';
import { getErrorMessage } from '../../base/errors.ts';

interface Look {
  /** Resolves when the first results are available. */
  readonly begun: Promise<void>;
  readonly ending: AbortController;
}

/** The discovery results by place. Discovers a place only when the user opens it. */
export class DiscoveryModel implements vscode.Disposable {
  readonly #env: () => Environment;
  readonly #changed = new vscode.EventEmitter<DiscoveryScope>();
  readonly #found = new Map<string, DiscoveredScope>();
  readonly #looks = new Map<string, Look>();
  #discovery: Promise<Discovery> | undefined;

  constructor(env: () => Environment) {
    this.#env = env;
  }

  /** Fires when there are new results for a place. */
  get onDidChange(): vscode.Event<DiscoveryScope> {
    return this.#changed.event;
  }

  /** Returns `undefined` if the place was never discovered. */
  found(place: DiscoveryScope): DiscoveredScope | undefined {
    return this.#found.get(getScopeKey(place));
  }

  isLooking(place: DiscoveryScope): boolean {
    return this.#looks.has(getScopeKey(place));
  }

  /**
   * Discovers a place. Concurrent calls share one discovery. Resolves when there are first results;
   * {@link onDidChange} reports the rest. Never rejects: errors become problems of the place.
   *
   * @param options.refresh Bypasses the cache and calls AWS.
   */
  look(place: DiscoveryScope, { refresh = false } = {}): Promise<void> {
    const key = getScopeKey(place);
    const known = this.#looks.get(key);
    if (known) return known.begun;
    const ending = new AbortController();
    const begun = new Promise<void>((resolve) => {
      void this.#follow(place, refresh, ending.signal, resolve).finally(() => {
        if (this.#looks.get(key)?.ending === ending) this.#looks.delete(key);
        resolve();
        if (!ending.signal.aborted) this.#changed.fire(place);
      });
    });
    this.#looks.set(key, { begun, ending });
    return begun;
  }

  /** Drops all results when the profiles or their files change, because accounts may differ. */
  forget(): void {
    this.#end();
    this.#found.clear();
    this.#discovery = undefined;
  }

  dispose(): void {
    this.#end();
    this.#changed.dispose();
  }

  #end(): void {
    for (const { ending } of this.#looks.values()) ending.abort();
    this.#looks.clear();
  }

  async #follow(
    place: DiscoveryScope,
    refresh: boolean,
    signal: AbortSignal,
    onShown: () => void,
  ): Promise<void> {
    try {
      const discovery = await this.#open();
      for await (const found of discovery.discover({ places: [place], refresh, signal })) {
        if (signal.aborted) return;
        this.#found.set(getScopeKey(place), found);
        if (found.runtimes || found.gateways || found.problems.length > 0) onShown();
        this.#changed.fire(place);
      }
    } catch (thrown) {
      if (!signal.aborted)
        this.#found.set(getScopeKey(place), createFailedDiscovery(place, thrown));
    }
  }

  #open(): Promise<Discovery> {
    this.#discovery ??= openDiscovery(this.#env());
    return this.#discovery;
  }
}

/** Loads the discovery module on demand. Shares its cache with the command line. */
export async function openDiscovery(env: Environment): Promise<Discovery> {
  const { Discovery: Opened } = await import('../../aws/discovery/discovery.ts');
  return new Opened({ env, cacheFolder: join(getStateDirectory(env), 'discovery') });
}

/** For example, the state directory in the environment is invalid. */
function createFailedDiscovery(place: DiscoveryScope, thrown: unknown): DiscoveredScope {
  const sentence = getErrorMessage(thrown);
  return {
    place,
    identity: undefined,
    runtimes: undefined,
    gateways: undefined,
    problems: [{ place, kind: 'failed', api: undefined, subject: undefined, sentence }],
    isDone: true,
  };
}
