import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds that a call waits for a login that a person was asked for. */
const LOGIN_WITHIN = 120_000;
/** Milliseconds between two looks at the files that a login writes. */
const LOOK_EVERY = 500;

export interface AwaitedLogin<T> {
  /** Asks the person; false means that there will be no login. */
  readonly ask: (signal: AbortSignal) => Promise<boolean>;
  /** Changes when a login has been written. */
  readonly stamp: () => string;
  /** Finds the credentials, if the login is there. */
  readonly search: () => Promise<T>;
  /** What is thrown where it does not come. */
  readonly failure: unknown;
  readonly within?: number;
}

/**
 * Waits for a login, wherever it is made: the question is withdrawn when one comes otherwise, by
 * another program or in a terminal.
 */
export async function afterLogin<T>(awaited: AwaitedLogin<T>): Promise<T> {
  const { ask, stamp, search, failure, within = LOGIN_WITHIN } = awaited;
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
      await Promise.race([delay(LOOK_EVERY), wasAnswered ? delay(LOOK_EVERY) : answered]);
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
