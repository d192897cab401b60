import * as vscode from 'vscode';
import { sanitizeForTerminal } from '../base/format.ts';

/** Formats a name, its facts and additional sentences as a Markdown tooltip. */
export function createTooltip(
  name: string,
  facts: readonly (readonly [string, string | undefined])[],
  sentences: readonly string[] = [],
): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendMarkdown(`**${escapeMarkdown(name)}**\n\n`);
  for (const [fact, value] of facts) {
    if (value) text.appendMarkdown(`- ${fact}: ${escapeMarkdown(value)}\n`);
  }
  for (const sentence of sentences) text.appendMarkdown(`\n${escapeMarkdown(sentence)}.\n`);
  return text;
}

/** Escapes untrusted text for Markdown. */
function escapeMarkdown(text: string): string {
  return sanitizeForTerminal(text).replace(/[\\`*_{}[\]()#+\-.!|<>&~]/g, '\\$&');
}
