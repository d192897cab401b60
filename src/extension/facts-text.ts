import * as vscode from 'vscode';
import { printable } from '../sessions/session-words.ts';

/** Formats a name, its facts and additional sentences as a Markdown tooltip. */
export function factsText(
  name: string,
  facts: readonly (readonly [string, string | undefined])[],
  sentences: readonly string[] = [],
): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendMarkdown(`**${escaped(name)}**\n\n`);
  for (const [fact, value] of facts) {
    if (value) text.appendMarkdown(`- ${fact}: ${escaped(value)}\n`);
  }
  for (const sentence of sentences) text.appendMarkdown(`\n${escaped(sentence)}.\n`);
  return text;
}

/** Escapes untrusted text for Markdown. */
function escaped(text: string): string {
  return printable(text).replace(/[\\`*_{}[\]()#+\-.!|<>&~]/g, '\\$&');
}
