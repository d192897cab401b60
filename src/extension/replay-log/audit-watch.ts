import { type FSWatcher, watch } from 'node:fs';
import * as vscode from 'vscode';
import type { Environment } from '../../environment.ts';
import { messageOf } from '../../error.ts';
import { stateFolder } from '../../journal/state-folder.ts';
import type { Audited, RecentAudit } from '../../policy/audit/recent-audit.ts';

/** Milliseconds between a change of the audit and the look at it. */
const SETTLE = 300;
/** Milliseconds between two looks where the system announces nothing, and for a folder to come. */
const LOOK_EVERY = 10_000;

/**
 * The decisions that all programs of this user put on the audit's record, as far as somebody looks
 * at them: until the first look nothing is read, and what fails is a sentence and no more.
 */
export class AuditWatch implements vscode.Disposable {
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

  /** @param lookEvery Milliseconds between two looks where the system announces nothing. */
  constructor(env: () => Environment, lookEvery: number = LOOK_EVERY) {
    this.#env = env;
    this.#lookEvery = lookEvery;
  }

  /** Fired with what was found for the first time; by the first look, what is there already. */
  get onDidAudit(): vscode.Event<readonly Audited[]> {
    return this.#audited.event;
  }

  /** Why the audit, or a part of it, could not be read the last time. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Looks now, and from the first time on whenever there is more. Never rejects. */
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
      this.#problem = messageOf(thrown);
    }
  }

  async #open(): Promise<RecentAudit> {
    const { RecentAudit: Recent } = await import('../../policy/audit/recent-audit.ts');
    return new Recent(stateFolder(this.#env()));
  }

  /** Best effort: the folder may not be there yet, and some file systems announce nothing. */
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
      // The timer does without.
    }
  }

  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      void this.look();
    }, SETTLE);
  }
}
