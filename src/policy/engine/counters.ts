import { type MaybePromise, runSteps, SingleFlight } from '../../base/async.ts';
import { DEFAULT_LIFECYCLE } from '../../sessions/lifecycle.ts';
import type { SessionInfo } from '../../sessions/session-info.ts';
import { readSessions } from '../../sessions/session-store.ts';
import {
  type Addition,
  type CounterGroup,
  type CounterStore,
  EMPTY_TALLY,
  SLICES,
  type Tallies,
  type Tally,
} from '../../state/counters.ts';
import type { Journal } from '../../state/store.ts';
import type { Counter, Scope } from '../documents/model.ts';
import { getWindowEnd, getWindowStart, type Window } from '../documents/windows.ts';
import type { Receipt, Reservation, Spent } from './decision.ts';

/** The counters of limits, and the spending of budgets. */

/** The identities by which counts are separated. */
export interface CounterScope {
  /** Id of the agent's session: the client program that started the proxy. */
  readonly session: string;
  /** ARN of the caller, for the scope `grant`. */
  readonly caller: string | undefined;
  /** ARN of the runtime. Tools of different servers have separate counts. */
  readonly runtime: string;
}

/** The receipt, or the reservation beyond its limit. */
export type ReserveOutcome = { readonly receipt: Receipt } | { readonly refused: Reservation };

type Steps<T> = Generator<MaybePromise<Tallies>, T, Tallies>;

/** The counters of policies. */
export class Counters {
  readonly #store: CounterStore;
  readonly #now: () => number;

