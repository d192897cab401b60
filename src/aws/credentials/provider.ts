import type { AwsCredentialIdentity } from '@smithy/types';
import { SingleFlight, sleep, waitUntil, waitUntilSettled, withTimeout } from '../../base/async.ts';
import { ExpiringValue } from '../../base/cache.ts';
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

/** Maximum milliseconds of a search without prompts, and of a search with prompts. */
const SEARCH_TIMEOUT_MS = 60_000;

const PROMPT_TIMEOUT_MS = 180_000;

/** Milliseconds before the next check of unusable files. */
const RECHECK_INTERVAL_MS = 5_000;

/** Maximum searches while a file is being written, and the milliseconds between them. */
const MAX_WRITE_ATTEMPTS = 4;

const WRITE_DELAY_MS = 100;

/**
 * Maximum milliseconds for a call to wait for changed files. It then uses the current credentials.
 */
const CHANGE_TIMEOUT_MS = 2_000;

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
  const credentials = new FollowedCredentials(options);
  return Object.assign(
    ({ forceRefresh = false, preferCached = false } = {}) =>
      forceRefresh ? credentials.find() : credentials.get(preferCached),
    { renew: (since: number) => credentials.renew(since) },
  );
}

class FollowedCredentials {
  readonly #options: CredentialsOptions;
  readonly #clock: SigningClock;
  readonly #value: ExpiringValue<Found>;
  readonly #following = new SingleFlight<void>();
  #chain: Promise<(search: Search) => Promise<Found>> | undefined;
  /** The files that the last search depended on. `#stamp` is their fingerprint. */
  readonly #files = new Set<string>();
  #stamp = '';
  /** The fingerprint of unusable files. */
  #failedStamp = '';
  #nextLook = 0;
  #lastWarning = '';
  #wasFound = false;

