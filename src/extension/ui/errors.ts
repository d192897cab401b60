import * as vscode from 'vscode';
import {
  type AccessDenial,
  createMissingStatements,
  formatStatement,
  parseDenial,
} from '../../aws/iam/access-denied.ts';
import { findNetworkError } from '../../aws/sdk-errors.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { findUnconfirmed, type WorkspaceCommand } from '../../base/exec.ts';
import type { SessionInfo } from '../../sessions/session-info.ts';
import { createConfiguredNode, createSessionNode } from '../models/tree-nodes.ts';
import { REVIEW_COMMAND } from '../servers/command-consent.ts';
import { ENTER_SECRET } from '../servers/secrets.ts';
import { Commands } from '../settings/contributions.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import { getWindowEnvironment } from '../settings/window-settings.ts';

// Error messages with buttons, and the remedies behind the buttons.

/**
 * Shows an error message with a button for each remedy.
 *
 * @param entry The affected runtime, if there is one.
 */
export async function showError(thrown: unknown, entry?: RuntimeEntry): Promise<void> {
  await showProblem(getErrorMessage(thrown), getRemedies(thrown, entry));
}

export async function showProblem(sentence: string, remedies: readonly Remedy[]): Promise<void> {
  const buttons = remedies.map((remedy) => ({ title: getRemedyTitle(remedy), remedy }));
  const chosen = await vscode.window.showErrorMessage(shortenSentence(sentence), ...buttons);
  if (chosen) await apply(chosen.remedy);
}

/**
 * Maximum characters of a notification. A longer one covers the window. The log has the full
 * message.
 */
const MAX_MESSAGE_LENGTH = 300;

/** Shortens a message at the last punctuation mark within the limit. */
function shortenSentence(sentence: string): string {
  if (sentence.length <= MAX_MESSAGE_LENGTH) return sentence;
  const room = sentence.slice(0, MAX_MESSAGE_LENGTH);
  const [whole = room] = /^.{100,}(?=[:;,.] )/s.exec(room) ?? [];
  return `${whole} …`;
}

function getRemedyTitle({ kind }: Remedy): string {
  switch (kind) {
    case 'signIn':
      return vscode.l10n.t('Sign In');
    case 'reviewCommand':
      return vscode.l10n.t('Review Command');
    case 'pickProfile':
      return vscode.l10n.t('Pick Another Profile');
    case 'enterSecret':
      return vscode.l10n.t('Enter Client Secret');
    case 'openAwsConfig':
      return vscode.l10n.t('Open Profiles');
    case 'copyStatement':
      return vscode.l10n.t('Copy Missing Statement');
    case 'networkSettings':
      return vscode.l10n.t('Network Settings');
    case 'openSettings':
    case 'openSetting':
      return vscode.l10n.t('Open Settings');
    case 'discoverySettings':
      return vscode.l10n.t('Choose Regions');
    case 'refreshRuntimes':
    case 'stopAgain':
      return vscode.l10n.t('Try Again');
    case 'showOutput':
      return vscode.l10n.t('Show Output');
    case 'listServers':
      return vscode.l10n.t('List Servers');
    case 'showLogs':
      return vscode.l10n.t('Show Logs');
  }
}

async function apply(remedy: Remedy): Promise<unknown> {
  switch (remedy.kind) {
    case 'signIn':
      return signIn(remedy.profile, remedy.next);
    case 'reviewCommand':
      if ((await run(REVIEW_COMMAND, remedy.command)) && remedy.next) await apply(remedy.next);
      return undefined;
    case 'pickProfile':
      return run(Commands.switchProfile, createConfiguredNode(remedy.entry));
    case 'enterSecret':
      return run(ENTER_SECRET, remedy.entry.name);
    case 'openAwsConfig':
      return openAwsConfig();
    case 'copyStatement':
      await vscode.env.clipboard.writeText(remedy.text);
      return vscode.window.showInformationMessage(
        vscode.l10n.t(
          'Copied. Add it to the policy, or send it to an administrator of the account.',
        ),
      );
    case 'networkSettings':
      return run('workbench.action.openSettings', 'http.proxy');
    case 'openSettings':
      return run(Commands.openSettings);
    case 'openSetting':
      return run('workbench.action.openSettings', `@id:${remedy.setting}`);
    case 'discoverySettings':
      return openSettings('agentcore.discovery');
    case 'refreshRuntimes':
      return run(Commands.refreshRuntimes);
    case 'stopAgain':
      return run(Commands.stopSession, undefined, remedy.sessions.map(createSessionNode));
    case 'showOutput':
      return run(Commands.showServerOutput, { name: remedy.server });
    case 'listServers':
      return run('workbench.mcp.listServer');
    case 'showLogs':
      return run(Commands.showLogs);
  }
}

/**
 * Runs the command to sign in. If the user is signed in afterwards, applies `next`. The command
 * returns `undefined` if the user cancels or the sign-in continues in a terminal.
 */
async function signIn(profile: string, next: Remedy | undefined): Promise<void> {
  const until = await run(Commands.signIn, { profile });
  if (until !== undefined && next) await apply(next);
}

/** Opens the AWS config file. If it does not exist, opens a new document with its path. */
async function openAwsConfig(): Promise<void> {
  const { getProfilePaths } = await import('../../aws/shared-config.ts');
  const file = vscode.Uri.file(getProfilePaths(getWindowEnvironment()).config);
  const isThere = await vscode.workspace.fs.stat(file).then(
    () => true,
    () => false,
  );
  await vscode.window.showTextDocument(isThere ? file : file.with({ scheme: 'untitled' }));
}

