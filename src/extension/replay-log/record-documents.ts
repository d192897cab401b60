import { createHash } from 'node:crypto';
import * as vscode from 'vscode';

const SCHEME = 'agentcore-record';
/** How many are held, the last ones: tabs that were left open for longer say so. */
const MOST_HELD = 100;

/** Records as documents that nobody can change, so that closing one asks nothing. */
export class RecordDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #texts = new Map<string, string>();
  readonly #registration: vscode.Disposable;

  constructor() {
    this.#registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  /** @param name What the tab is called; a path ends there. */
  async show(name: string, json: string): Promise<void> {
    const title = name.replace(/[^\w .-]+/g, ' ').trim() || 'record';
    // The same record is the same document, which is shown and not opened again.
    const query = createHash('sha256').update(json).digest('hex').slice(0, 16);
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${title}.json`, query });
    this.#texts.delete(query);
    this.#texts.set(query, json);
    const [oldest] = this.#texts.keys();
    if (this.#texts.size > MOST_HELD && oldest !== undefined) this.#texts.delete(oldest);
    await vscode.window.showTextDocument(uri, { preview: true });
  }

  provideTextDocumentContent({ query }: vscode.Uri): string {
    return this.#texts.get(query) ?? vscode.l10n.t('Open this record in the replay log again.');
  }

  dispose(): void {
    this.#registration.dispose();
  }
}
