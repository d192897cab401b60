import * as vscode from 'vscode';
import { getErrorMessage } from '../../base/errors.ts';
import { REVIEW_COMMAND } from '../consent/command-consent.ts';
import { Commands } from '../contributions.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';
import { createConfiguredNode } from '../runtimes/runtime-node.ts';
import { createSessionNode } from '../sessions/session-node.ts';
import { ENTER_SECRET } from '../setup/client-secrets.ts';
import { getWindowEnvironment } from '../window-environment.ts';
import { openSettings } from './open-settings.ts';
import { getRemedies, type Remedy } from './remedies.ts';

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

/** In characters. A longer notification covers the window. The log has the full message. */
const MAX_MESSAGE_LENGTH = 300;

/** Cuts at the last punctuation mark within the limit. */
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
        vscode.l10n.t('Copied. Add it to the policy, or send it to whoever may.'),
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
 * `signIn` resolves to `undefined` if the sign-in continues in a terminal or the user cancels it.
 */
async function signIn(profile: string, next: Remedy | undefined): Promise<void> {
  const until = await run(Commands.signIn, { profile });
  if (until !== undefined && next) await apply(next);
}

/** The file may not exist yet. */
async function openAwsConfig(): Promise<void> {
  const { getProfilePaths: profilePaths } = await import('../../aws/shared-config.ts');
  const file = vscode.Uri.file(profilePaths(getWindowEnvironment()).config);
  const isThere = await vscode.workspace.fs.stat(file).then(
    () => true,
    () => false,
  );
  await vscode.window.showTextDocument(isThere ? file : file.with({ scheme: 'untitled' }));
}

function run(command: string, ...args: readonly unknown[]): Thenable<unknown> {
  return vscode.commands.executeCommand(command, ...args);
}
