import * as vscode from 'vscode';
import { escapeLines } from '../base/logger.ts';

/** The extension's log. */
export interface LogChannel extends vscode.Disposable {
  info(sentence: string): void;
  warn(sentence: string): void;
  error(sentence: string): void;
  show(): void;
}

/** Opens the log. Escapes line breaks, because server text could forge or hide log lines. */
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
