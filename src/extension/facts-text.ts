import * as vscode from 'vscode';
import { printable } from '../sessions/session-words.ts';

/** A name, what is known of it, and sentences on it, as the Markdown of a tooltip. */
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

/** Text from elsewhere that is not meant as Markdown. */
function escaped(text: string): string {
  return printable(text).replace(/[\\`*_{}[\]()#+\-.!|<>&~]/g, '\\$&');
}
