import * as vscode from 'vscode';
import { escapeLines } from '../log.ts';

/** The extension's log, for sentences only. */
export interface LogChannel extends vscode.Disposable {
  info(sentence: string): void;
  warn(sentence: string): void;
  error(sentence: string): void;
  show(): void;
}

/** Opens the log. What comes from servers is escaped: it could pass for a line of the log, or hide one. */
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
