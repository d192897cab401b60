import { basename, normalize } from 'node:path';
import * as vscode from 'vscode';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { getPolicyLocations } from '../../policy/documents/locations.ts';
import type { Problem } from '../../policy/documents/source-text.ts';
import type { GivenAnswer, PendingApproval } from '../../state/store.ts';
import type { ApprovalsModel } from '../models/approvals-model.ts';
import type { SessionNode } from '../models/tree-nodes.ts';
import { Commands } from '../settings/contributions.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import type { CommandRegistry, LogChannel } from '../ui/command-registry.ts';
import { formatToolName, REVIEW } from '../views/sessions-view.ts';

// Commands on policies: the check of policy documents, and approvals of calls.

/** Registers the check of policy documents, by command and on save. */
export function registerPolicies(
  context: vscode.ExtensionContext,
  parts: {
    readonly commands: CommandRegistry;
    readonly store: { readonly entries: readonly RuntimeEntry[] };
    readonly env: () => Environment;
    readonly log: LogChannel;
  },
): void {
  const { commands, store, env, log } = parts;
  const diagnostics = new PolicyDiagnostics({
    isPolicy: ({ uri }) => uri.scheme === 'file' && isPolicyFile(uri.fsPath, store.entries, env()),
    onFailure: (thrown) => log.error(`The check of a policy: ${getErrorMessage(thrown)}`),
  });
  context.subscriptions.push(diagnostics);
  commands.register(Commands.checkPolicy, async () => {
    const document = vscode.window.activeTextEditor?.document;
    if (!document) {
      throw new AgentCoreError('usage', vscode.l10n.t('Open the policy document to check first'));
    }
    const [first, ...others] = await diagnostics.check(document);
    const name = vscode.workspace.asRelativePath(document.uri);
    // Not awaited: the command returns before the user closes the message.
    if (!first) {
      void vscode.window.showInformationMessage(vscode.l10n.t('{0} is a valid policy', name));
    } else {
      void showProblemWarning(
        others.length === 0
          ? vscode.l10n.t('{0} is not a valid policy: {1}', name, first.message)
          : vscode.l10n.t(
              '{0} is not a valid policy, with {1} problems. The first: {2}',
              name,
              others.length + 1,
              first.message,
            ),
      );
    }
  });
}

async function showProblemWarning(sentence: string): Promise<void> {
  const show = vscode.l10n.t('Show Problems');
  if ((await vscode.window.showWarningMessage(sentence, show)) === show) {
    await vscode.commands.executeCommand('workbench.actions.view.problems');
  }
}

/**
 * File names of policy documents. `package.json` associates the JSON schema with the same patterns.
 */
const NAMED = /agentcore-policy.*\.(ya?ml|json)$/;

const IN_FOLDER = /[\\/]\.agentcore[\\/]policy\.(ya?ml|json)$/;

/** Whether a file is a policy document, by its name or because an entry or a program uses it. */
export function isPolicyFile(
  path: string,
  entries: readonly Pick<RuntimeEntry, 'policy'>[],
  env: Environment,
): boolean {
  if (NAMED.test(basename(path)) || IN_FOLDER.test(path)) return true;
  const own = normalize(path);
  if (entries.some(({ policy }) => policy !== undefined && normalize(policy) === own)) return true;
  return listPolicyLocations(env).some((place) => place === own);
}

/** Paths of the policies for all programs. Empty if the environment contains an invalid path. */
function listPolicyLocations(env: Environment): readonly string[] {
  try {
    return getPolicyLocations(env).map(({ path }) => path);
  } catch {
    return [];
  }
}

/** The range to underline: a key, a name or a value. */
const TERM = /[^\s:,[\]{}"']+/;

/**
 * Validates policy documents with the proxy's parser and shows diagnostics. After its first check,
 * a document is checked on each save until it is closed.
 */
class PolicyDiagnostics implements vscode.Disposable {
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
    const { parsePolicy } = await import('../../policy/documents/parser.ts');
    const { problems } = parsePolicy(document.getText(), document.fileName);
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
  // If a field is missing at the end, its position can be outside the document.
  const start = document.validatePosition(new vscode.Position(line - 1, column - 1));
  const range =
    document.getWordRangeAtPosition(start, TERM) ??
    new vscode.Range(start, document.lineAt(start.line).range.end);
  const diagnostic = new vscode.Diagnostic(range, message, vscode.DiagnosticSeverity.Error);
  diagnostic.source = 'AgentCore';
  return diagnostic;
}

/** Registers the commands for approvals, and notifies the user of each waiting call. */
export function registerApprovals(
  commands: CommandRegistry,
  approvals: ApprovalsModel,
): vscode.Disposable {
  const answer = async (pending: PendingApproval, given: GivenAnswer) => {
    if (await approvals.answer(pending, given)) return;
    throw new Error(
      vscode.l10n.t('The call of {0} is no longer waiting', formatToolName(pending.tool)),
    );
  };
  const answers: readonly [Parameters<CommandRegistry['register']>[0], GivenAnswer][] = [
    [Commands.approveOnce, 'once'],
    [Commands.approveForSession, 'session'],
    [Commands.denyCall, 'deny'],
  ];
  for (const [id, given] of answers) {
    commands.register(id, async (node?: SessionNode) => {
      if (node?.kind === 'approval') await answer(node.pending, given);
    });
  }
  commands.register(REVIEW, (id: string) => {
    const pending = approvals.value.find((one) => one.id === id);
    return pending && review(pending, answer);
  });

  const notified = new Set<string>();
  return approvals.onDidChange((all) => {
    for (const pending of all) {
      if (!notified.has(pending.id)) void showPendingApproval(pending);
    }
    notified.clear();
    for (const { id } of all) notified.add(id);
  });
}

async function showPendingApproval({ id, tool }: PendingApproval): Promise<void> {
  const button = vscode.l10n.t('Review');
  const sentence = vscode.l10n.t(
    'An agent wants to call {0} and waits for your approval',
    formatToolName(tool),
  );
  if ((await vscode.window.showWarningMessage(sentence, button)) === button) {
    await vscode.commands.executeCommand(REVIEW, id);
  }
}

/** Shows the dialog for an approval. If the user closes it, the call still waits. */
async function review(
  pending: PendingApproval,
  answer: (pending: PendingApproval, given: GivenAnswer) => Promise<void>,
): Promise<void> {
  const choices: readonly { readonly title: string; readonly given: GivenAnswer }[] = [
    { title: vscode.l10n.t('Approve Once'), given: 'once' },
    ...(pending.mayLast
      ? [{ title: vscode.l10n.t('Approve for Session'), given: 'session' as const }]
      : []),
    { title: vscode.l10n.t('Deny'), given: 'deny' },
  ];
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('Approve this call of {0}?', formatToolName(pending.tool)),
    { modal: true, detail: pending.text },
    ...choices,
  );
  if (chosen) await answer(pending, chosen.given);
}
