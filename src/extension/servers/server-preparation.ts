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

/** A preparation under way, and how many wait for it. */
interface Pending {
  readonly result: Promise<StartVariables | undefined>;
  readonly ending: AbortController;
  waiting: number;
}

/**
 * Gets ready what a server needs before it starts. VS Code may ask twice for one start: who asks
 * while it is under way gets the same answer, and it goes on until nobody waits any more.
 */
export class ServerPreparation {
  readonly #steps: readonly PreparationStep[];
  readonly #onFailure: (thrown: unknown, entry: RuntimeEntry) => void;
  readonly #confirm: (thrown: unknown) => Promise<boolean | undefined>;
  readonly #pending = new Map<string, Pending>();

  /**
   * @param onFailure Is given what a step threw: VS Code shows a sentence, and no button.
   * @param confirm Asks a person for the command that an error needs; undefined if it needs none.
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
   * @returns undefined where the person cancelled.
   * @throws an error with one sentence that says what to do.
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
      if (pending.waiting === 0) ending.abort(new Cancelled());
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
    const minutes = PREPARE_WITHIN / 60_000;
    const late = new Error(
      vscode.l10n.t(
        'Runtime "{0}" was not ready to start within {1} minutes. Start it again.',
        entry.name,
        minutes,
      ),
    );
    const timer = setTimeout(() => ending.abort(late), PREPARE_WITHIN);
    try {
      const added: Record<string, string | null> = {};
      for (const step of this.#steps) {
        Object.assign(added, await untilAborted(this.#take(step, entry, signal), signal));
      }
      return added;
    } catch (caught) {
      // What a step makes of its signal does not matter: why it was ended does.
      const thrown = signal.aborted ? signal.reason : caught;
      if (thrown instanceof Cancelled) return undefined;
      if (thrown === late) throw late;
      this.#onFailure(thrown, entry);
      throw new Error(messageOf(thrown));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Takes a step again for each command that a person confirms. */
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
        if (!isConfirmed) throw new Cancelled();
      }
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
