import * as vscode from 'vscode';
import type { Problem } from '../../policy/documents/document-text.ts';

/** What a problem is about ends here: at the end of a key, a name or a value. */
const TERM = /[^\s:,[\]{}"']+/;

/**
 * Checks policy documents as the proxy reads them, and shows every mistake where it stands. A
 * document that was checked is checked again when it is saved, until it is closed.
 */
export class PolicyDiagnostics implements vscode.Disposable {
  readonly #isPolicy: (document: vscode.TextDocument) => boolean;
  readonly #onFailure: (thrown: unknown) => void;
  readonly #diagnostics = vscode.languages.createDiagnosticCollection('agentcore-policy');
  readonly #subscriptions: vscode.Disposable[];

  constructor(options: {
    /** Whether a document that is saved is to be checked without being asked. */
    readonly isPolicy: (document: vscode.TextDocument) => boolean;
    /** Is given what kept a document that was saved from being checked. */
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

  /** What is wrong with a document, in the order of its lines; nothing where it is a valid policy. */
  async check(document: vscode.TextDocument): Promise<readonly Problem[]> {
    const { readPolicy } = await import('../../policy/documents/read-policy.ts');
    const { problems } = readPolicy(document.getText(), document.fileName);
    const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
    if (!document.isClosed) {
      this.#diagnostics.set(
        document.uri,
        sorted.map((problem) => diagnosticOf(problem, document)),
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

function diagnosticOf({ line, column, message }: Problem, document: vscode.TextDocument) {
  // A document may end before the place where something is missing.
  const start = document.validatePosition(new vscode.Position(line - 1, column - 1));
  const range =
    document.getWordRangeAtPosition(start, TERM) ??
    new vscode.Range(start, document.lineAt(start.line).range.end);
  const diagnostic = new vscode.Diagnostic(range, message, vscode.DiagnosticSeverity.Error);
  diagnostic.source = 'AgentCore';
  return diagnostic;
}
