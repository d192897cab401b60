import { open, stat } from 'node:fs/promises';
import { DirectoryWatcher } from '../../base/files.ts';
import { readSegmentHeader } from './reader.ts';
import { type JournalRecord, type ProgramRecord, parseRecord } from './records.ts';
import { type JournalPath, LineSplitter, listJournalPaths } from './segment.ts';

/** A new record, with its file and the head of the file. */
export interface FollowedRecord extends JournalPath {
  readonly record: JournalRecord;
  readonly head: ProgramRecord;
}

/** Options of {@link followJournal}. */
export interface FollowOptions {
  /** `start` returns existing records first; `end`, the default, only new ones. */
  readonly from?: 'start' | 'end';
  /** Polling interval in milliseconds, for file systems without change events. */
  readonly interval?: number;
}

const CHUNK = 64 * 1024;

/**
 * Yields the records of all files as they are written, including new files. Records of one run are
 * in order, but records of several runs are mixed. A new file starts with its head and the sessions
 * carried over. Ends when `signal` is aborted. Retries unreadable files.
 */
export async function* followJournal(
  folder: string,
  signal: AbortSignal,
  options: FollowOptions = {},
): AsyncGenerator<FollowedRecord, void, void> {
  const { from = 'end', interval = 500 } = options;
  const tails = new Map<string, Tail>();
  const changes = new ChangeSignal(folder, interval, signal);
  let skipsPresent = from === 'end';
  try {
    while (!signal.aborted) {
      changes.reset();
      const files = await listJournalPaths(folder).catch(() => []);
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
      await changes.wait();
    }
  } finally {
    changes.close();
  }
}

/** One file and the current read offset. */
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

  /** Skips existing lines, except an incomplete last line. */
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
          // A new buffer for each read, because the splitter keeps references to it.
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
      // The file was removed or is unreadable; the next round checks again.
    }
  }

  *#take(line: string): Generator<FollowedRecord, void, void> {
    if (this.#isNoJournal || (this.#isSkipping && this.#head)) return;
    const record = parseRecord(line);
    try {
      this.#head ??= readSegmentHeader(record);
    } catch {
      this.#isNoJournal = true;
      return;
    }
    if (this.#isSkipping || typeof record !== 'object') return;
    yield { ...this.#file, record, head: this.#head };
  }
}

/** Emits if a file in the folder may have changed. */
class ChangeSignal {
  readonly #interval: number;
  readonly #signal: AbortSignal;
  readonly #watcher: DirectoryWatcher;
  #hasChanged = false;
  #onChange: (() => void) | undefined;

  constructor(folder: string, interval: number, signal: AbortSignal) {
    this.#interval = interval;
    this.#signal = signal;
    this.#watcher = new DirectoryWatcher(folder, this.#emit);
    signal.addEventListener('abort', this.#emit);
  }

  /** Clears the signal. Later changes set it again. */
  reset(): void {
    this.#hasChanged = false;
    this.#watcher.start();
  }

  /** Resolves after a change, immediately if one came since `reset`, or after the interval. */
  async wait(): Promise<void> {
    if (this.#hasChanged || this.#signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#interval);
      this.#onChange = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onChange = undefined;
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#emit);
    this.#watcher.close();
  }

  readonly #emit = (): void => {
    this.#hasChanged = true;
    this.#onChange?.();
  };
}
