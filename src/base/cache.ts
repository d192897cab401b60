import { SingleFlight } from './async.ts';

/** Caches: by size, and by expiry. */

/**
 * A cache that keeps at least the latest half of its bound, and never exceeds its bound. Used
 * entries move to the younger of two generations. The older generation is dropped as a whole.
 */
export class LruCache<V> {
  readonly #most: number;
  readonly #weigh: (key: string, value: V) => number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  #weight = 0;

  /** @param most The maximum weight of all keys and values. */
  constructor(most: number, weightOf: (key: string, value: V) => number) {
    this.#most = most;
    this.#weigh = weightOf;
  }

  /** Returns the value, and marks it as used. */
  get(key: string): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    const weight = this.#weigh(key, value);
    if (this.#weight + weight > this.#most / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#weight = 0;
    }
    if (!this.#young.has(key)) this.#weight += weight;
    this.#young.set(key, value);
  }
}

/** Start the background refresh this many milliseconds before expiry. */
const REFRESH_BEFORE_MS = 5 * 60 * 1000;

/** Maximum random milliseconds to refresh earlier, so that programs do not refresh together. */
const MAX_JITTER_MS = 60 * 1000;

/** Stop using a value this many milliseconds before expiry. */
const SAFETY_MS = 5_000;

/** Milliseconds to wait after a background refresh without a newer value. */
const RETRY_DELAY_MS = 30_000;

/** Maximum delay of a Node timer, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

interface ExpiringValueOptions<T> {
  /**
   * Loads a value. Its duration must be bounded.
   *
   * @param isBackground True if a current value is still valid, so the user must not be prompted.
   */
  load(isBackground: boolean): Promise<T>;
  /** In milliseconds since the epoch. `undefined` if the value does not expire. */
  getExpiry(value: T): number | undefined;
  isSame(one: T, other: T): boolean;
  /** The time for expiry, in milliseconds since the epoch. */
  now(): number;
}

interface Held<T> {
  readonly value: T;
  /** When to stop using the value, and when to refresh it, in milliseconds since the epoch. */
  readonly overAt: number;
  readonly dueAt: number;
}

/**
 * Caches credentials or a token until shortly before expiry. It refreshes a used value in the
 * background, or after a server rejected it. Concurrent callers share one load.
 */
export class ExpiringValue<T> {
  readonly #options: ExpiringValueOptions<T>;
  readonly #loading = new SingleFlight<T>();
  readonly #background = new SingleFlight<void>();
  #held: Held<T> | undefined;
  /** When another value replaced the previous one (`performance.now()`). */
  #replacedAt = Number.NEGATIVE_INFINITY;
  #wasUsed = false;
  /** The last refresh after a rejection, and its end (`performance.now()`). */
  #renewal: { readonly result: Promise<boolean>; endedAt: number } | undefined;
  /** No background refresh before this time (`Date.now()`). */
  #restsUntil = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ExpiringValueOptions<T>) {
    this.#options = options;
  }

  /** The cached value if it is valid. Reading it does not count as a use. */
  get current(): T | undefined {
    const held = this.#held;
    return held && held.overAt > this.#options.now() ? held.value : undefined;
  }

  /** Returns the cached value if it is valid, otherwise loads one. */
  async get(): Promise<T> {
    const held = this.#held;
    const now = this.#options.now();
    if (!held || held.overAt <= now) return this.#load(() => this.current);
    this.#wasUsed = true;
    if (held.dueAt <= now) this.#refreshInBackground();
    return held.value;
  }

  /** Loads a value even if the cached one is valid. */
  load(): Promise<T> {
    return this.#load(() => undefined);
  }

  #load(findRefreshed: () => T | undefined): Promise<T> {
    return this.#loading.run(async () => {
      await this.#waitForBackground();
      return findRefreshed() ?? this.set(await this.#options.load(false));
    });
  }

  /** Two concurrent loads could both use a single-use secret, such as a refresh token. */
  async #waitForBackground(): Promise<void> {
    await this.#background.pending?.catch(() => undefined);
  }

  /** Replaces the cached value. */
  set(value: T): T {
    const { getExpiry, isSame, now } = this.#options;
    if (this.#held && !isSame(this.#held.value, value)) this.#replacedAt = performance.now();
    this.#held = { value, ...getLife(getExpiry(value), now()) };
    this.#wasUsed = false;
    this.#restsUntil = 0;
    this.#wakeUp(this.#held.dueAt);
    return value;
  }

  /**
   * Loads a value after a server rejected the cached one. If an earlier refresh ended after the
   * start of the rejected call, it also covers this call.
   *
   * @param rejectedSince The start of the rejected call (`performance.now()`).
   * @returns false if the same value came back, so a retry would not help.
   */
  async refresh(rejectedSince: number): Promise<boolean> {
    if (this.#replacedAt > rejectedSince) return true;
    if (!this.#renewal || this.#renewal.endedAt < rejectedSince) {
      const result = this.#renew().finally(() => {
        renewal.endedAt = performance.now();
      });
      const renewal = { result, endedAt: Number.POSITIVE_INFINITY };
      this.#renewal = renewal;
    }
    return (await this.#renewal.result) || this.#replacedAt > rejectedSince;
  }

  async #renew(): Promise<boolean> {
    const before = this.#held;
    if (!before || this.current === undefined) {
      await this.load();
    } else {
      await this.#waitForBackground();
      await this.#background.run(async () => void this.set(await this.#options.load(true)));
    }
    return !!before && !!this.#held && !this.#options.isSame(before.value, this.#held.value);
  }

  /** Ignores failures, because the cached value is still valid. */
  #refreshInBackground(): void {
    if (this.#background.pending || this.#loading.pending) return;
    if (Date.now() < this.#restsUntil) return;
    const { load, getExpiry, now } = this.#options;
    const isNewer = (value: T) => {
      const before = this.#held && getExpiry(this.#held.value);
      return (getExpiry(value) ?? Number.POSITIVE_INFINITY) > (before ?? 0);
    };
    const rest = () => {
      this.#restsUntil = Date.now() + RETRY_DELAY_MS;
      this.#wakeUp(now() + RETRY_DELAY_MS);
    };
    void this.#background.run(() =>
      load(true).then((value) => {
        if (isNewer(value)) this.set(value);
        else rest();
      }, rest),
    );
  }

  /** Schedules a refresh. It runs only if the value was used. */
  #wakeUp(at: number): void {
    clearTimeout(this.#timer);
    const { overAt = 0 } = this.#held ?? {};
    if (at >= overAt || overAt === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(Math.max(at - this.#options.now(), 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      if (this.#wasUsed) this.#refreshInBackground();
    }, wait).unref();
  }
}

/** Short-lived values are refreshed at half of their lifetime. */
function getLife(
  expiresAt = Number.POSITIVE_INFINITY,
  now: number,
): { readonly overAt: number; readonly dueAt: number } {
  const life = Math.max(expiresAt - now, 0);
  const jitter = Math.random() * MAX_JITTER_MS;
  return {
    overAt: expiresAt - Math.min(SAFETY_MS, life / 10),
    dueAt: expiresAt - Math.min(REFRESH_BEFORE_MS + jitter, life / 2),
  };
}
