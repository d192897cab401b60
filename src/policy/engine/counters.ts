import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkOwnFolder } from '../../base/environment.ts';
import {
  type Addition,
  CounterLog,
  EMPTY_TALLY,
  SLICES,
  type Tallies,
  type Tally,
} from '../../state/files/counter-file.ts';
import type { Counter, Scope } from '../documents/model.ts';
import { getWindowEnd, getWindowStart, type Window } from '../documents/windows.ts';
import type { Reservation } from './decision.ts';

/** The identities by which counts are separated. */
interface CounterScope {
  /** Id of the agent's session: the client program that started the proxy. */
  readonly session: string;
  /** ARN of the caller, for the scope `grant`. */
  readonly caller: string | undefined;
  /** ARN of the runtime. Tools of different servers have separate counts. */
  readonly runtime: string;
}

/** The counted amounts of a call, for {@link Counters.release}. */
export interface Receipt {
  readonly added: readonly Counted[];
}

interface Counted {
  readonly log: CounterLog;
  readonly own: readonly Reservation[];
  readonly additions: readonly Addition[];
}

/** The receipt, or the reservation beyond its limit. */
export type ReserveOutcome = { readonly receipt: Receipt } | { readonly refused: Reservation };

/** Milliseconds after the last write until every window of a file has ended: two months. */
const FILE_TTL_MS = 63 * 86_400_000;

/** Minimum files to keep, regardless of age. */
const MIN_KEPT_FILES = 500;

/** Maximum open logs of one process. Above its usual number: session, identities, and all. */
const MAX_LOGS = 100;

/**
 * The counters of policies, in files shared by all programs of the user: one per session, one per
 * identity, and one for all calls. They survive restarts.
 */
export class Counters {
  readonly #folder: string;
  readonly #now: () => number;
  /** By scope and id. */
  readonly #logs = new Map<string, CounterLog>();
  #isReady = false;

  /** @param folder Created if missing. */
  constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  /**
   * Returns the current value of a counter.
   *
   * @throws {AgentCoreError} if the file cannot be read.
   */
  value(file: string, counter: Counter, party: CounterScope): number {
    const log = this.#log(counter.scope, party);
    const tallies = log.read();
    this.#noteTime(log, tallies, [{ file, counter }], party);
    return this.#getCount(tallies, file, counter, party);
  }

  /** Returns the first reservation beyond its limit. Counts nothing. */
  exceeded(reservations: readonly Reservation[], party: CounterScope): Reservation | undefined {
    for (const [log, own] of this.#byLog(reservations, party)) {
      const tallies = log.read();
      const beyond = this.#beyond(tallies, own, party);
      if (!beyond) continue;
      this.#noteTime(log, tallies, own, party);
      return beyond;
    }
    return undefined;
  }

