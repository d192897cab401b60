import * as vscode from 'vscode';
import { KeyedSingleFlight } from '../../base/async.ts';
import { AgentCoreError } from '../../base/errors.ts';
import {
  digestCommand,
  findUnconfirmed,
  UnconfirmedCommand,
  type WorkspaceCommand,
} from '../../base/exec.ts';
import { Settings } from '../settings/contributions.ts';
import { isWorkspaceSetting } from '../settings/window-settings.ts';
import type { PreparationStep } from './preparation.ts';
import { escapeInvisible, Preview, wrapLines } from './preview.ts';

// The user's consent to commands of a workspace, for example a token command in its settings.

/** Internal command for a button: shows a workspace command for confirmation. */
export const REVIEW_COMMAND = '_agentcore.reviewCommand';

/** Storage key of the confirmed commands. Each value is the kind of command and its digest. */
const KEY = 'confirmedCommands';

/** Maximum number of confirmed commands. The oldest one is dropped first. */
const MAX_CONFIRMED = 200;

/** Maximum characters of a command in the dialog. A longer text opens in an editor. */
const MAX_DIALOG_LENGTH = 600;

const MAX_DIALOG_LINES = 8;

/**
 * Stores the confirmed workspace commands by their exact text. A confirmation applies to one
 * workspace, because a relative path is another program in another workspace.
 */
export class CommandConsent implements vscode.Disposable {
  readonly #memory: vscode.Memento;
  readonly #canAsk: boolean;
  readonly #preview = new Preview('agentcore-command');
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #asking = new KeyedSingleFlight<boolean>();

  /**
   * @param canAsk `false` if there is no user, as in extension tests. All commands are then denied.
   */
  constructor(memory: vscode.Memento, canAsk: boolean) {
    this.#memory = memory;
    this.#canAsk = canAsk;
  }

  /** Fires when the user confirms a command. */
  get onDidChange(): vscode.Event<void> {
    return this.#changed.event;
  }

  /** The digests of all confirmed commands of a kind. */
  digests(kind: WorkspaceCommand['kind']): readonly string[] {
    return this.#confirmed()
      .filter((entry) => entry.startsWith(`${kind}:`))
      .map((entry) => entry.slice(kind.length + 1));
  }

  /**
   * Checks that the user has confirmed a command.
   *
   * @throws {AgentCoreError} `credentials` if not. Pass the error to {@link confirmNeeded}.
   */
  require(command: WorkspaceCommand, name: string): void {
    if (this.#confirmed().includes(getKey(command))) return;
    throw new AgentCoreError('credentials', formatUnconfirmedMessage(command, name), {
      cause: new UnconfirmedCommand(command),
    });
  }

  /**
   * Prompts the user to confirm the command in an error.
   *
   * @returns whether the command is confirmed now. `undefined` if the error has no command.
   */
  async confirmNeeded(thrown: unknown): Promise<boolean | undefined> {
    const command = findUnconfirmed(thrown);
    return command && this.confirm(command);
  }

  /** Shows the command and prompts the user to allow it. Concurrent calls share one prompt. */
  confirm(command: WorkspaceCommand): Promise<boolean> {
    const key = getKey(command);
    if (this.#confirmed().includes(key)) return Promise.resolve(true);
    return this.#asking.run(key, () => this.#ask(command));
  }

  dispose(): void {
    this.#changed.dispose();
    this.#preview.dispose();
  }

  async #ask(command: WorkspaceCommand): Promise<boolean> {
    if (!this.#canAsk || !vscode.workspace.isTrusted) return false;
    const text = escapeInvisible(command.text);
    const question = formatQuestion(command);
    const action = getActionLabel(command);
    const isShort = text.length <= MAX_DIALOG_LENGTH && text.split('\n').length <= MAX_DIALOG_LINES;
    const chosen = isShort
      ? await vscode.window.showWarningMessage(question, { modal: true, detail: text }, action)
      : await this.#preview.show('command', wrapLines(text), () =>
          vscode.window.showWarningMessage(question, action),
        );
    if (chosen !== action) return false;
    const confirmed = [...this.#confirmed(), getKey(command)].slice(-MAX_CONFIRMED);
    await this.#memory.update(KEY, confirmed);
    this.#changed.fire();
    return true;
  }

  #confirmed(): readonly string[] {
    return this.#memory.get<readonly string[]>(KEY, []);
  }
}

function getKey(command: WorkspaceCommand): string {
  return `${command.kind}:${digestCommand(command)}`;
}

function formatQuestion({ kind }: WorkspaceCommand): string {
  switch (kind) {
    case 'credential_process':
      return vscode.l10n.t(
        'Run this command to get AWS credentials? It comes from an AWS file of this workspace.',
      );
    case 'tokenCommand':
      return vscode.l10n.t(
        'Run this command to get a bearer token? It comes from the settings of this workspace.',
      );
    case 'awsLogin':
      return vscode.l10n.t(
        'Run this command with these AWS files? They come from this workspace, and the AWS CLI can start programs that they name.',
      );
    case 'localConfig':
      return vscode.l10n.t(
        'Run the commands of this local AgentCore configuration? It comes from this workspace.',
      );
    case 'environmentSecret':
      return vscode.l10n.t(
        'Send the OAuth client secret of the environment (AGENTCORE_OAUTH_CLIENT_SECRET)? The receiver comes from the settings of this workspace.',
      );
  }
}

/** The label of the button that confirms the command. */
function getActionLabel({ kind }: WorkspaceCommand): string {
  switch (kind) {
    case 'localConfig':
      return vscode.l10n.t('Run Commands');
    case 'environmentSecret':
      return vscode.l10n.t('Send Secret');
    default:
      return vscode.l10n.t('Run Command');
  }
}

function formatUnconfirmedMessage({ kind }: WorkspaceCommand, name: string): string {
  switch (kind) {
    case 'environmentSecret':
      return vscode.l10n.t(
        'Could not start runtime "{0}": the receiver of its client secret comes from the workspace and is not confirmed. Review it.',
        name,
      );
    case 'localConfig':
      return vscode.l10n.t(
        'Could not start runtime "{0}": the commands of its local AgentCore come from the workspace and are not confirmed. Review them.',
        name,
      );
    default:
      return vscode.l10n.t(
        'Could not start runtime "{0}": its command comes from the workspace and is not confirmed. Review it.',
        name,
      );
  }
}

/**
 * Creates the step for a token command. The command must come from the user's settings or be
 * confirmed.
 *
 * @returns a step. It throws {@link AgentCoreError} `credentials` if the command is not confirmed.
 */
export function prepareTokenCommand(consent: Pick<CommandConsent, 'require'>): PreparationStep {
  return async ({ name, authorization }) => {
    if (authorization.kind !== 'tokenCommand') return undefined;
    if (isWorkspaceSetting(Settings.runtimes)) {
      consent.require({ kind: 'tokenCommand', text: authorization.command }, name);
    }
    return undefined;
  };
}
