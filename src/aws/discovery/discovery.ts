import { type Clock, mapConcurrent, SYSTEM_CLOCK, Updates, withAbort } from '../../base/async.ts';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import type { Network } from '../../http/network.ts';
import { getPartition } from '../arn.ts';
import { getCallerIdentity, type Identity } from '../credentials/caller-identity.ts';
import { createCredentialProvider } from '../credentials/provider.ts';
import { openNetwork, readServiceSettings } from '../endpoints.ts';
import { getControlPlaneUrl } from '../sdk-client.ts';
import type { Credentials } from '../sigv4.ts';
import { type CacheEntry, type CacheKey, DiscoveryCache } from './cache.ts';
import {
  ControlPlaneReader,
  type ReadingContext,
  readGateways,
  readRuntimes,
} from './control-plane.ts';
import type { DiscoveredGateway, DiscoveredRuntime, DiscoveryScope, Problem } from './model.ts';
import { toProblem } from './problems.ts';
import { RateLimiter } from './rate-limit.ts';

interface DiscoverRequest {
  readonly places: readonly DiscoveryScope[];
  /** Default: true. */
  readonly gateways?: boolean | undefined;
  /** Also lists the versions of each runtime, with one call for each. Default: false. */
  readonly versions?: boolean | undefined;
  /** Maximum age of cached results in milliseconds. Default: five minutes. */
  readonly maxAge?: number | undefined;
  /** Ignores cached results. */
  readonly refresh?: boolean | undefined;
  /**
   * Timeout for each account and region in milliseconds. Later results are dropped. Default: two
   * minutes.
   */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface DiscoveryOptions {
  readonly env: Environment;
  /** The cache directory. It must contain nothing else. */
  readonly cacheFolder: string;
  readonly clock?: Clock | undefined;
}

const MAX_AGE = 5 * 60_000;

const SCOPE_TIMEOUT_MS = 2 * 60_000;

const SCOPE_CONCURRENCY = 4;

/** Finds runtimes and gateways. One instance applies the rate limits to all its requests. */
export class Discovery {
  readonly #env: Environment;
  readonly #clock: Clock;
  readonly #cache: DiscoveryCache;
  readonly #rateLimiter: RateLimiter;
  readonly #credentials = new Map<string, Credentials>();

  constructor({ env, cacheFolder, clock = SYSTEM_CLOCK }: DiscoveryOptions) {
    this.#env = env;
    this.#clock = clock;
    this.#cache = new DiscoveryCache(cacheFolder, clock.now);
    this.#rateLimiter = new RateLimiter(clock);
  }

  /**
   * Queries several accounts and regions concurrently. Each update contains all results so far for
   * one of them. The last update has `isDone` set. Failures are reported in `problems`.
   *
   * @throws the signal's reason if the signal aborts.
   */
  async *discover(request: DiscoverRequest): AsyncGenerator<DiscoveredScope> {
    const ending = new AbortController();
    const signals = [ending.signal, ...(request.signal ? [request.signal] : [])];
    const signal = AbortSignal.any(signals);
    const updates = new Updates<DiscoveryScope, DiscoveredScope>();
    const identities = new Map<string, Promise<Identity>>();
    const work = mapConcurrent(request.places, SCOPE_CONCURRENCY, async (place) => {
      const report = new ScopeReport(place, (state) => updates.set(place, state));
      await this.#discoverScope(report, request, identities, signal);
    }).then(
      () => updates.end(),
      (thrown) => updates.fail(thrown),
    );
    try {
      yield* updates;
    } finally {
      // A consumer may stop early. Cancel the remaining work.
      ending.abort();
      await work;
    }
  }

  /** Returns the last update of each account and region, in the order of the request. */
  async discoverAll(request: DiscoverRequest): Promise<readonly DiscoveredScope[]> {
    const last = new Map<DiscoveryScope, DiscoveredScope>();
    for await (const found of this.discover(request)) last.set(found.place, found);
    return request.places.flatMap((place) => last.get(place) ?? []);
  }

  async #discoverScope(
    report: ScopeReport,
    request: DiscoverRequest,
    identities: Map<string, Promise<Identity>>,
    signal: AbortSignal,
  ): Promise<void> {
    const { place } = report;
    const timeoutMs = AbortSignal.timeout(request.timeoutMs ?? SCOPE_TIMEOUT_MS);
    const bounded = AbortSignal.any([signal, timeoutMs]);
    // Ask before the first wait: the first region of the request asks for all.
    const identityRequest = this.#getSharedIdentity(place, identities);
    identityRequest.catch(() => undefined);
    try {
      const endpoint = await this.#resolveEndpoint(place);
      const identity = await this.#identify(report, endpoint, request, identityRequest, bounded);
      if (identity) await this.#read(report, endpoint, identity.account, request, bounded);
    } catch (thrown) {
      signal.throwIfAborted();
      report.addProblem(
        timeoutMs.aborted ? createTimeoutProblem(place) : createUnexpectedProblem(place, thrown),
      );
    }
    report.update({ isDone: true });
  }

