import { join } from 'node:path';
import * as vscode from 'vscode';
import type { DiscoveredScope, Discovery } from '../../aws/discovery/discovery.ts';
import type { DiscoveryScope, Problem } from '../../aws/discovery/model.ts';
import { getScopeKey } from '../../aws/discovery/scopes.ts';
import { getEnvironmentProfile } from '../../aws/shared-config.ts';
import { type Environment, getStateDirectory } from '../../base/environment.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { WatchedValue } from '../../base/watched-value.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import { type DiscoverySettings, readDiscoverySettings } from '../settings/window-settings.ts';
import { getRegion, toAssumeRole } from './identities-model.ts';

// Discovery of runtimes and gateways for the view "Runtimes". A scope is an account in one region,
// given by its credentials; the code also calls it a place.

/** Debounce of the scopes in milliseconds. */
const DEBOUNCE_MS = 100;

interface DiscoveryRun {
  /** Resolves when there are first results, or when the discovery ends. */
  readonly begun: Promise<void>;
  readonly ending: AbortController;
}

/** The discovery results by scope. Discovers a scope only when the user opens it. */
export class DiscoveryModel implements vscode.Disposable {
  readonly #env: () => Environment;
  readonly #changed = new vscode.EventEmitter<DiscoveryScope>();
  readonly #found = new Map<string, DiscoveredScope>();
  readonly #looks = new Map<string, DiscoveryRun>();
  #discovery: Promise<Discovery> | undefined;

  constructor(env: () => Environment) {
    this.#env = env;
  }

  /** Fires when there are new results for a scope. */
  get onDidChange(): vscode.Event<DiscoveryScope> {
    return this.#changed.event;
  }

  /** Returns the results so far. `undefined` if there are none. */
  found(place: DiscoveryScope): DiscoveredScope | undefined {
    return this.#found.get(getScopeKey(place));
  }

  isLooking(place: DiscoveryScope): boolean {
    return this.#looks.has(getScopeKey(place));
  }

  /**
   * Discovers a scope. Concurrent calls share one discovery. Resolves when there are first results;
   * {@link onDidChange} reports the rest. Never rejects: an error becomes a problem of the scope.
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

/** Creates a discovery with the same cache as the command line. Loads the module on demand. */
export async function openDiscovery(env: Environment): Promise<Discovery> {
  const { Discovery } = await import('../../aws/discovery/discovery.ts');
  return new Discovery({ env, cacheFolder: join(getStateDirectory(env), 'discovery') });
}

/** The result if discovery could not start, for example because the state directory is invalid. */
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

/** The discovery settings, and the entries to use if the settings name no profile. */
interface DiscoveryChoice extends DiscoverySettings {
  readonly entries: readonly RuntimeEntry[];
}

/** The scopes to discover, and the reasons for missing ones. */
export interface ChosenScopes {
  readonly places: readonly DiscoveryScope[];
  readonly problems: readonly Problem[];
}

/** The scopes to discover. Invalidate them if the settings, the entries or the profiles change. */
export function createScopesModel(
  store: { readonly entries: readonly RuntimeEntry[] },
  env: () => Environment,
): WatchedValue<ChosenScopes> {
  return new WatchedValue({
    initial: { places: [], problems: [] },
    load: () => chooseScopes({ ...readDiscoverySettings(), entries: store.entries }, env()),
    debounceMs: DEBOUNCE_MS,
  });
}

/**
 * Returns the scopes to discover. If profiles are configured, these are all of them in the
 * configured regions. Otherwise, they are the scopes of the entries, and the default profile of the
 * environment. Without entries there is no scope, so the view shows its welcome text.
 *
 * @returns also a problem for each invalid setting and each distinct error. Never rejects.
 */
async function chooseScopes(choice: DiscoveryChoice, env: Environment): Promise<ChosenScopes> {
  const { resolveScopes } = await import('../../aws/discovery/scopes.ts');
  const places = new Map<string, DiscoveryScope>();
  const problems = choice.problems.map((sentence) => createProblem(sentence));
  const add = (place: DiscoveryScope) => places.set(getScopeKey(place), place);
  for (const { profile, assumeRole, region } of getRequestedScopes(choice, env)) {
    const regions = choice.regions.length > 0 ? choice.regions : region ? [region] : [];
    try {
      const profiles = profile === undefined ? [] : [profile];
      const found = await resolveScopes({ profiles, regions, assumeRole }, env);
      for (const place of found.places) add(place);
    } catch (thrown) {
      const sentence = getErrorMessage(thrown);
      if (problems.some((known) => known.sentence === sentence)) continue;
      problems.push(createProblem(sentence, { profile, assumeRole }));
    }
  }
  return { places: [...places.values()], problems };
}

/** A problem that the user can fix in the discovery settings. */
function createProblem(sentence: string, place: Partial<DiscoveryScope> = {}): Problem {
  const { profile, assumeRole } = place;
  const kind = 'no-region';
  return { place: { profile, assumeRole }, kind, api: undefined, subject: undefined, sentence };
}

/** A scope whose region may be unknown. */
type ScopeRequest = Pick<DiscoveryScope, 'profile' | 'assumeRole'> & {
  readonly region: string | undefined;
};

function getRequestedScopes(
  { profiles, entries }: DiscoveryChoice,
  env: Environment,
): readonly ScopeRequest[] {
  if (profiles.length > 0) return profiles.map((profile) => ({ profile, region: undefined }));
  const usual = getEnvironmentProfile(env);
  const ofEntries = entries.flatMap((entry): ScopeRequest[] => {
    const region = getRegion(entry);
    if (region === undefined || entry.authorization.kind === 'none') return [];
    const assumeRole = entry.role && toAssumeRole(entry.role);
    return [{ profile: entry.profile ?? usual, assumeRole, region }];
  });
  const isNews = usual !== undefined && !ofEntries.some(({ profile }) => profile === usual);
  return ofEntries.length > 0 && isNews
    ? [...ofEntries, { profile: usual, region: undefined }]
    : ofEntries;
}
