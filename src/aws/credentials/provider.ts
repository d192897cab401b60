import { setTimeout as delay } from 'node:timers/promises';
import type { AwsCredentialIdentity } from '@smithy/types';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { getFileFingerprint } from '../../base/files.ts';
import { type Credentials, SigningClock } from '../sigv4.ts';
import { findLogin } from './errors.ts';
import {
  type CredentialPrompts,
  type CredentialsOptions,
  getEnvironmentCredentials,
  type Search,
} from './options.ts';
import type { Found } from './provider-chain.ts';

/** Milliseconds to wait after a background refresh without newer credentials. */
const RETRY_DELAY_MS = 30_000;

/** Maximum milliseconds of a search without prompts, and of a search with prompts. */
const SEARCH_TIMEOUT_MS = 60_000;

const PROMPT_TIMEOUT_MS = 180_000;

/** Milliseconds before the next check of unusable files. */
const RECHECK_INTERVAL_MS = 5_000;

/** Maximum searches while a file is being written, and the milliseconds between them. */
const WRITE_ATTEMPTS = 4;

const WRITE_DELAY_MS = 100;

/**
 * Maximum milliseconds for a call to wait for changed files. It then uses the current credentials.
 */
const CHANGE_TIMEOUT_MS = 2_000;

/** Maximum delay of a Node timer, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A credential provider that refreshes its credentials. */
export interface CredentialProvider extends Credentials {
  /**
   * Refreshes the credentials after AWS rejected calls, perhaps because the credentials had
   * expired. Concurrent callers share one refresh. The user is prompted only if the credentials
   * have expired, because most rejections are intended.
   *
   * @param since The start of the rejected call (`performance.now()`).
   * @returns false if a retry would not help: the refresh found the same credentials or none.
   */
  renew(since: number): Promise<boolean>;
}

/**
 * Finds credentials in the order of the AWS SDKs: the named profile, or else environment variables,
 * shared files, processes, web identity, container and instance metadata. It then assumes the
 * configured roles. The credentials are cached until shortly before expiry and refreshed in the
 * background. When their source files change, the search runs again. Concurrent callers share one
 * search. Provider modules are loaded when needed.
 *
 * @returns a function that throws {@link AgentCoreError} `credentials`.
 */
export function createCredentialProvider(options: CredentialsOptions): CredentialProvider {
  const kept = new CachedCredentials(options);
  return Object.assign(
    ({ forceRefresh = false, preferCached = false } = {}) =>
      forceRefresh ? kept.find() : kept.get(preferCached),
    { renew: (since: number) => kept.renew(since) },
  );
}

type Held = Found & Life;

class CachedCredentials {
  readonly #options: CredentialsOptions;
  readonly #clock: SigningClock;
  #chain: Promise<(search: Search) => Promise<Found>> | undefined;
  #held: Held | undefined;
  /** When other credentials replaced the previous ones (`performance.now()`). */
  #replacedAt = Number.NEGATIVE_INFINITY;
  #wasUsed = false;
  /** The last refresh after rejected calls, and its end (`performance.now()`). */
  #renewal: { readonly result: Promise<boolean>; endedAt: number } | undefined;
  #finding: Promise<AwsCredentialIdentity> | undefined;
  #renewing: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #restsUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The files that the last search depended on. `#stamp` is their fingerprint. */
  readonly #files = new Set<string>();
  #stamp = '';
  /** The fingerprint of unusable files. */
  #failedStamp = '';
  #nextLook = 0;
  #lastWarning = '';

  constructor(options: CredentialsOptions) {
    this.#clock = options.clock ?? new SigningClock();
    this.#options = { ...options, clock: this.#clock };
  }