  /** Determines the account. If that fails, shows cached results. */
  async #identify(
    report: ScopeReport,
    endpoint: URL,
    { gateways = true }: DiscoverRequest,
    identityRequest: Promise<Identity>,
    signal: AbortSignal,
  ): Promise<Identity | undefined> {
    const { place } = report;
    try {
      const identity = { ...(await withAbort(identityRequest, signal)), region: place.region };
      report.update({ identity });
      return identity;
    } catch (thrown) {
      show(report, await this.#cache.readAnyAccount(getCacheKey(place, endpoint)), gateways);
      signal.throwIfAborted();
      report.addProblem(toProblem(thrown, place, 'GetCallerIdentity', undefined));
      return undefined;
    }
  }

  async #read(
    report: ScopeReport,
    endpoint: URL,
    account: string,
    request: DiscoverRequest,
    signal: AbortSignal,
  ): Promise<void> {
    const { place } = report;
    const { gateways = true, versions = false } = request;
    const key: CacheKey = { account, ...getCacheKey(place, endpoint) };
    const cached = await this.#cache.read(key);
    show(report, cached, gateways);
    const isDue = (reading: { readonly readAt: number; readonly isWhole: boolean } | undefined) =>
      request.refresh ||
      !reading?.isWhole ||
      this.#clock.now() - reading.readAt >= (request.maxAge ?? MAX_AGE);
    const runtimesDue = isDue(cached?.runtimes) || (versions && !cached?.runtimes?.hasVersions);
    const gatewaysDue = gateways && isDue(cached?.gateways);
    if (!runtimesDue && !gatewaysDue) return;

    const { region } = place;
    const network = await openNetwork(place.profile, this.#env);
    const credentials = this.#createCredentials(place, network);
    const rateLimiter = this.#rateLimiter;
    const options = { endpoint, region, account, credentials, network, rateLimiter, signal };
    const reader = await ControlPlaneReader.open(options);
    const context = { reader, place, home: { account, region }, signal };
    try {
      const [runtimes, gatewayListing] = await Promise.all([
        runtimesDue ? this.#readRuntimes(report, context, versions) : undefined,
        gatewaysDue ? this.#readGateways(report, context) : undefined,
      ]);
      await this.#cache.write({
        format: 1,
        ...key,
        runtimes: runtimes ?? cached?.runtimes,
        gateways: gatewayListing ?? cached?.gateways,
      });
    } finally {
      reader.close();
    }
  }

  async #readRuntimes(
    report: ScopeReport,
    context: Omit<ReadingContext, 'onProblem'>,
    hasVersions: boolean,
  ): Promise<CacheEntry['runtimes']> {
    const readAt = this.#clock.now();
    const problems = new Problems(report);
    const items = await readRuntimes(
      { ...context, onProblem: problems.add },
      { versions: hasVersions },
      (runtimes) => report.update({ runtimes: createListing(runtimes, readAt, 'aws') }),
    );
    return items && { readAt, isWhole: problems.areNone, hasVersions, items: [...items] };
  }

  async #readGateways(
    report: ScopeReport,
    context: Omit<ReadingContext, 'onProblem'>,
  ): Promise<CacheEntry['gateways']> {
    const readAt = this.#clock.now();
    const problems = new Problems(report);
    const items = await readGateways({ ...context, onProblem: problems.add }, (gateways) =>
      report.update({ gateways: createListing(gateways, readAt, 'aws') }),
    );
    return items && { readAt, isWhole: problems.areNone, items: [...items] };
  }

  /**
   * Regions with the same credentials share one call. A region rejects all credentials if it is not
   * enabled, so a rejection in another region is retried here.
   */
  async #getSharedIdentity(
    place: DiscoveryScope,
    identities: Map<string, Promise<Identity>>,
  ): Promise<Identity> {
    const key = getCredentialsKey(place);
    const known = identities.get(key);
    const identityRequest = known ?? this.#getIdentity(place);
    identities.set(key, identityRequest);
    try {
      return await identityRequest;
    } catch (thrown) {
      const refusedIn = thrown instanceof AgentCoreError && thrown.data?.region;
      if (!refusedIn || refusedIn === place.region) throw thrown;
      return this.#getIdentity(place);
    }
  }

  async #getIdentity(place: DiscoveryScope): Promise<Identity> {
    const { profile, region, assumeRole } = place;
    const env = this.#env;
    const network = await openNetwork(place.profile, this.#env);
    const credentials = this.#createCredentials(place, network);
    return getCallerIdentity({ profile, region, assumeRole, env, network, credentials });
  }

  #createCredentials(place: DiscoveryScope, network: Network): Credentials {
    const key = getCredentialsKey(place);
    let credentials = this.#credentials.get(key);
    if (!credentials) {
      const { profile, region, assumeRole } = place;
      const env = this.#env;
      credentials = createCredentialProvider({ profile, region, assumeRole, env, network });
      this.#credentials.set(key, credentials);
    }
    return credentials;
  }

  async #resolveEndpoint({ profile, region }: DiscoveryScope): Promise<URL> {
    const service = 'Bedrock AgentCore Control';
    const settings = await readServiceSettings(service, profile, this.#env);
    return getControlPlaneUrl({ partition: getPartition(region), region }, settings);
  }
}

