import { type FSWatcher, watch } from 'node:fs';
import * as vscode from 'vscode';
import { type Environment, getStateDirectory } from '../../base/environment.ts';
import type { ApprovalFiles } from '../../state/files/approval-files.ts';
import type { GivenAnswer, PendingApproval } from '../../state/store.ts';

/** Poll interval in milliseconds, for file systems without change notifications. */
const POLL_INTERVAL_MS = 5_000;

/** Debounce in milliseconds, after a change in the directory of approvals. */
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

  /** Fires when the set of waiting calls changes. */
  get onDidChange(): vscode.Event<readonly PendingApproval[]> {
    return this.#changed.event;
  }

  /** Oldest first. */
  get pending(): readonly PendingApproval[] {
    return this.#pending;
  }

  /** Starts the watch and returns immediately, so activation does not wait. */
  start(): void {
    this.#lookIn(0);
  }

  /**
   * Writes the user's answer.
   *
   * @returns `false` if the call no longer waits.
   */
  async answer(pending: PendingApproval, answer: GivenAnswer): Promise<boolean> {
    const isTaken = await (await this.#open()).answer(pending, answer);
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
      const approvals = await this.#open();
      this.#watch(approvals.folder);
      this.#take(await approvals.list());
    } catch {
      // If the directory is unreadable, no call can be answered. The proxy denies a call after its
      // timeout.
      this.#take([]);
    }
    this.#lookIn(this.#lookEvery);
  }

  async #open(): Promise<ApprovalFiles> {
    const files = await import('../../state/files/approval-files.ts');
    return new files.ApprovalFiles(files.getApprovalsDirectory(getStateDirectory(this.#env())));
  }

  #take(pending: readonly PendingApproval[]): void {
    const joinIds = (all: readonly PendingApproval[]) => all.map(({ id }) => id).join();
    if (this.#isDisposed || joinIds(pending) === joinIds(this.#pending)) return;
    this.#pending = pending;
    this.#changed.fire(pending);
  }

  /** Best effort: the directory can be missing, and some file systems report no changes. */
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
      // The timer polls instead.
    }
  }
}
