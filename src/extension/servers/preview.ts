import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';

/** Shows texts in read-only editors while a question about them is open. */
export class Preview implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #scheme: string;
  readonly #texts = new Map<string, string>();
  readonly #registration: vscode.Disposable;

  constructor(scheme: string) {
    this.#scheme = scheme;
    this.#registration = vscode.workspace.registerTextDocumentContentProvider(scheme, this);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.#texts.get(uri.toString()) ?? '';
  }

  /** Shows a text until `ask` settles. */
  async show<T>(title: string, text: string, ask: () => Thenable<T>): Promise<T> {
    const uri = this.#add(title, title, text);
    try {
      await vscode.window.showTextDocument(uri, { preview: true });
      return await ask();
    } finally {
      await this.#close(uri);
    }
  }

  /** Shows a diff until `ask` settles. */
  async showChange<T>(
    change: {
      readonly name: string;
      readonly title: string;
      readonly before: string;
      readonly after: string;
    },
    ask: () => Thenable<T>,
  ): Promise<T> {
    const { name, title, before, after } = change;
    const left = this.#add('before', name, before);
    const right = this.#add('after', name, after);
    try {
      await vscode.commands.executeCommand('vscode.diff', left, right, title, { preview: true });
      return await ask();
    } finally {
      await this.#close(right);
      this.#texts.delete(left.toString());
    }
  }

  dispose(): void {
    this.#registration.dispose();
  }

  /** VS Code caches a document by its URI, so each preview has a unique URI. */
  #add(side: string, name: string, text: string): vscode.Uri {
    const path = `/${side}/${name}`;
    const uri = vscode.Uri.from({ scheme: this.#scheme, path, query: randomUUID() });
    this.#texts.set(uri.toString(), text);
    return uri;
  }

  async #close(shown: vscode.Uri): Promise<void> {
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
    await vscode.window.tabGroups.close(
      tabs.filter(({ input }) => getTabUri(input)?.toString() === shown.toString()),
    );
    this.#texts.delete(shown.toString());
  }
}

function getTabUri(input: unknown): vscode.Uri | undefined {
  if (input instanceof vscode.TabInputTextDiff) return input.modified;
  return input instanceof vscode.TabInputText ? input.uri : undefined;
}

/** Characters that are invisible in a dialog or reorder others. */
const INVISIBLE = /(?![\n\t ])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;

/** Long gaps. They could move the rest of the text out of view. */
const GAP = / {20,}|\t{5,}|\n{3,}/g;

/** Makes a text safe to review: replaces invisible characters and long gaps. */
export function escapeInvisible(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(INVISIBLE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
    .replace(GAP, (gap) => ` ⟨${gap.length} × ${gap.startsWith('\n') ? 'line break' : 'blank'}⟩ `);
}

/** Wraps lines after 80 characters, because an editor cuts off longer ones. */
export function wrapLines(text: string): string {
  return text.replace(/[^\n]{80}(?=[^\n])/g, '$&↩\n');
}
