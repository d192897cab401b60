import { watch } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { type JournalPath, journalPaths } from './journal-files.ts';
import { LineSplitter } from './line-splitter.ts';
import { headOf } from './reader.ts';
import { parseLine } from './record-line.ts';
import type { JournalRecord, ProgramRecord } from './records.ts';

/** A record that has just been written, and by whom. */
export interface FollowedRecord extends JournalPath {
  readonly record: JournalRecord;
  readonly head: ProgramRecord;
}

export interface FollowOptions {
  /** Whether what is there already comes first; `end` by default. */
  readonly from?: 'start' | 'end';
  /** How often, in milliseconds, to look where the system announces nothing. */
  readonly interval?: number;
}

const CHUNK = 64 * 1024;

/**
 * The records of all files as they are written, also of files that are yet to come; those of one
 * run are in order, several runs are not. A new file begins with its head and the sessions that it
 * carries on. Ends when `signal` is aborted; files that cannot be read are looked at again.
 */
export async function* followJournal(
  folder: string,
  signal: AbortSignal,
  options: FollowOptions = {},
): AsyncGenerator<FollowedRecord, void, void> {
  const { from = 'end', interval = 500 } = options;
  const tails = new Map<string, Tail>();
  const bell = new Bell(folder, interval, signal);
  let skipsPresent = from === 'end';
  try {
    while (!signal.aborted) {
      bell.reset();
      const files = await journalPaths(folder).catch(() => []);
      for (const file of files) {
        let tail = tails.get(file.path);
        if (!tail) {
          tail = new Tail(file);
          tails.set(file.path, tail);
          if (skipsPresent) await tail.skipPresent();
        }
        for await (const record of tail.news()) {
          if (signal.aborted) return;
          yield record;
        }
      }
      const present = new Set(files.map(({ path }) => path));
      for (const path of tails.keys()) if (!present.has(path)) tails.delete(path);
      skipsPresent = false;
      await bell.rung();
    }
  } finally {
    bell.close();
  }
}

/** One file, read up to where its writer has come. */
class Tail {
  readonly #file: JournalPath;
  readonly #splitter = new LineSplitter();
  #head: ProgramRecord | undefined;
  #offset = 0;
  #isSkipping = false;
  #isNoJournal = false;

  constructor(file: JournalPath) {
    this.#file = file;
  }

  /** Passes over what is there, but for a last line that is not complete yet. */
  async skipPresent(): Promise<void> {
    this.#isSkipping = true;
    for await (const _ of this.news());
    this.#isSkipping = false;
  }

  async *news(): AsyncGenerator<FollowedRecord, void, void> {
    if (this.#isNoJournal) return;
    try {
      const status = await stat(this.#file.path);
      if (!status.isFile() || status.size <= this.#offset) return;
      const handle = await open(this.#file.path, 'r');
      try {
        for (;;) {
          // A buffer of its own for each turn: the splitter keeps parts of it.
          const { bytesRead, buffer } = await handle.read(
            Buffer.alloc(CHUNK),
            0,
            CHUNK,
            this.#offset,
          );
          if (bytesRead === 0) return;
          this.#offset += bytesRead;
          for (const line of this.#splitter.push(buffer.subarray(0, bytesRead)))
            yield* this.#take(line);
        }
      } finally {
        await handle.close();
      }
    } catch {
      // Removed or out of reach: the next round tells.
    }
  }

  *#take(line: string): Generator<FollowedRecord, void, void> {
    if (this.#isNoJournal || (this.#isSkipping && this.#head)) return;
    const record = parseLine(line);
    try {
      this.#head ??= headOf(record);
    } catch {
      this.#isNoJournal = true;
      return;
    }
    if (this.#isSkipping || typeof record !== 'object') return;
    yield { ...this.#file, record, head: this.#head };
  }
}

/** Rings when something may have changed in a folder. */
class Bell {
  readonly #interval: number;
  readonly #signal: AbortSignal;
  readonly #close: () => void;
  #hasRung = false;
  #ring: (() => void) | undefined;

  constructor(folder: string, interval: number, signal: AbortSignal) {
    this.#interval = interval;
    this.#signal = signal;
    const ring = () => {
      this.#hasRung = true;
      this.#ring?.();
    };
    signal.addEventListener('abort', ring);
    const closeWatcher = watched(folder, ring);
    this.#close = () => {
      signal.removeEventListener('abort', ring);
      closeWatcher();
    };
  }

  /** What rings from now on is news. */
  reset(): void {
    this.#hasRung = false;
  }

  /** Resolves when it rings, has rung since the reset, or after the interval. */
  async rung(): Promise<void> {
    if (this.#hasRung || this.#signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#interval);
      this.#ring = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#ring = undefined;
  }

  close(): void {
    this.#close();
  }
}

/** Network homes and exhausted watches announce nothing; the interval does without. */
function watched(folder: string, onChange: () => void): () => void {
  try {
    const watcher = watch(folder, onChange);
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}
