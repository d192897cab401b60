import { setTimeout as delay } from 'node:timers/promises';
import type { AwsCredentialIdentity } from '@smithy/types';
import { AgentCoreError, messageOf } from '../../error.ts';
import { AwsClock } from '../aws-clock.ts';
import { stampOf } from '../file-stamp.ts';
import type { Credentials } from '../signer.ts';
import type { Found } from './credential-chain.ts';
import { isOther, isSame, type Life, lifeOf } from './credential-life.ts';
import { loginOf } from './credentials-failure.ts';
import type { CredentialsOptions, Search } from './credentials-options.ts';
import { environmentCredentials } from './environment-credentials.ts';
import type { CredentialPrompts } from './prompts.ts';

/** Milliseconds after an attempt in the background that brought nothing newer. */
const REST = 30_000;
/** The most milliseconds that a search may take, and one that asks a person. */
const SEARCH_WITHIN = 60_000;
const ASKING_WITHIN = 180_000;
/** Milliseconds before another look at files that could not be used. */
const LOOK_AGAIN = 5_000;
/** Searches while a file is being written, and the milliseconds between two. */
const WRITE_ATTEMPTS = 4;
const WRITE_PAUSE = 100;
/** Milliseconds that a call waits for what changed files say, before it takes what is held. */
const CHANGE_WITHIN = 2_000;
/** Node's timers end there. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Credentials that stay valid by themselves. */
export interface FoundCredentials extends Credentials {
  /**
   * Finds others for callers whose calls were refused, perhaps because theirs have expired, once for
   * all of them. A person is asked only where they have: most refusals are meant.
   *
   * @param since The moment (`performance.now()`) at which the refused call began.
   * @returns false where the same ones come back, or none, so that nothing is gained by another try.
   */
  renew(since: number): Promise<boolean>;
}

/**
 * The credentials that the AWS SDKs would find: the named profile, else the environment, shared
 * files, processes, web identity, container and instance metadata, in that order; then the roles to
 * assume, if there are any. They are kept until shortly before they expire, renewed in the
 * background before that, and looked for again when the files that they came from have changed.
 * All who ask meanwhile share one search. The providers themselves are loaded when they are needed.
 *
 * @returns a function that throws {@link AgentCoreError} `credentials`.
 */
export function findCredentials(options: CredentialsOptions): FoundCredentials {
  const kept = new KeptCredentials(options);
  return Object.assign(
    ({ forceRefresh = false } = {}) => (forceRefresh ? kept.find() : kept.get()),
    { renew: (since: number) => kept.renew(since) },
  );
}

type Held = Found & Life;

class KeptCredentials {
  readonly #options: CredentialsOptions;
  readonly #clock: AwsClock;
  #chain: Promise<(search: Search) => Promise<Found>> | undefined;
  #held: Held | undefined;
  /** When the ones held took the place of others (`performance.now()`). */
  #replacedAt = Number.NEGATIVE_INFINITY;
  #wasUsed = false;
  /** The last renewal for refused calls, and when it ended (`performance.now()`). */
  #renewal: { readonly result: Promise<boolean>; endedAt: number } | undefined;
  #finding: Promise<AwsCredentialIdentity> | undefined;
  #renewing: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #restsUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The files that had a say, as they were. */
  readonly #files = new Set<string>();
  #stamp = '';
  /** The same, when they could not be used. */
  #failedStamp = '';
  #nextLook = 0;
  #lastWarning = '';

  constructor(options: CredentialsOptions) {
    this.#clock = options.clock ?? new AwsClock();
    this.#options = { ...options, clock: this.#clock };
  }

