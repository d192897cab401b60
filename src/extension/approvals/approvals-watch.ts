import { type FSWatcher, watch } from 'node:fs';
import * as vscode from 'vscode';
import type { Environment } from '../../environment.ts';
import { stateFolder } from '../../journal/state-folder.ts';
import type { GivenAnswer, PendingApproval } from '../../policy/approvals/approvals-folder.ts';

/** Milliseconds between two looks where the system announces nothing. */
const LOOK_EVERY = 5_000;
/** Milliseconds between a change of the folder and the look at it. */
const SETTLE = 100;

/** The calls of all programs of this user that wait for a person. */
export class ApprovalsWatch implements vscode.Disposable {
  readonly #env: () => Environment;
  readonly #lookEvery: number;
  readonly #changed = new vscode.EventEmitter<readonly PendingApproval[]>();
  #pending: readonly PendingApproval[] = [];
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDisposed = false;

  /** @param lookEvery Milliseconds between two looks where the system announces nothing. */
  constructor(env: () => Environment, lookEvery: number = LOOK_EVERY) {
    this.#env = env;
    this.#lookEvery = lookEvery;
  }

  /** Fired with those that wait when they are others than before. */
  get onDidChange(): vscode.Event<readonly PendingApproval[]> {
    return this.#changed.event;
  }

  /** Oldest first. */
  get pending(): readonly PendingApproval[] {
    return this.#pending;
  }

  /** Begins to watch. Nothing of it is awaited by whoever activates the extension. */
  start(): void {
    this.#lookIn(0);
  }

  /** @returns false where the call does not wait any more. */
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
      // What cannot be read cannot be answered: the calls are refused in their time.
      this.#take([]);
    }
    this.#lookIn(this.#lookEvery);
  }

  async #open() {
    const approvals = await import('../../policy/approvals/approvals-folder.ts');
    return { ...approvals, folder: approvals.approvalsFolder(stateFolder(this.#env())) };
  }

  #take(pending: readonly PendingApproval[]): void {
    const idsOf = (all: readonly PendingApproval[]) => all.map(({ id }) => id).join();
    if (this.#isDisposed || idsOf(pending) === idsOf(this.#pending)) return;
    this.#pending = pending;
    this.#changed.fire(pending);
  }

  /** Best effort: the folder may not be there yet, and some file systems announce nothing. */
  #watch(folder: string): void {
    if (this.#watcher || this.#isDisposed) return;
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#lookIn(SETTLE));
      watcher.on('error', () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      });
      this.#watcher = watcher;
    } catch {
      // The timer does without.
    }
  }
}
