import * as vscode from 'vscode';
import type { Problem } from '../../policy/documents/source-text.ts';

/** A key, a name or a value: the range to underline. */
const TERM = /[^\s:,[\]{}"']+/;

/**
 * Validates policy documents with the proxy's parser and shows diagnostics. After the first check,
 * a document is checked again on each save, until it is closed.
 */
export class PolicyDiagnostics implements vscode.Disposable {
  readonly #isPolicy: (document: vscode.TextDocument) => boolean;
  readonly #onFailure: (thrown: unknown) => void;
  readonly #diagnostics = vscode.languages.createDiagnosticCollection('agentcore-policy');
  readonly #subscriptions: vscode.Disposable[];

  constructor(options: {
    /** Whether to check a saved document without the command. */
    readonly isPolicy: (document: vscode.TextDocument) => boolean;
    /** Called if the check of a saved document fails. */
    readonly onFailure: (thrown: unknown) => void;
  }) {
    this.#isPolicy = options.isPolicy;
    this.#onFailure = options.onFailure;
    this.#subscriptions = [
      this.#diagnostics,
      vscode.workspace.onDidSaveTextDocument((document) => void this.#saved(document)),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#diagnostics.delete(uri)),
    ];
  }

  /** Returns the problems of a document, sorted by position. Empty if it is a valid policy. */
  async check(document: vscode.TextDocument): Promise<readonly Problem[]> {
    const { parsePolicy: readPolicy } = await import('../../policy/documents/parser.ts');
    const { problems } = readPolicy(document.getText(), document.fileName);
    const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
    if (!document.isClosed) {
      this.#diagnostics.set(
        document.uri,
        sorted.map((problem) => toDiagnostic(problem, document)),
      );
    }
    return sorted;
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  async #saved(document: vscode.TextDocument): Promise<void> {
    try {
      if (this.#diagnostics.has(document.uri) || this.#isPolicy(document)) {
        await this.check(document);
      }
    } catch (thrown) {
      this.#onFailure(thrown);
    }
  }
}

function toDiagnostic({ line, column, message }: Problem, document: vscode.TextDocument) {
  // If something is missing at the end, the position can be past the end of the document.
  const start = document.validatePosition(new vscode.Position(line - 1, column - 1));
  const range =
    document.getWordRangeAtPosition(start, TERM) ??
    new vscode.Range(start, document.lineAt(start.line).range.end);
  const diagnostic = new vscode.Diagnostic(range, message, vscode.DiagnosticSeverity.Error);
  diagnostic.source = 'AgentCore';
  return diagnostic;
}