  async get(preferCached: boolean): Promise<AwsCredentialIdentity> {
    const held = this.#held;
    if (!held || this.#isOver(held)) return this.find();
    if (preferCached) return held.identity;
    this.#wasUsed = true;
    if (this.#following || this.#filesChanged()) {
      await this.#followFiles();
      return (this.#held ?? held).identity;
    }
    if (held.dueAt <= this.#clock.now()) void this.#renewInBackground();
    return held.identity;
  }

  /** Searches immediately, and prompts the user if necessary. */
  find(): Promise<AwsCredentialIdentity> {
    this.#finding ??= this.#findAsking()
      .then((found) => this.#keep(found))
      .finally(() => {
        this.#finding = undefined;
      });
    return this.#finding;
  }

  async renew(since: number): Promise<boolean> {
    const isMended = () => this.#replacedAt > since || this.#clock.wasCorrectedSince(since);
    if (isMended()) return true;
    // A refresh that ended after the rejected call began also covers that call.
    if (!this.#renewal || this.#renewal.endedAt < since) {
      const result = this.#renewOnce().finally(() => {
        renewal.endedAt = performance.now();
      });
      const renewal = { result, endedAt: Number.POSITIVE_INFINITY };
      this.#renewal = renewal;
    }
    return (await this.#renewal.result) || isMended();
  }

  async #renewOnce(): Promise<boolean> {
    const before = this.#held;
    if (!before || this.#isOver(before)) await this.find();
    else await this.#searchUnasked();
    return !!before && !!this.#held && !isSame(before.identity, this.#held.identity);
  }

  /** Refreshes without prompting the user, and ignores failures. */
  async #searchUnasked(): Promise<void> {
    await this.#renewing;
    this.#renewing ??= this.#search(undefined)
      .then(
        (found) => void this.#keep(found),
        () => undefined,
      )
      .finally(() => {
        this.#renewing = undefined;
      });
    await this.#renewing;
  }

  #isOver({ overAt }: Held): boolean {
    return overAt <= this.#clock.now();
  }

  async #findAsking(): Promise<Found> {
    const { prompts } = this.#options;
    // Two concurrent searches could both use a single-use value, such as a refresh token.
    if (this.#renewing) await this.#renewing;
    try {
      return await this.#search(prompts);
    } catch (thrown) {
      const profile = findLogin(thrown);
      if (profile === undefined || !prompts?.login) throw thrown;
      const { waitForLogin: afterLogin } = await import('./options.ts');
      return afterLogin({
        ask: (signal) =>
          prompts.login?.(profile, getErrorMessage(thrown), signal) ?? Promise.resolve(false),
        stamp: () => getFileFingerprint(this.#files),
        search: () => this.#search(undefined),
        failure: thrown,
      });
    }
  }

  /** Ignores refresh failures while the current credentials are valid. */
  #renewInBackground(): Promise<void> {
    if (this.#renewing || Date.now() < this.#restsUntil) return Promise.resolve();
    const before = this.#held?.identity.expiration?.getTime() ?? 0;
    this.#renewing = this.#search(undefined)
      .then((found) => {
        const { expiration } = found.identity;
        if (expiration && expiration.getTime() <= before) throw new Error('These are no newer');
        this.#keep(found);
      })
      .catch(() => {
        this.#restsUntil = Date.now() + RETRY_DELAY_MS;
        this.#wakeUp(this.#clock.now() + RETRY_DELAY_MS);
      })
      .finally(() => {
        this.#renewing = undefined;
      });
    return this.#renewing;
  }

  #filesChanged(): boolean {
    if (this.#files.size === 0) return false;
    const stamp = getFileFingerprint(this.#files);
    return stamp !== (Date.now() < this.#nextLook ? this.#failedStamp : this.#stamp);
  }

  /** Resolves when the credentials of the changed files are cached, or after the maximum wait. */
  async #followFiles(): Promise<void> {
    this.#following ??= this.#searchSettled()
      .then(
        (found) => {
          this.#tellChange(found);
          this.#keep(found);
        },
        (thrown) => {
          // The file may be incomplete or invalid. In both cases, keep the current credentials.
          this.#nextLook = Date.now() + RECHECK_INTERVAL_MS;
          this.#stamp = '';
          this.#failedStamp = getFileFingerprint(this.#files);
          this.#warn(
            `The AWS files have changed, and cannot be used as they are now; calls go on with the credentials from before. ${getErrorMessage(thrown)}`,
          );
        },
      )
      .finally(() => {
        this.#following = undefined;
      });
    await Promise.race([this.#following, delay(CHANGE_TIMEOUT_MS, undefined, { ref: false })]);
  }

  /** Repeats the search if a file changed during it, because programs write in several steps. */
  async #searchSettled(): Promise<Found> {
    for (let attempt = 1; ; attempt++) {
      const stamp = getFileFingerprint(this.#files);
      try {
        return await this.#search(undefined);
      } catch (thrown) {
        if (attempt === WRITE_ATTEMPTS) throw thrown;
        await delay(WRITE_DELAY_MS);
        if (getFileFingerprint(this.#files) === stamp) throw thrown;
      }
    }
  }

  #tellChange({ identity, profileRegion }: Found): void {
    const { log, profile, assumeRole } = this.#options;
    const before = this.#held;
    if (!before) return;
    const name = profile ?? 'default';
    if (!assumeRole && isOther(before.identity, identity)) {
      log?.('info', `Profile "${name}" has other credentials now, and calls are signed with them`);
    }
    if (profileRegion !== before.profileRegion) {
      log?.(
        'info',
        `Profile "${name}" has the region ${profileRegion ?? '(none)'} now; calls still go to the runtime's own region`,
      );
    }
  }

  #warn(sentence: string): void {
    if (sentence === this.#lastWarning) return;
    this.#lastWarning = sentence;
    this.#options.log?.('warning', sentence);
  }

  #keep(found: Found): AwsCredentialIdentity {
    const before = this.#held;
    const now = this.#clock.now();
    if (!before) this.#options.onFound?.();
    else if (!isSame(before.identity, found.identity)) this.#replacedAt = performance.now();
    this.#held = { ...found, ...getCredentialLife(found.identity, now) };
    this.#wasUsed = false;
    this.#restsUntil = 0;
    this.#lastWarning = '';
    this.#wakeUp(this.#held.dueAt);
    return found.identity;
  }

  /** Schedules a refresh. It runs only if the credentials were used. */
  #wakeUp(at: number): void {
    clearTimeout(this.#timer);
    const { overAt = 0 } = this.#held ?? {};
    if (at >= overAt || overAt === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(Math.max(at - this.#clock.now(), 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      if (this.#wasUsed) void this.#renewInBackground();
    }, wait).unref();
  }

  async #search(prompts: CredentialPrompts | undefined): Promise<Found> {
    const { profile, assumeRole, env } = this.#options;
    if (profile === undefined && !assumeRole) {
      // Fast path: child processes usually get their credentials in the environment, and this loads
      // no module.
      const identity = getEnvironmentCredentials(env);
      if (identity) return { identity, profileRegion: undefined };
    }
    this.#chain ??= import('./provider-chain.ts').then(({ createProviderChain: credentialChain }) =>
      credentialChain(this.#options),
    );
    const chain = await this.#chain;
    // Take fingerprints before reading, so that a write during the search counts as a change.
    const stamps = new Map<string, string>();
    const ending = new AbortController();
    const search = {
      prompts,
      signal: ending.signal,
      onFile: (path: string) => void stamps.set(path, getFileFingerprint([path])),
    };
    const limit = prompts ? PROMPT_TIMEOUT_MS : SEARCH_TIMEOUT_MS;
    try {
      const found = await withTimeout(limit, () => chain(search));
      this.#files.clear();
      for (const path of stamps.keys()) this.#files.add(path);
      this.#stamp = [...stamps.values()].join('\n');
      return found;
    } catch (thrown) {
      for (const path of stamps.keys()) this.#files.add(path);
      throw thrown instanceof AgentCoreError ? thrown : createUnexpectedError(thrown);
    } finally {
      ending.abort();
    }
  }
}

async function withTimeout<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`No answer within ${milliseconds / 1000} s`)),
      milliseconds,
    );
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function createUnexpectedError(cause: unknown): AgentCoreError {
  const words = getErrorMessage(cause).split('\n', 1)[0];
  return new AgentCoreError(
    'credentials',
    `No AWS credentials: looking for them failed; try again (${words})`,
    { cause },
  );
}

/** Start the background refresh this many milliseconds before expiry. */
const RENEW_BEFORE = 5 * 60 * 1000;

/**
 * Maximum random milliseconds to refresh earlier, so that programs do not refresh simultaneously.
 */
const JITTER = 60 * 1000;

/** Stop using credentials this many milliseconds before expiry. */
const SAFETY = 5_000;

/** Timestamps in milliseconds since the epoch, by the clock of AWS. */
interface Life {
  /** When the credentials must no longer be used. */
  readonly overAt: number;
  /** When to refresh the credentials. */
  readonly dueAt: number;
}

/**
 * Computes the lifetime of credentials. Short-lived credentials are refreshed at half of their
 * lifetime.
 */
function getCredentialLife({ expiration }: AwsCredentialIdentity, now: number): Life {
  if (!expiration) return { overAt: Number.POSITIVE_INFINITY, dueAt: Number.POSITIVE_INFINITY };
  const end = expiration.getTime();
  const life = Math.max(end - now, 0);
  return {
    overAt: end - Math.min(SAFETY, life / 10),
    dueAt: end - Math.min(RENEW_BEFORE + Math.random() * JITTER, life / 2),
  };
}

/**
 * True if the credentials belong to another principal. Temporary keys change with each refresh, so
 * for them only the account is compared.
 */
function isOther(one: AwsCredentialIdentity, other: AwsCredentialIdentity): boolean {
  if (!one.sessionToken || !other.sessionToken) return !isSame(one, other);
  return one.accountId !== other.accountId;
}

/** True if both produce the same signatures. */
function isSame(one: AwsCredentialIdentity, other: AwsCredentialIdentity): boolean {
  return (
    one.accessKeyId === other.accessKeyId &&
    one.secretAccessKey === other.secretAccessKey &&
    one.sessionToken === other.sessionToken
  );
}