  /**
   * Adds all amounts, or none if one of them exceeds its limit. If only one of two concurrent calls
   * fits, both may be refused, but never both accepted.
   *
   * @throws {AgentCoreError} if the counters cannot be read or written: the call must be denied.
   */
  reserve(reservations: readonly Reservation[], party: CounterScope): ReserveOutcome {
    const counting: Counted[] = [];
    for (const [log, own] of this.#byLog(reservations, party)) {
      // If an amount exceeds the limit, do not write it: refusals must not use space. Cached counts
      // are sufficient here, because the counts after the write decide.
      if (this.#beyond(log.known(), own, party)) {
        const tallies = log.read();
        const refused = this.#beyond(tallies, own, party);
        if (refused) {
          this.#noteTime(log, tallies, own, party);
          return { refused };
        }
      }
      counting.push({ log, own, additions: this.#additions(own, party) });
    }
    const added: Counted[] = [];
    for (const next of counting) {
      const { log, own, additions } = next;
      const tallies = log.add(additions);
      added.push(next);
      const lost = own.find((one) => {
        if (one.most === undefined) return false;
        return isBeyond(one, this.#getCount(tallies, one.file, one.counter, party));
      });
      if (!lost) continue;
      this.release({ added });
      return { refused: lost };
    }
    return { receipt: { added } };
  }

  /**
   * Removes the amounts of a call without effect.
   *
   * @throws {AgentCoreError} if the write fails. The amounts then stay counted.
   */
  release({ added }: Receipt): void {
    for (const { log, additions } of added) {
      log.add(additions.map((one) => ({ ...one, amount: -one.amount })));
    }
  }

  /**
   * Records the current time if another program's clock was ahead and its counts are in the future.
   * Otherwise these counts would block the limit until their time comes.
   */
  #noteTime(
    log: CounterLog,
    tallies: Tallies,
    counted: readonly Pick<Reservation, 'file' | 'counter'>[],
    party: CounterScope,
  ): void {
    const ahead = counted.filter(({ file, counter }) =>
      isAhead(
        tallies.get(getKey(file, counter, party)) ?? EMPTY_TALLY,
        counter.window,
        this.#now(),
      ),
    );
    if (ahead.length === 0) return;
    log.add(
      this.#additions(
        ahead.map((one) => ({ ...one, amount: 0 })),
        party,
      ),
    );
  }

  #beyond(
    tallies: Tallies,
    reservations: readonly Reservation[],
    party: CounterScope,
  ): Reservation | undefined {
    return reservations.find((one) => {
      if (one.most === undefined) return false;
      return isBeyond(one, this.#getCount(tallies, one.file, one.counter, party) + one.amount);
    });
  }

  #getCount(tallies: Tallies, file: string, counter: Counter, party: CounterScope): number {
    const tally = tallies.get(getKey(file, counter, party)) ?? EMPTY_TALLY;
    return getCount(tally, counter.window, this.#now());
  }

  /** Merges reservations by counter. A call counts once, with the largest amount. */
  #additions(
    reservations: readonly Pick<Reservation, 'file' | 'counter' | 'amount'>[],
    party: CounterScope,
  ): Addition[] {
    const additions = new Map<string, Addition>();
    for (const { file, counter, amount } of reservations) {
      const key = getKey(file, counter, party);
      const most = Math.max(amount, additions.get(key)?.amount ?? 0);
      const slice = getSliceAt(counter.window, this.#now());
      additions.set(key, { key, ...slice, amount: most });
    }
    return [...additions.values()];
  }

  #byLog(
    reservations: readonly Reservation[],
    party: CounterScope,
  ): Map<CounterLog, Reservation[]> {
    const groups = new Map<CounterLog, Reservation[]>();
    for (const reservation of reservations) {
      const log = this.#log(reservation.counter.scope, party);
      groups.set(log, [...(groups.get(log) ?? []), reservation]);
    }
    return groups;
  }

  #log(scope: Scope, { session, caller }: CounterScope): CounterLog {
    this.#prepare();
    const subject = scope === 'session' ? session : scope === 'grant' ? (caller ?? 'unknown') : '';
    const key = `${scope} ${subject}`;
    const known = this.#logs.get(key);
    if (known) return known;
    const hash = createHash('sha256').update(subject).digest('hex').slice(0, 32);
    const name = scope === 'global' ? 'global' : `${scope}-${hash}`;
    const log = new CounterLog(this.#folder, name, this.#now);
    if (this.#logs.size >= MAX_LOGS) this.#logs.delete(this.#logs.keys().next().value ?? '');
    this.#logs.set(key, log);
    return log;
  }

  /** Once per process, creates the folder and removes expired files. */
  #prepare(): void {
    if (this.#isReady) return;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    checkOwnFolder(this.#folder, statSync(this.#folder));
    const files = readdirSync(this.#folder)
      .filter((name) => /^(session|grant)-/.test(name))
      .map((name) => join(this.#folder, name))
      .map((path) => ({ path, written: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
      .toSorted((one, other) => other.written - one.written);
    // Keep the latest files in any case: if the clock is ahead, all files appear expired.
    for (const { path, written } of files.slice(MIN_KEPT_FILES)) {
      if (this.#now() - written > FILE_TTL_MS) rmSync(path, { force: true });
    }
    this.#isReady = true;
  }
}

function isBeyond({ most, isExclusive }: Reservation, total: number): boolean {
  return isExclusive ? total >= Number(most) : total > Number(most);
}

function getKey(file: string, { key }: Counter, { runtime }: CounterScope): string {
  return `${runtime} ${file} ${key}`;
}

/**
 * Returns the sum of the slices within the window at `now`. A slice in the future counts from the
 * time at which it was first seen.
 */
export function getCount({ slices }: Tally, window: Window, now: number): number {
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
export function getSliceAt(
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
