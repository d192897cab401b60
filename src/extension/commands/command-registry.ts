import * as vscode from 'vscode';
import type { CommandId } from '../contributions.ts';
import type { LogChannel } from '../log-channel.ts';
import { Cancelled } from '../servers/server-preparation.ts';
import { presentError } from './present-error.ts';

/** VS Code shows no such command, nor is it contributed. */
type InternalCommandId = `_agentcore.${string}`;

/** Registers commands so that each failure is one sentence to the person, and a cancellation none. */
export class CommandRegistry implements vscode.Disposable {
  readonly #log: LogChannel;
  readonly #registered: vscode.Disposable[] = [];

  constructor(log: LogChannel) {
    this.#log = log;
  }

  /**
   * @param id One of ours, or of a command that only our own items and links run.
   * @param action Is given what VS Code gives: an item of a view and those that are selected, if any.
   */
  register<Given extends readonly unknown[]>(
    id: CommandId | InternalCommandId,
    action: (...given: Given) => Promise<unknown> | unknown,
  ): void {
    const run = async (...given: readonly unknown[]) => {
      try {
        return await action(...(given as Given));
      } catch (thrown) {
        if (thrown instanceof Cancelled) return undefined;
        this.#log.error(`${id}: ${thrown instanceof Error ? thrown.message : thrown}`);
        // Whoever called the command does not wait for somebody to read the sentence.
        void presentError(thrown);
        return undefined;
      }
    };
    this.#registered.push(vscode.commands.registerCommand(id, run));
  }

  dispose(): void {
    for (const registration of this.#registered) registration.dispose();
  }
}
