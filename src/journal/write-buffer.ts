import { lineOf } from './record-line.ts';
import type { JournalRecord } from './records.ts';
import { isEnd, isOfSession } from './session-facts.ts';

/** A record that waits to be written. */
export interface Pending {
  readonly record: JournalRecord;
  readonly line: string;
  /** Called once the record is with the operating system, or could not be written for now. */
  readonly settle?: (() => void) | undefined;
}

export interface BufferBounds {
  /** Records that wait at most, those of sessions apart. */
  readonly records: number;
  /** Characters that wait at most, those of sessions apart. */
  readonly characters: number;
}

const BOUNDS: BufferBounds = { records: 10_000, characters: 8 * 1024 * 1024 };

/**
 * Records on their way to the disk, in order. Where it does not take them in time, calls and
 * errors are dropped; what is known of a session that may cost money never is.
 */
export class WriteBuffer {
  readonly #bounds: BufferBounds;
  #pending: Pending[] = [];
  #characters = 0;
  #dropped = 0;
  #compactAt: number;

  constructor(bounds: BufferBounds = BOUNDS) {
    this.#bounds = bounds;
    this.#compactAt = 2 * bounds.records;
  }

  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  get characters(): number {
    return this.#characters;
  }

  add(record: JournalRecord, settle?: () => void): void {
    if (!isOfSession(record) && this.#isFull) {
      this.#dropped += 1;
      settle?.();
      return;
    }
    try {
      const line = lineOf(record);
      this.#pending.push({ record, line, settle });
      this.#characters += line.length;
    } catch {
      // An argument that JSON cannot hold.
      this.#dropped += 1;
      settle?.();
      return;
    }
    if (this.#pending.length >= this.#compactAt) this.#compact();
  }

  /** Takes what waits, from the first on, up to about so many characters. */
  take(characters: number): Pending[] {
    let count = 0;
    let taken = 0;
    for (const { line } of this.#pending) {
      if (taken >= characters) break;
      taken += line.length;
      count += 1;
    }
    this.#characters -= taken;
    if (count < this.#pending.length) return this.#pending.splice(0, count);
    const all = this.#pending;
    this.#pending = [];
    return all;
  }

  /** Puts back, in front of all others, what could not be written. */
  putBack(batch: readonly Pending[]): void {
    this.#pending = [...batch, ...this.#pending];
    for (const { line } of batch) this.#characters += line.length;
  }

  /** Lets go whoever waits for a record of the buffer. */
  settleAll(): void {
    for (const { settle } of this.#pending) settle?.();
  }

  /** How many records were dropped since this was last asked. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  get #isFull(): boolean {
    const { records, characters } = this.#bounds;
    return this.#pending.length >= records || this.#characters >= characters;
  }

  /** Of a session that began and ended without the disk, nothing needs to be remembered. */
  #compact(): void {
    const started = new Set<string>();
    const past = new Set<string>();
    for (const { record } of this.#pending) {
      if (record.type === 'session.started') started.add(record.session);
      if (isOfSession(record) && isEnd(record) && started.has(record.session)) {
        past.add(record.session);
      }
    }
    const kept = this.#pending.filter(({ record, settle }) => {
      const goes = 'session' in record && past.has(record.session ?? '');
      if (goes) settle?.();
      return !goes;
    });
    this.#dropped += this.#pending.length - kept.length;
    this.#pending = kept;
    this.#characters = kept.reduce((sum, { line }) => sum + line.length, 0);
    this.#compactAt = Math.max(2 * this.#bounds.records, 2 * kept.length);
  }
}