  async get(): Promise<AwsCredentialIdentity> {
    const held = this.#held;
    if (!held || this.#isOver(held)) return this.find();
    this.#wasUsed = true;
    if (this.#following || this.#filesChanged()) {
      await this.#followFiles();
      return (this.#held ?? held).identity;
    }
    if (held.dueAt <= this.#clock.now()) void this.#renewInBackground();
    return held.identity;
  }

  /** Searches at once, and asks a person where it takes one. */
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
    // One that ended after the refused call had been sent is as good for it.
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

  /** Brings what can be had without a person, if anything. */
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
    // Two at once would use up what works only once, such as a refresh token.
    if (this.#renewing) await this.#renewing;
    try {
      return await this.#search(prompts);
    } catch (thrown) {
      const profile = loginOf(thrown);
      if (profile === undefined || !prompts?.login) throw thrown;
      const { afterLogin } = await import('./credentials-login.ts');
      return afterLogin({
        ask: (signal) =>
          prompts.login?.(profile, messageOf(thrown), signal) ?? Promise.resolve(false),
        stamp: () => stampOf(this.#files),
        search: () => this.#search(undefined),
        failure: thrown,
      });
    }
  }

  /** Failures stay unsaid: as long as the ones held are valid, nobody misses anything. */
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
        this.#restsUntil = Date.now() + REST;
        this.#wakeUp(this.#clock.now() + REST);
      })
      .finally(() => {
        this.#renewing = undefined;
      });
    return this.#renewing;
  }

  #filesChanged(): boolean {
    if (this.#files.size === 0) return false;
    const stamp = stampOf(this.#files);
    return stamp !== (Date.now() < this.#nextLook ? this.#failedStamp : this.#stamp);
  }

  /** Resolves when the files' credentials are held, or when that takes longer than a call can wait. */
  async #followFiles(): Promise<void> {
    this.#following ??= this.#searchSettled()
      .then(
        (found) => {
          this.#tellChange(found);
          this.#keep(found);
        },
        (thrown) => {
          // A file may be half written, or wrong for good: either way the ones held go on.
          this.#nextLook = Date.now() + LOOK_AGAIN;
          this.#stamp = '';
          this.#failedStamp = stampOf(this.#files);
          this.#warn(
            `The AWS files have changed, and cannot be used as they are now; calls go on with the credentials from before. ${messageOf(thrown)}`,
          );
        },
      )
      .finally(() => {
        this.#following = undefined;
      });
    await Promise.race([this.#following, delay(CHANGE_WITHIN, undefined, { ref: false })]);
  }

  /** Searches again if a file was only half written, as programs write in steps. */
  async #searchSettled(): Promise<Found> {
    for (let attempt = 1; ; attempt++) {
      const stamp = stampOf(this.#files);
      try {
        return await this.#search(undefined);
      } catch (thrown) {
        if (attempt === WRITE_ATTEMPTS) throw thrown;
        await delay(WRITE_PAUSE);
        if (stampOf(this.#files) === stamp) throw thrown;
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
    this.#held = { ...found, ...lifeOf(found.identity, now) };
    this.#wasUsed = false;
    this.#restsUntil = 0;
    this.#lastWarning = '';
    this.#wakeUp(this.#held.dueAt);
    return found.identity;
  }

  /** Renews at that time, if there is somebody who uses them. */
  #wakeUp(at: number): void {
    clearTimeout(this.#timer);
    const { overAt = 0 } = this.#held ?? {};
    if (at >= overAt || overAt === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(Math.max(at - this.#clock.now(), 0), LONGEST_TIMER);
    this.#timer = setTimeout(() => {
      if (this.#wasUsed) void this.#renewInBackground();
    }, wait).unref();
  }

  async #search(prompts: CredentialPrompts | undefined): Promise<Found> {
    const { profile, assumeRole, env } = this.#options;
    if (profile === undefined && !assumeRole) {
      // By far the most common case of programs that start programs, and the one that loads nothing.
      const identity = environmentCredentials(env);
      if (identity) return { identity, profileRegion: undefined };
    }
    this.#chain ??= import('./credential-chain.ts').then(({ credentialChain }) =>
      credentialChain(this.#options),
    );
    const chain = await this.#chain;
    // As they are before they are read: what is written meanwhile is news.
    const stamps = new Map<string, string>();
    const ending = new AbortController();
    const search = {
      prompts,
      signal: ending.signal,
      onFile: (path: string) => void stamps.set(path, stampOf([path])),
    };
    const limit = prompts ? ASKING_WITHIN : SEARCH_WITHIN;
    try {
      const found = await within(limit, () => chain(search));
      this.#files.clear();
      for (const path of stamps.keys()) this.#files.add(path);
      this.#stamp = [...stamps.values()].join('\n');
      return found;
    } catch (thrown) {
      for (const path of stamps.keys()) this.#files.add(path);
      throw thrown instanceof AgentCoreError ? thrown : unexpected(thrown);
    } finally {
      ending.abort();
    }
  }
}

async function within<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
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

function unexpected(cause: unknown): AgentCoreError {
  const words = messageOf(cause).split('\n', 1)[0];
  return new AgentCoreError(
    'credentials',
    `No AWS credentials: looking for them failed; try again (${words})`,
    { cause },
  );
}
