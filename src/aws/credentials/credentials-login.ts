import { setTimeout as delay } from 'node:timers/promises';

/** Maximum milliseconds for a call to wait for the user's login. */
const LOGIN_TIMEOUT_MS = 120_000;

/** Milliseconds between checks of the login files. */
const POLL_INTERVAL_MS = 500;

interface AwaitedLogin<T> {
  /** Asks the user to log in. Resolves to false if there will be no login. */
  readonly ask: (signal: AbortSignal) => Promise<boolean>;
  /** Returns a fingerprint of the login files, which changes after a login. */
  readonly stamp: () => string;
  /** Returns the credentials if the login is complete. */
  readonly search: () => Promise<T>;
  /** The error to throw if there is no login. */
  readonly failure: unknown;
  readonly within?: number;
}

/**
 * Waits for a login from any source. If another program or a terminal completes the login, the
 * prompt is withdrawn.
 */
export async function waitForLogin<T>(awaited: AwaitedLogin<T>): Promise<T> {
  const { ask, stamp, search, failure, within = LOGIN_TIMEOUT_MS } = awaited;
  const withdrawn = new AbortController();
  const deadline = Date.now() + within;
  let answer: boolean | undefined;
  const answered = ask(withdrawn.signal).then(
    (yes) => {
      answer = yes;
    },
    () => {
      answer = false;
    },
  );
  let seen = stamp();
  let wasAnswered = false;
  try {
    while (Date.now() < deadline) {
      await Promise.race([
        delay(POLL_INTERVAL_MS),
        wasAnswered ? delay(POLL_INTERVAL_MS) : answered,
      ]);
      if (answer === false) throw failure;
      const now = stamp();
      const isNews = now !== seen || (answer === true && !wasAnswered);
      wasAnswered = answer !== undefined;
      seen = now;
      if (!isNews) continue;
      const found = await search().catch(() => undefined);
      if (found !== undefined) return found;
    }
    throw failure;
  } finally {
    withdrawn.abort();
  }
}
