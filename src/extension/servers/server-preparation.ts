import * as vscode from 'vscode';
import { messageOf } from '../../error.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';

/** What is added to a server's environment when it is started; never kept by VS Code. */
export type StartVariables = Readonly<Record<string, string | null>>;

/** Something that has to be there, or to be asked for, before a server of an entry can start. */
export type PreparationStep = (
  entry: RuntimeEntry,
  signal: AbortSignal,
) => Promise<StartVariables | undefined>;

/** Milliseconds: a person may have to sign in meanwhile. */
const PREPARE_WITHIN = 5 * 60_000;

/** Thrown by a step when the person does not want to go on. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

/**
 * Gets ready what a server needs before it starts. VS Code may ask twice for one start: who asks
 * while it is under way gets the same answer.
 */
export class ServerPreparation {
  readonly #steps: readonly PreparationStep[];
  readonly #onFailure: (thrown: unknown, entry: RuntimeEntry) => void;
  readonly #pending = new Map<string, Promise<StartVariables | undefined>>();

  /** @param onFailure Is given what a step threw: VS Code shows a sentence, and no button. */
  constructor(
    steps: readonly PreparationStep[],
    onFailure: (thrown: unknown, entry: RuntimeEntry) => void = () => undefined,
  ) {
    this.#steps = steps;
    this.#onFailure = onFailure;
  }

  /**
   * @returns undefined where the person cancelled.
   * @throws an error with one sentence that says what to do.
   */
  prepare(
    entry: RuntimeEntry,
    token: vscode.CancellationToken,
  ): Promise<StartVariables | undefined> {
    const key = JSON.stringify(entry);
    let pending = this.#pending.get(key);
    if (!pending) {
      pending = this.#run(entry, token).finally(() => this.#pending.delete(key));
      this.#pending.set(key, pending);
    }
    return pending;
  }

  async #run(
    entry: RuntimeEntry,
    token: vscode.CancellationToken,
  ): Promise<StartVariables | undefined> {
    const ending = new AbortController();
    const subscription = token.onCancellationRequested(() => ending.abort());
    const timer = setTimeout(() => ending.abort(new Error('late')), PREPARE_WITHIN);
    try {
      const added: Record<string, string | null> = {};
      for (const step of this.#steps) {
        Object.assign(added, await untilAborted(step(entry, ending.signal), ending.signal));
      }
      return added;
    } catch (thrown) {
      if (thrown instanceof Cancelled || token.isCancellationRequested) return undefined;
      if (ending.signal.aborted) {
        const minutes = PREPARE_WITHIN / 60_000;
        throw new Error(
          vscode.l10n.t(
            'Runtime "{0}" was not ready to start within {1} minutes. Start it again.',
            entry.name,
            minutes,
          ),
        );
      }
      this.#onFailure(thrown, entry);
      throw new Error(messageOf(thrown));
    } finally {
      clearTimeout(timer);
      subscription.dispose();
    }
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const end = () => reject(signal.reason);
    if (signal.aborted) return end();
    signal.addEventListener('abort', end, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}