  constructor(options: CredentialsOptions) {
    const clock = options.clock ?? new SigningClock();
    this.#clock = clock;
    this.#options = { ...options, clock };
    this.#value = new ExpiringValue({
      load: (isBackground) => (isBackground ? this.#search(undefined) : this.#searchAsking()),
      getExpiry: ({ identity }) => identity.expiration?.getTime(),
      isSame: (one, other) => isSame(one.identity, other.identity),
      now: () => clock.now(),
    });
  }

  async get(preferCached: boolean): Promise<AwsCredentialIdentity> {
    const { current } = this.#value;
    if (current && preferCached) return current.identity;
    if (current && (this.#following.pending || this.#filesChanged())) {
      await waitUntilSettled(
        this.#following.run(() => this.#follow(current)),
        CHANGE_TIMEOUT_MS,
      );
    }
    return (await this.#value.get()).identity;
  }

  /** Searches immediately, and prompts the user if necessary. */
  async find(): Promise<AwsCredentialIdentity> {
    return (await this.#value.load()).identity;
  }

  async renew(since: number): Promise<boolean> {
    if (this.#clock.wasCorrectedSince(since)) return true;
    const isValid = this.#value.current !== undefined;
    const isRenewed = await this.#value.refresh(since).catch((thrown) => {
      // If the credentials are valid, report the rejection, because most rejections are intended.
      if (isValid) return false;
      throw thrown;
    });
    return isRenewed || this.#clock.wasCorrectedSince(since);
  }

  async #searchAsking(): Promise<Found> {
    const { prompts } = this.#options;
    try {
      return await this.#search(prompts);
    } catch (thrown) {
      const profile = findLogin(thrown);
      if (profile === undefined || !prompts?.login) throw thrown;
      return waitForLogin({
        ask: (signal) =>
          prompts.login?.(profile, getErrorMessage(thrown), signal) ?? Promise.resolve(false),
        getFingerprint: () => getFileFingerprint(this.#files),
        search: () => this.#search(undefined),
        failure: thrown,
      });
    }
  }

  #filesChanged(): boolean {
    if (this.#files.size === 0) return false;
    const stamp = getFileFingerprint(this.#files);
    return stamp !== (Date.now() < this.#nextLook ? this.#failedStamp : this.#stamp);
  }

  /** Caches the credentials of the changed files. Never rejects. */
  async #follow(before: Found): Promise<void> {
    try {
      const found = await this.#searchSettled();
      this.#logChange(before, found);
      this.#value.set(found);
    } catch (thrown) {
      // The file may be incomplete or invalid. In both cases, keep the current credentials.
      this.#nextLook = Date.now() + RECHECK_INTERVAL_MS;
      this.#stamp = '';
      this.#failedStamp = getFileFingerprint(this.#files);
      this.#warn(
        `The AWS files have changed and cannot be used; calls go on with the previous credentials. ${getErrorMessage(thrown)}`,
      );
    }
  }

  /** Repeats the search if a file changed during it, because programs write in several steps. */
  async #searchSettled(): Promise<Found> {
    for (let attempt = 1; ; attempt++) {
      const stamp = getFileFingerprint(this.#files);
      try {
        return await this.#search(undefined);
      } catch (thrown) {
        if (attempt === MAX_WRITE_ATTEMPTS) throw thrown;
        await sleep(WRITE_DELAY_MS);
        if (getFileFingerprint(this.#files) === stamp) throw thrown;
      }
    }
  }

  #logChange(before: Found, { identity, profileRegion }: Found): void {
    const { log, profile, assumeRole } = this.#options;
    const name = profile ?? 'default';
    if (!assumeRole && isOther(before.identity, identity)) {
      log?.('info', `Profile "${name}" has other credentials now. Calls are signed with them`);
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

  async #search(prompts: CredentialPrompts | undefined): Promise<Found> {
    const found = await this.#searchOnce(prompts);
    this.#lastWarning = '';
    if (!this.#wasFound) this.#options.onFound?.();
    this.#wasFound = true;
    return found;
  }

  async #searchOnce(prompts: CredentialPrompts | undefined): Promise<Found> {
    const { profile, assumeRole, env } = this.#options;
    if (profile === undefined && !assumeRole) {
      // Fast path: child processes usually get their credentials in the environment, and this loads
      // no module.
      const identity = getEnvironmentCredentials(env);
      if (identity) return { identity, profileRegion: undefined };
    }
    this.#chain ??= import('./provider-chain.ts').then(({ createProviderChain }) =>
      createProviderChain(this.#options),
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
      const found = await withTimeout(
        chain(search),
        limit,
        () => new Error(`No answer within ${limit / 1000} s`),
      );
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

function createUnexpectedError(cause: unknown): AgentCoreError {
  const words = getErrorMessage(cause).split('\n', 1)[0];
  return new AgentCoreError('credentials', `Could not find AWS credentials: ${words}. Try again`, {
    cause,
  });
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

/** Maximum milliseconds for a call to wait for the user's login. */
const LOGIN_TIMEOUT_MS = 120_000;

/** Milliseconds between checks of the login files and of the user's answer. */
const LOGIN_POLL_INTERVAL_MS = 250;

/**
 * Waits for a login from any source. If another program or a terminal completes the login, the
 * prompt is withdrawn.
 */
async function waitForLogin<T>(login: {
  /** Asks the user to log in. Resolves to false if there will be no login. */
  readonly ask: (signal: AbortSignal) => Promise<boolean>;
  /** Returns a fingerprint of the login files, which changes after a login. */
  readonly getFingerprint: () => string;
  /** Returns the credentials if the login is complete. */
  readonly search: () => Promise<T>;
  /** The error to throw if there is no login. */
  readonly failure: unknown;
}): Promise<T> {
  const { ask, getFingerprint, search, failure } = login;
  const withdrawn = new AbortController();
  let answer: boolean | undefined;
  ask(withdrawn.signal).then(
    (isAccepted) => {
      answer = isAccepted;
    },
    () => {
      answer = false;
    },
  );
  let fingerprint = getFingerprint();
  let wasAnswered = false;
  let found: T | undefined;
  const check = async () => {
    if (answer === false) throw failure;
    const now = getFingerprint();
    const isDue = now !== fingerprint || (answer === true && !wasAnswered);
    wasAnswered = answer !== undefined;
    fingerprint = now;
    if (isDue) found = await search().catch(() => undefined);
    return found !== undefined;
  };
  try {
    const intervalMs = LOGIN_POLL_INTERVAL_MS;
    await waitUntil(check, { intervalMs, timeoutMs: LOGIN_TIMEOUT_MS });
  } finally {
    withdrawn.abort();
  }
  if (found === undefined) throw failure;
  return found;
}
