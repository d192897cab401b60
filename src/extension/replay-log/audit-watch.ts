import { type FSWatcher, watch } from 'node:fs';
import * as vscode from 'vscode';
import { type Environment, getStateDirectory } from '../../base/environment.ts';
import { getErrorMessage } from '../../base/errors.ts';
import type { Audited, RecentAudit } from '../../state/audit/recent.ts';

/** Debounce in milliseconds after a change of the audit. */
const DEBOUNCE_MS = 300;

/** Poll interval in milliseconds, if the directory is missing or has no change notifications. */
const POLL_INTERVAL_MS = 10_000;

/**
 * The policy decisions of all programs of this user, from the audit. Reads nothing before the first
 * call of {@link look}. Failures only set {@link problem}.
 */
export class ActivityModel implements vscode.Disposable {
  readonly #env: () => Environment;
  readonly #lookEvery: number;
  readonly #audited = new vscode.EventEmitter<readonly Audited[]>();
  #recent: Promise<RecentAudit> | undefined;
  #looking: Promise<void> | undefined;
  #isStale = false;
  #isDisposed = false;
  #problem: string | undefined;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;

  /**
   * @param lookEvery Poll interval in milliseconds, for file systems without change notifications.
   */
  constructor(env: () => Environment, lookEvery: number = POLL_INTERVAL_MS) {
    this.#env = env;
    this.#lookEvery = lookEvery;
  }

  /** Fires with the new records. The first read fires with all existing records. */
  get onDidAudit(): vscode.Event<readonly Audited[]> {
    return this.#audited.event;
  }

  /** The reason if the last read failed completely or in part. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Reads now, and after the first call also on each change. Never rejects. */
  look(): Promise<void> {
    this.#isStale = true;
    this.#looking ??= this.#lookUntilFresh().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  dispose(): void {
    this.#isDisposed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#settling);
    this.#watcher?.close();
    this.#audited.dispose();
  }

  async #lookUntilFresh(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#isStale && !this.#isDisposed) {
      this.#isStale = false;
      await this.#lookOnce();
    }
    if (this.#isDisposed) return;
    this.#timer = setTimeout(() => void this.look(), this.#lookEvery);
  }

  async #lookOnce(): Promise<void> {
    try {
      this.#recent ??= this.#open();
      const recent = await this.#recent;
      this.#watch(recent.folder);
      const { audited, problems } = await recent.look();
      this.#problem = problems[0];
      if (audited.length > 0 && !this.#isDisposed) this.#audited.fire(audited);
    } catch (thrown) {
      this.#problem = getErrorMessage(thrown);
    }
  }

  async #open(): Promise<RecentAudit> {
    const { RecentAudit: Recent } = await import('../../state/audit/recent.ts');
    return new Recent(getStateDirectory(this.#env()));
  }

  /** Best effort: the directory may not exist yet, and some file systems emit no changes. */
  #watch(folder: string): void {
    if (this.#watcher || this.#isDisposed) return;
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#settle());
      const forget = () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      };
      watcher.on('error', forget);
      this.#watcher = watcher;
    } catch {
      // The timer still polls.
    }
  }

  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      void this.look();
    }, DEBOUNCE_MS);
  }
}