function run(command: string, ...args: readonly unknown[]): Thenable<unknown> {
  return vscode.commands.executeCommand(command, ...args);
}

/** An action that may fix an error. */
export type Remedy =
  | {
      readonly kind: 'signIn';
      readonly profile: string;
      /** Runs after the sign-in. */
      readonly next?: Remedy;
    }
  /** Confirm a workspace command. Otherwise, it does not run. */
  | {
      readonly kind: 'reviewCommand';
      readonly command: WorkspaceCommand;
      /** Runs after the user confirms the command. */
      readonly next?: Remedy;
    }
  /** Choose another profile if the current one is missing or denied. */
  | { readonly kind: 'pickProfile'; readonly entry: RuntimeEntry }
  /** Enter the OAuth client secret of this entry. */
  | { readonly kind: 'enterSecret'; readonly entry: RuntimeEntry }
  | { readonly kind: 'openAwsConfig' }
  | { readonly kind: 'copyStatement'; readonly text: string }
  | { readonly kind: 'networkSettings' }
  | { readonly kind: 'openSettings' }
  /** Open a setting of VS Code itself. */
  | { readonly kind: 'openSetting'; readonly setting: string }
  | { readonly kind: 'discoverySettings' }
  | { readonly kind: 'refreshRuntimes' }
  | { readonly kind: 'stopAgain'; readonly sessions: readonly SessionInfo[] }
  | { readonly kind: 'showOutput'; readonly server: string }
  | { readonly kind: 'listServers' }
  | { readonly kind: 'showLogs' };

/** Maximum number of buttons. Users do not read more. */
const MAX_REMEDIES = 3;

/**
 * Returns the remedies for an error, the most likely first.
 *
 * @param entry The affected runtime, if there is one.
 */
export function getRemedies(thrown: unknown, entry?: RuntimeEntry): readonly Remedy[] {
  return [...getErrorRemedies(thrown, entry), { kind: 'showLogs' } as const].slice(0, MAX_REMEDIES);
}

function* getErrorRemedies(thrown: unknown, entry: RuntimeEntry | undefined): Generator<Remedy> {
  const { code, data = {} } = thrown instanceof AgentCoreError ? thrown : { code: undefined };
  const { login, server, setting, statements, missingProfile, unstopped } = data;
  const stopAgain = Array.isArray(unstopped)
    ? ({ kind: 'stopAgain', sessions: unstopped as readonly SessionInfo[] } as const)
    : undefined;
  if (typeof server === 'string') yield { kind: 'showOutput', server };
  if (data.listsServers === true) yield { kind: 'listServers' };
  if (typeof login === 'string') {
    yield { kind: 'signIn', profile: login, ...(stopAgain && { next: stopAgain }) };
  }
  const command = findUnconfirmed(thrown);
  if (command) {
    yield { kind: 'reviewCommand', command, ...(stopAgain && { next: stopAgain }) };
  }
  const statement = findMissingStatements(thrown, statements, entry);
  if (statement !== undefined) yield { kind: 'copyStatement', text: statement };
  if (stopAgain) yield stopAgain;
  if (data.lacksSecret === true && entry) {
    yield { kind: 'enterSecret', entry };
  } else if (code === 'credentials' && !command) {
    if (entry && login === undefined) yield { kind: 'pickProfile', entry };
    if (missingProfile !== undefined || entry === undefined) yield { kind: 'openAwsConfig' };
  }
  if (typeof setting === 'string') yield { kind: 'openSetting', setting };
  else if (code === 'usage' || code === 'config') yield { kind: 'openSettings' };
  if (code === 'connection' || findNetworkError(thrown) !== undefined) {
    yield { kind: 'networkSettings' };
  }
}

/** The missing policy statements as JSON, for the clipboard. */
function findMissingStatements(
  thrown: unknown,
  statements: unknown,
  entry: RuntimeEntry | undefined,
): string | undefined {
  if (Array.isArray(statements) && statements.length > 0) {
    const all = statements.map(({ statement }: { readonly statement: unknown }) => statement);
    return JSON.stringify(all.length === 1 ? all[0] : all, null, 2);
  }
  const denial = parseDenial(getErrorMessage(thrown));
  const missing = denial && createMissingStatements([withEndpoint(denial, entry)])[0];
  return missing && formatStatement(missing);
}

/**
 * Adds the endpoint to a denied resource. The AWS error names only the runtime, but the policy must
 * also allow the endpoint.
 */
function withEndpoint(denial: AccessDenial, entry: RuntimeEntry | undefined): AccessDenial {
  const { resource } = denial;
  const qualifier = entry?.qualifier;
  if (!qualifier || !resource?.includes(':runtime/') || resource.includes('/runtime-endpoint/')) {
    return denial;
  }
  return { ...denial, resource: `${resource}/runtime-endpoint/${qualifier}` };
}

/**
 * Opens the settings editor with `query`. The settings of this extension have the scope
 * `machine-overridable`. In a remote window they are in the remote settings, and a search in the
 * user settings finds nothing.
 */
export async function openSettings(query: string): Promise<void> {
  const command =
    vscode.env.remoteName === undefined
      ? 'workbench.action.openSettings'
      : 'workbench.action.openRemoteSettings';
  await vscode.commands.executeCommand(command, { query });
}
