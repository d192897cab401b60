import * as vscode from 'vscode';
import { escapeLines } from '../../base/logger.ts';
import { UserCancelledError } from '../servers/preparation.ts';
import type { CommandId } from '../settings/contributions.ts';
import { showError } from './errors.ts';

/** Id of an internal command. It is not in `package.json` and not in the Command Palette. */
type InternalCommandId = `_agentcore.${string}`;

/**
 * Registers commands. If a command fails, shows one error message. If the user cancels, shows none.
 */
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

/** The extension's log. */
export interface LogChannel extends vscode.Disposable {
  info(sentence: string): void;
  warn(sentence: string): void;
  error(sentence: string): void;
  show(): void;
}

/**
 * Opens the log. Escapes line breaks, because text from a server could otherwise forge log lines.
 */
export function openLogChannel(): LogChannel {
  const channel = vscode.window.createOutputChannel('AgentCore', { log: true });
  return {
    info: (sentence) => channel.info(escapeLines(sentence)),
    warn: (sentence) => channel.warn(escapeLines(sentence)),
    error: (sentence) => channel.error(escapeLines(sentence)),
    show: () => channel.show(),
    dispose: () => channel.dispose(),
  };
}
