import * as vscode from 'vscode';
import type { CommandId } from '../contributions.ts';
import type { LogChannel } from '../log-channel.ts';
import { UserCancelledError } from '../servers/server-preparation.ts';
import { showError } from './present-error.ts';

/** An internal command: not contributed in `package.json` and not in the Command Palette. */
type InternalCommandId = `_agentcore.${string}`;

/** Registers commands. A failure shows one error message; a cancellation shows none. */
export class CommandRegistry implements vscode.Disposable {
  readonly #log: LogChannel;
  readonly #registered: vscode.Disposable[] = [];

  constructor(log: LogChannel) {
    this.#log = log;
  }

  /**
   * @param id A contributed command, or an internal one for tree items and links.
   * @param action Receives the arguments from VS Code: the tree item and the selected items, if
   *   any.
   */
  register<Given extends readonly unknown[]>(
    id: CommandId | InternalCommandId,
    action: (...given: Given) => Promise<unknown> | unknown,
  ): void {
    const run = async (...given: readonly unknown[]) => {
      try {
        return await action(...(given as Given));
      } catch (thrown) {
        if (thrown instanceof UserCancelledError) return undefined;
        this.#log.error(`${id}: ${thrown instanceof Error ? thrown.message : thrown}`);
        // Not awaited: the command returns before the user closes the message.
        void showError(thrown);
        return undefined;
      }
    };
    this.#registered.push(vscode.commands.registerCommand(id, run));
  }

  dispose(): void {
    for (const registration of this.#registered) registration.dispose();
  }
}