/** The problems of one listing. Each account and region has two listings. */
class Problems {
  areNone = true;
  readonly #report: ScopeReport;

  constructor(report: ScopeReport) {
    this.#report = report;
  }

  readonly add = (problem: Problem): void => {
    this.areNone = false;
    this.#report.addProblem(problem);
  };
}

/** Shows cached results until newer ones arrive. */
function show(report: ScopeReport, entry: CacheEntry | undefined, withGateways: boolean): void {
  const { runtimes, gateways } = entry ?? {};
  report.update({
    runtimes: runtimes && createListing(runtimes.items, runtimes.readAt, 'cache'),
    gateways:
      withGateways && gateways
        ? createListing(gateways.items, gateways.readAt, 'cache')
        : undefined,
  });
}

/** Regions with the same credentials share one GetCallerIdentity call. */
function getCredentialsKey({ profile, assumeRole }: DiscoveryScope): string {
  return JSON.stringify([profile, assumeRole]);
}

function getCacheKey(
  { profile, region, assumeRole }: DiscoveryScope,
  endpoint: URL,
): Omit<CacheKey, 'account'> {
  return { region, endpoint: endpoint.href, profile, role: assumeRole?.arn };
}

function createTimeoutProblem(place: DiscoveryScope): Problem {
  const sentence = 'The time limit was reached, so some results are missing: try again';
  return { place, kind: 'bound', api: undefined, subject: undefined, sentence };
}

/** Reports an error in the settings, such as an invalid endpoint URL. */
function createUnexpectedProblem(place: DiscoveryScope, thrown: unknown): Problem {
  const sentence = getErrorMessage(thrown);
  return { place, kind: 'failed', api: undefined, subject: undefined, sentence };
}

/** Items read at one time. */
export interface Listing<T> {
  readonly items: readonly T[];
  /** ISO 8601. */
  readonly readAt: string;
  /** `cache`: read earlier by this or another program. */
  readonly source: 'aws' | 'cache';
}

/** The current results for one account and region. */
export interface DiscoveredScope {
  readonly place: DiscoveryScope;
  /** Absent if the credentials could not be verified. */
  readonly identity: Identity | undefined;
  /** Absent if they could not be listed and are not cached. */
  readonly runtimes: Listing<DiscoveredRuntime> | undefined;
  /** Absent if they could not be listed and are not cached, or were not requested. */
  readonly gateways: Listing<DiscoveredGateway> | undefined;
  readonly problems: readonly Problem[];
  /** True for the final update. */
  readonly isDone: boolean;
}

/** Collects and reports the results for one account and region during discovery. */
class ScopeReport {
  readonly place: DiscoveryScope;
  readonly #onChange: (state: DiscoveredScope) => void;
  #state: DiscoveredScope;

  constructor(place: DiscoveryScope, onChange: (state: DiscoveredScope) => void) {
    this.place = place;
    this.#onChange = onChange;
    this.#state = {
      place,
      identity: undefined,
      runtimes: undefined,
      gateways: undefined,
      problems: [],
      isDone: false,
    };
  }

  update(more: Partial<DiscoveredScope>): void {
    this.#state = { ...this.#state, ...more };
    this.#onChange(this.#state);
  }

  addProblem(problem: Problem): void {
    this.update({ problems: [...this.#state.problems, problem] });
  }
}

/** @param readAt Milliseconds since 1970. */
function createListing<T>(
  items: readonly T[],
  readAt: number,
  source: Listing<T>['source'],
): Listing<T> {
  return { items, readAt: new Date(readAt).toISOString(), source };
}
