import { serializeRecord } from './record-line.ts';
import type { JournalRecord } from './records.ts';
import { isEnd, isSessionRecord } from './session-facts.ts';

/** A record in the queue. */
export interface Pending {
  readonly record: JournalRecord;
  readonly line: string;
  /** Called when the operating system has the record, or when the write failed for now. */
  readonly settle?: (() => void) | undefined;
}

interface BufferBounds {
  /** Maximum pending records, except session records. */
  readonly records: number;
  /** Maximum pending characters, except those of session records. */
  readonly characters: number;
}

const BOUNDS: BufferBounds = { records: 10_000, characters: 8 * 1024 * 1024 };

/**
 * Queue of records for the disk, in order. If the disk is too slow, calls and errors are dropped.
 * Records of a session are never dropped while it may incur cost.
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
    if (!isSessionRecord(record) && this.#isFull) {
      this.#dropped += 1;
      settle?.();
      return;
    }
    try {
      const line = serializeRecord(record);
      this.#pending.push({ record, line, settle });
      this.#characters += line.length;
    } catch {
      // An argument is not serializable as JSON.
      this.#dropped += 1;
      settle?.();
      return;
    }
    if (this.#pending.length >= this.#compactAt) this.#compact();
  }

  /** Removes and returns the first pending records, up to about `characters` characters. */
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

  /** Puts unwritten records back at the front. */
  putBack(batch: readonly Pending[]): void {
    this.#pending = [...batch, ...this.#pending];
    for (const { line } of batch) this.#characters += line.length;
  }

  /** Resolves all waiting callers. */
  settleAll(): void {
    for (const { settle } of this.#pending) settle?.();
  }

  /** Returns the number of dropped records since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  get #isFull(): boolean {
    const { records, characters } = this.#bounds;
    return this.#pending.length >= records || this.#characters >= characters;
  }

  /** Drops sessions that started and ended before the disk was available. */
  #compact(): void {
    const started = new Set<string>();
    const past = new Set<string>();
    for (const { record } of this.#pending) {
      if (record.type === 'session.started') started.add(record.session);
      if (isSessionRecord(record) && isEnd(record) && started.has(record.session)) {
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
