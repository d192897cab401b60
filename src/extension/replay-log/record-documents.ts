import { createHash } from 'node:crypto';
import * as vscode from 'vscode';

const SCHEME = 'agentcore-record';

/** Older documents are dropped. Their open tabs show a hint. */
const MAX_DOCUMENTS = 100;

/** Opens records as read-only documents, so that closing one needs no confirmation. */
export class RecordDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #texts = new Map<string, string>();
  readonly #registration: vscode.Disposable;

  constructor() {
    this.#registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  /** @param name The tab title. It becomes the file name of the URI. */
  async show(name: string, json: string): Promise<void> {
    const title = name.replace(/[^\w .-]+/g, ' ').trim() || 'record';
    // The same record has the same URI, so its open tab is shown again.
    const query = createHash('sha256').update(json).digest('hex').slice(0, 16);
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${title}.json`, query });
    this.#texts.delete(query);
    this.#texts.set(query, json);
    const [oldest] = this.#texts.keys();
    if (this.#texts.size > MAX_DOCUMENTS && oldest !== undefined) this.#texts.delete(oldest);
    await vscode.window.showTextDocument(uri, { preview: true });
  }

  provideTextDocumentContent({ query }: vscode.Uri): string {
    return this.#texts.get(query) ?? vscode.l10n.t('Open this record in the replay log again.');
  }

  dispose(): void {
    this.#registration.dispose();
  }
}
