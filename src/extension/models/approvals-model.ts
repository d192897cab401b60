import { type FSWatcher, watch } from 'node:fs';
import * as vscode from 'vscode';
import { type Environment, getStateDirectory } from '../../base/environment.ts';
import type { GivenAnswer, PendingApproval } from '../../state/files/approval-files.ts';

/** Poll interval in milliseconds, for file systems without change notifications. */
const POLL_INTERVAL_MS = 5_000;

/** Debounce in milliseconds after a change in the directory. */
const DEBOUNCE_MS = 100;

/** The pending approvals of all programs of this user. */
export class ApprovalsModel implements vscode.Disposable {
  readonly #env: () => Environment;
  readonly #lookEvery: number;
  readonly #changed = new vscode.EventEmitter<readonly PendingApproval[]>();
  #pending: readonly PendingApproval[] = [];
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDisposed = false;

  /**
   * @param lookEvery Poll interval in milliseconds, for file systems without change notifications.
   */
  constructor(env: () => Environment, lookEvery: number = POLL_INTERVAL_MS) {
    this.#env = env;
    this.#lookEvery = lookEvery;
  }

  /** Fires when the set of pending calls changes. */
  get onDidChange(): vscode.Event<readonly PendingApproval[]> {
    return this.#changed.event;
  }

  /** Oldest first. */
  get pending(): readonly PendingApproval[] {
    return this.#pending;
  }

  /** Starts watching and returns immediately, so activation does not wait. */
  start(): void {
    this.#lookIn(0);
  }

  /** @returns `false` if the call is no longer pending. */
  async answer(pending: PendingApproval, answer: GivenAnswer): Promise<boolean> {
    const { folder, writeAnswer } = await this.#open();
    const isTaken = await writeAnswer(folder, pending, answer);
    this.#take(this.#pending.filter(({ id }) => id !== pending.id));
    return isTaken;
  }

  dispose(): void {
    this.#isDisposed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
    this.#changed.dispose();
  }

  #lookIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (!this.#isDisposed) this.#timer = setTimeout(() => void this.#look(), milliseconds);
  }

  async #look(): Promise<void> {
    try {
      const { folder, readPending } = await this.#open();
      this.#watch(folder);
      this.#take(await readPending(folder, Date.now()));
    } catch {
      // An unreadable call cannot be answered. The proxy denies it after its timeout.
      this.#take([]);
    }
    this.#lookIn(this.#lookEvery);
  }

  async #open() {
    const approvals = await import('../../state/files/approval-files.ts');
    return {
      ...approvals,
      folder: approvals.getApprovalsDirectory(getStateDirectory(this.#env())),
    };
  }

  #take(pending: readonly PendingApproval[]): void {
    const joinIds = (all: readonly PendingApproval[]) => all.map(({ id }) => id).join();
    if (this.#isDisposed || joinIds(pending) === joinIds(this.#pending)) return;
    this.#pending = pending;
    this.#changed.fire(pending);
  }

  /** Best effort: the directory may not exist yet, and some file systems emit no changes. */
  #watch(folder: string): void {
    if (this.#watcher || this.#isDisposed) return;
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#lookIn(DEBOUNCE_MS));
      watcher.on('error', () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      });
      this.#watcher = watcher;
    } catch {
      // The timer still polls.
    }
  }
}