  constructor(store: CounterStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /**
   * Returns the current value of a counter.
   *
   * @throws {AgentCoreError} if the counters cannot be read.
   */
  value(file: string, counter: Counter, scope: CounterScope): MaybePromise<number> {
    return runSteps(this.#read(file, counter, scope));
  }

  /** Returns the first reservation beyond its limit. Counts nothing. */
  exceeded(
    reservations: readonly Reservation[],
    scope: CounterScope,
  ): MaybePromise<Reservation | undefined> {
    return runSteps(this.#findExceeded(reservations, scope));
  }

  /**
   * Adds all amounts, or none if one of them exceeds its limit. If only one of two concurrent calls
   * fits, both may be refused, but never both accepted.
   *
   * @throws {AgentCoreError} if the counters cannot be read or written: the call must be denied.
   */
  reserve(reservations: readonly Reservation[], scope: CounterScope): MaybePromise<ReserveOutcome> {
    return runSteps(this.#reserve(reservations, scope));
  }

  /**
   * Removes the amounts of a call without effect.
   *
   * @throws {AgentCoreError} if the write fails. The amounts then stay counted.
   */
  release(receipt: Receipt): MaybePromise<void> {
    return runSteps(this.#release(receipt));
  }

  *#read(file: string, counter: Counter, scope: CounterScope): Steps<number> {
    const group = toGroup(counter.scope, scope);
    const tallies = yield this.#store.read(group);
    yield* this.#noteTime(group, tallies, [{ file, counter }], scope);
    return this.#getCount(tallies, file, counter, scope);
  }

  *#findExceeded(
    reservations: readonly Reservation[],
    scope: CounterScope,
  ): Steps<Reservation | undefined> {
    for (const [group, own] of groupByScope(reservations, scope)) {
      const tallies = yield this.#store.read(group);
      const beyond = this.#findBeyond(tallies, own, scope);
      if (!beyond) continue;
      yield* this.#noteTime(group, tallies, own, scope);
      return beyond;
    }
    return undefined;
  }

  *#reserve(reservations: readonly Reservation[], scope: CounterScope): Steps<ReserveOutcome> {
    const groups = groupByScope(reservations, scope);
    for (const [group, own] of groups) {
      // If an amount exceeds the limit, do not write it: refusals must not use space. Cached counts
      // are sufficient here, because the counts after the write decide.
      if (!this.#findBeyond(yield this.#store.readCached(group), own, scope)) continue;
      const tallies = yield this.#store.read(group);
      const refused = this.#findBeyond(tallies, own, scope);
      if (!refused) continue;
      yield* this.#noteTime(group, tallies, own, scope);
      return { refused };
    }
    const added: Receipt['added'][number][] = [];
    for (const [group, own] of groups) {
      const additions = this.#toAdditions(own, scope);
      const tallies = yield this.#store.add(group, additions);
      added.push({ group, additions });
      const lost = own.find((one) =>
        isBeyond(one, this.#getCount(tallies, one.file, one.counter, scope)),
      );
      if (!lost) continue;
      yield* this.#release({ added });
      return { refused: lost };
    }
    return { receipt: { added } };
  }

  *#release({ added }: Receipt): Steps<void> {
    for (const { group, additions } of added) {
      const negative = additions.map((one) => ({ ...one, amount: -one.amount }));
      yield this.#store.add(group, negative);
    }
  }

  /**
   * Records the current time if another program's clock was ahead and its counts are in the future.
   * Otherwise these counts would block the limit until their time comes.
   */
  *#noteTime(
    group: CounterGroup,
    tallies: Tallies,
    counted: readonly Pick<Reservation, 'file' | 'counter'>[],
    scope: CounterScope,
  ): Steps<void> {
    const ahead = counted.filter(({ file, counter }) => {
      const tally = tallies.get(getKey(file, counter, scope)) ?? EMPTY_TALLY;
      return isAhead(tally, counter.window, this.#now());
    });
    if (ahead.length === 0) return;
    const nothing = ahead.map((one) => ({ ...one, amount: 0 }));
    yield this.#store.add(group, this.#toAdditions(nothing, scope));
  }

  #findBeyond(
    tallies: Tallies,
    reservations: readonly Reservation[],
    scope: CounterScope,
  ): Reservation | undefined {
    return reservations.find((one) =>
      isBeyond(one, this.#getCount(tallies, one.file, one.counter, scope) + one.amount),
    );
  }

  #getCount(tallies: Tallies, file: string, counter: Counter, scope: CounterScope): number {
    const tally = tallies.get(getKey(file, counter, scope)) ?? EMPTY_TALLY;
    return getCount(tally, counter.window, this.#now());
  }

  /** Merges reservations by counter. A call counts once, with the largest amount. */
  #toAdditions(
    reservations: readonly Pick<Reservation, 'file' | 'counter' | 'amount'>[],
    scope: CounterScope,
  ): Addition[] {
    const additions = new Map<string, Addition>();
    for (const { file, counter, amount } of reservations) {
      const key = getKey(file, counter, scope);
      const most = Math.max(amount, additions.get(key)?.amount ?? 0);
      const slice = getSliceAt(counter.window, this.#now());
      additions.set(key, { key, ...slice, amount: most });
    }
    return [...additions.values()];
  }
}

function groupByScope(
  reservations: readonly Reservation[],
  scope: CounterScope,
): [CounterGroup, Reservation[]][] {
  const groups = new Map<Scope, Reservation[]>();
  for (const reservation of reservations) {
    const { counter } = reservation;
    groups.set(counter.scope, [...(groups.get(counter.scope) ?? []), reservation]);
  }
  return [...groups].map(([shared, own]) => [toGroup(shared, scope), own]);
}

function toGroup(shared: Scope, { session, caller = 'unknown' }: CounterScope): CounterGroup {
  return { scope: shared, id: { session, grant: caller, global: '' }[shared] };
}

function isBeyond({ most, isExclusive }: Reservation, total: number): boolean {
  if (most === undefined) return false;
  return isExclusive ? total >= most : total > most;
}

function getKey(file: string, { key }: Counter, { runtime }: CounterScope): string {
  return `${runtime} ${file} ${key}`;
}

/**
 * Returns the sum of the slices within the window at `now`. A slice in the future counts from the
 * time at which it was first seen.
 */
function getCount({ slices }: Tally, window: Window, now: number): number {
  const first = getFirstSlice(window, now);
  const { slice: present } = getSliceAt(window, now);
  return slices.reduce((sum, [slice, amount, seenIn]) => {
    const counted = slice > present ? Math.min(seenIn ?? present, present) : slice;
    return counted >= first ? sum + amount : sum;
  }, 0);
}

/** True if a slice is in the future, and the current time is not recorded for it yet. */
function isAhead({ slices }: Tally, window: Window, now: number): boolean {
  const { slice: present } = getSliceAt(window, now);
  return slices.some(
    ([slice, , seenIn]) => slice > present && (seenIn === undefined || seenIn > present),
  );
}

/** Returns the current slice of a window and its expiry time, in milliseconds since 1970. */
function getSliceAt(
  window: Window,
  now: number,
): { readonly slice: number; readonly until: number } {
  const slice =
    window.kind === 'fixed'
      ? getWindowStart(window, now)
      : Math.floor(now / getSliceLength(window));
  return { slice, until: getSliceEnd(window, slice) };
}

function getSliceLength({ milliseconds }: Window): number {
  return Math.max(1, Math.ceil(milliseconds / SLICES));
}

function getFirstSlice(window: Window, now: number): number {
  if (window.kind === 'fixed') return getWindowStart(window, now);
  // The slice that contains the start of the window.
  return Math.floor((now - window.milliseconds) / getSliceLength(window));
}

function getSliceEnd(window: Window, slice: number): number {
  if (window.kind === 'fixed') return getWindowEnd(window, slice);
  return (slice + 1) * getSliceLength(window) + window.milliseconds;
}

/**
 * Ages of the last read in milliseconds. After the first, it is refreshed in the background. After
 * the second, a call waits for the refresh.
 */
const REFRESH_AFTER_MS = 5_000;

const WAIT_AFTER_MS = 30_000;

/**
 * Reads the usage of runtime sessions from the journal, for budgets. It includes all programs of
 * the user. The journal is read in the background. A call waits only if the last read is too old.
 */
export class SpendingReader {
  readonly #journal: Pick<Journal, 'readSessionFacts'>;
  readonly #now: () => number;
  #entries: readonly SessionInfo[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  readonly #reading = new SingleFlight<void>();

  constructor(journal: Pick<Journal, 'readSessionFacts'>, now: () => number) {
    this.#journal = journal;
    this.#now = now;
  }

  /** Returns the usage in a window. Rejects if the journal cannot be read. */
  async in(window: Window): Promise<Spent> {
    // If the clock was set back, the last read is in the future.
    const age = Math.abs(this.#now() - this.#readAt);
    const reading =
      age > REFRESH_AFTER_MS ? this.#reading.run(() => this.#readJournal()) : undefined;
    reading?.catch(() => undefined);
    if (age > WAIT_AFTER_MS) await reading;
    const now = this.#now();
    const start = window.kind === 'fixed' ? getWindowStart(window, now) : now - window.milliseconds;
    let usd = 0;
    let sessions = 0;
    for (const { startedAt, age: lived, cost } of this.#entries) {
      const began = Date.parse(startedAt);
      if (began >= start) sessions++;
      // If a session started before the window, only its share within the window counts.
      const share = began >= start ? 1 : Math.max(0, began + lived - start) / Math.max(lived, 1);
      usd += cost.most * share;
    }
    return { usd, sessions };
  }

  async #readJournal(): Promise<void> {
    const lifecycles = { resolve: async () => () => DEFAULT_LIFECYCLE };
    const { entries } = await readSessions({
      journal: this.#journal,
      lifecycles,
      now: this.#now,
      // Include sessions removed from the list: they have cost money.
      unlisted: ['dismissed'],
    });
    this.#entries = entries;
    this.#readAt = this.#now();
  }
}
