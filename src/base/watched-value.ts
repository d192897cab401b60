import { Debouncer } from './async.ts';
import { DirectoryWatcher } from './files.ts';

/** Has the shape of `vscode.Event`. */
export type Event<T> = (listener: (value: T) => unknown) => { dispose(): void };

/** The data of a view. */
export interface Model<T> {
  readonly value: T;
  readonly onDidChange: Event<T>;
  /** Loads the value now. */
  refresh(): Promise<T>;
}

/** How a {@link WatchedValue} loads its value, and when. */
export interface WatchedValueOptions<T> {
  readonly initial: T;
  /** Must not reject: errors are part of the value. Calls never overlap. */
  readonly load: () => Promise<T>;
  /** If it returns true, no event is emitted. Without it, each load emits one. */
  readonly isEqual?: (previous: T, loaded: T) => boolean;
  /** Milliseconds from the first {@link WatchedValue.invalidate} to the load. */
  readonly debounceMs: number;
  /** Milliseconds between two loads while the polling is on. Without it, there is no polling. */
  readonly pollIntervalMs?: (value: T) => number;
}

/**
 * A value from files that other programs write. It is loaded when requested, after changes of a
 * watched directory, and periodically between `start` and `stop`.
 */
export class WatchedValue<T> implements Model<T> {
  readonly #options: WatchedValueOptions<T>;
  readonly #listeners = new Set<(value: T) => unknown>();
  readonly #debouncer: Debouncer;
  #value: T;
  #loading: Promise<T> | undefined;
  #isStale = true;
  #isPolling = false;
  #isDisposed = false;
  #poll: NodeJS.Timeout | undefined;
  #watcher: DirectoryWatcher | undefined;

  constructor(options: WatchedValueOptions<T>) {
    this.#options = options;
    this.#value = options.initial;
    this.#debouncer = new Debouncer(() => void this.refresh(), options.debounceMs);
  }

  /** The last loaded value. */
  get value(): T {
    return this.#value;
  }

  readonly onDidChange: Event<T> = (listener) => {
    this.#listeners.add(listener);
    return { dispose: () => this.#listeners.delete(listener) };
  };

  /** Loads the value and starts the polling, if it is not on. Returns immediately. */
  start(): void {
    if (this.#isPolling) return;
    this.#isPolling = true;
    void this.refresh();
  }

  /** Ends the polling. */
  stop(): void {
    this.#isPolling = false;
    clearTimeout(this.#poll);
  }

  /** Loads the value soon. Several calls cause one load. */
  invalidate(): void {
    this.#isStale = true;
    this.#debouncer.trigger();
  }

  /** Returns the value, and loads it first if it was invalidated or never loaded. */
  async ready(): Promise<T> {
    return this.#isStale || this.#loading ? this.refresh() : this.#value;
  }

  /** Returns a value whose load began after the call. Concurrent calls share it. */
  refresh(): Promise<T> {
    this.#isStale = true;
    this.#loading ??= this.#loadUntilFresh();
    return this.#loading;
  }

  dispose(): void {
    this.#isDisposed = true;
    this.stop();
    this.#debouncer.dispose();
    this.#watcher?.close();
    this.#listeners.clear();
  }

  /**
   * Invalidates the value when a directory changes. Best effort: the directory may be missing, and
   * some file systems report no changes. Each load should call it, to include a new directory.
   */
  protected watch(directory: string): void {
    if (this.#isDisposed) return;
    this.#watcher ??= new DirectoryWatcher(directory, () => this.invalidate());
    this.#watcher.start();
  }

  async #loadUntilFresh(): Promise<T> {
    const { load, isEqual, pollIntervalMs } = this.#options;
    clearTimeout(this.#poll);
    try {
      while (this.#isStale && !this.#isDisposed) {
        this.#isStale = false;
        this.#debouncer.cancel();
        const loaded = await load();
        const previous = this.#value;
        this.#value = loaded;
        if (isEqual?.(previous, loaded)) continue;
        for (const listener of [...this.#listeners]) listener(loaded);
      }
    } finally {
      this.#loading = undefined;
      if (this.#isPolling && pollIntervalMs) {
        this.#poll = setTimeout(() => void this.refresh(), pollIntervalMs(this.#value));
      }
    }
    return this.#value;
  }
}
