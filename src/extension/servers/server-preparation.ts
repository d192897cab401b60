import * as vscode from 'vscode';
import { getErrorMessage } from '../../base/errors.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';

/** Variables that are added when a server starts. VS Code does not store them. */
export type StartVariables = Readonly<Record<string, string | null>>;

/** A prerequisite for the start of a server. It may prompt the user. */
export type PreparationStep = (
  entry: RuntimeEntry,
  signal: AbortSignal,
) => Promise<StartVariables | undefined>;

/** In milliseconds. The user may have to sign in. */
const PREPARE_TIMEOUT_MS = 5 * 60_000;

/** Thrown by a step if the user cancels. */
export class UserCancelledError extends Error {
  override readonly name = 'Cancelled';
}

/** A running preparation and the number of its waiting callers. */
interface Pending {
  readonly result: Promise<StartVariables | undefined>;
  readonly ending: AbortController;
  waiting: number;
}

/**
 * Runs the preparation steps before a server starts. VS Code may request one start twice.
 * Concurrent requests share one preparation, which is aborted when all of them are cancelled.
 */
export class ServerPreparation {
  readonly #steps: readonly PreparationStep[];
  readonly #onFailure: (thrown: unknown, entry: RuntimeEntry) => void;
  readonly #confirm: (thrown: unknown) => Promise<boolean | undefined>;
  readonly #pending = new Map<string, Pending>();

  /**
   * @param onFailure Receives the error of a step, because VS Code shows errors without buttons.
   * @param confirm Prompts the user to confirm the command that an error requires. Resolves to
   *   `undefined` if it requires none.
   */
  constructor(
    steps: readonly PreparationStep[],
    onFailure: (thrown: unknown, entry: RuntimeEntry) => void = () => undefined,
    confirm: (thrown: unknown) => Promise<boolean | undefined> = async () => undefined,
  ) {
    this.#steps = steps;
    this.#onFailure = onFailure;
    this.#confirm = confirm;
  }

  /**
   * @returns `undefined` if the user cancelled.
   * @throws an error with a message that includes the next step.
   */
  async prepare(
    entry: RuntimeEntry,
    token: vscode.CancellationToken,
  ): Promise<StartVariables | undefined> {
    if (token.isCancellationRequested) return undefined;
    const key = JSON.stringify(entry);
    let pending = this.#pending.get(key);
    if (!pending) {
      pending = this.#begin(entry, () => this.#pending.delete(key));
      this.#pending.set(key, pending);
    }
    const { result, ending } = pending;
    pending.waiting += 1;
    const subscription = token.onCancellationRequested(() => {
      pending.waiting -= 1;
      if (pending.waiting === 0) ending.abort(new UserCancelledError());
    });
    try {
      return await result;
    } finally {
      subscription.dispose();
    }
  }

  #begin(entry: RuntimeEntry, onEnd: () => void): Pending {
    const ending = new AbortController();
    return { result: this.#run(entry, ending).finally(onEnd), ending, waiting: 0 };
  }

  async #run(entry: RuntimeEntry, ending: AbortController): Promise<StartVariables | undefined> {
    const { signal } = ending;
    const minutes = PREPARE_TIMEOUT_MS / 60_000;
    const late = new Error(
      vscode.l10n.t(
        'Runtime "{0}" was not ready to start within {1} minutes. Start it again.',
        entry.name,
        minutes,
      ),
    );
    const timer = setTimeout(() => ending.abort(late), PREPARE_TIMEOUT_MS);
    try {
      const added: Record<string, string | null> = {};
      for (const step of this.#steps) {
        Object.assign(added, await rejectOnAbort(this.#take(step, entry, signal), signal));
      }
      return added;
    } catch (caught) {
      // After an abort, its reason counts and not the error of the step.
      const thrown = signal.aborted ? signal.reason : caught;
      if (thrown instanceof UserCancelledError) return undefined;
      if (thrown === late) throw late;
      this.#onFailure(thrown, entry);
      throw new Error(getErrorMessage(thrown));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Repeats the step after each command that the user confirms. */
  async #take(
    step: PreparationStep,
    entry: RuntimeEntry,
    signal: AbortSignal,
  ): Promise<StartVariables | undefined> {
    for (;;) {
      try {
        return await step(entry, signal);
      } catch (thrown) {
        const isConfirmed = signal.aborted ? undefined : await this.#confirm(thrown);
        if (isConfirmed === undefined) throw thrown;
        if (!isConfirmed) throw new UserCancelledError();
      }
    }
  }
}

function rejectOnAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const end = () => reject(signal.reason);
    if (signal.aborted) return end();
    signal.addEventListener('abort', end, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}
