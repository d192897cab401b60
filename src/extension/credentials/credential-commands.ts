import * as vscode from 'vscode';
import type { SsoSession } from '../../aws/sso/sso-session.ts';
import type { Environment } from '../../base/environment.ts';
import type { WorkspaceCommand } from '../../base/exec.ts';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { showError } from '../commands/present-error.ts';
import { Commands } from '../contributions.ts';
import { UserCancelledError } from '../servers/server-preparation.ts';
import { addProfile } from './add-profile.ts';
import { openAwsLogin } from './aws-login.ts';
import { formatLogin, SHOW_FAILURE } from './credential-items.ts';
import type { CredentialNode, SsoNode } from './credential-node.ts';
import { readOverview } from './credential-overview.ts';
import { addSsoSession } from './new-sso-session.ts';
import { signIn } from './sign-in.ts';

/** Sign-out timeout in milliseconds. */
const SIGN_OUT_TIMEOUT_MS = 30_000;

/** Identifies a login: a tree item or a profile name. */
type Given = CredentialNode | { readonly profile: string } | undefined;

/** Registers the commands on logins and profiles. Calls `onChange` after each change. */
export function registerCredentialCommands(
  commands: CommandRegistry,
  parts: {
    readonly env: () => Environment;
    readonly onChange: () => void;
    /** Prompts the user to allow a workspace command. */
    readonly review: (command: WorkspaceCommand) => Promise<boolean>;
  },
): void {
  const { env, onChange, review } = parts;

  /** Resolves to the expiry of the login, or to `undefined` if it continues in a terminal. */
  commands.register(Commands.signIn, async (given: Given) => {
    const profile = getProfileName(given);
    if (profile !== undefined && (await openAwsLogin(profile, env(), review))) return undefined;
    const session = await choose(given, env(), 'sign in to');
    const until = session ? await signInTo(session, env()) : (await addSsoSession(env())).until;
    if (!until) throw new UserCancelledError();
    onChange();
    void showSignedIn(until, session === undefined);
    return until;
  });

  commands.register(Commands.signOut, async (given: Given) => {
    const session = await choose(given, env(), 'sign out of');
    if (!session) {
      void vscode.window.showInformationMessage(vscode.l10n.t('There is nothing to sign out of.'));
      return;
    }
    const [{ logout }, { formatSsoSessionName: nameOf }, { openNetwork }] = await Promise.all([
      import('../../aws/sso/portal-client.ts'),
      import('../../aws/sso/sso-session.ts'),
      import('../../aws/endpoints.ts'),
    ]);
    const name = nameOf(session);
    const context = { env: env(), network: await openNetwork(session.profile, env()) };
    const { wasSignedIn, problem } = await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Window,
        title: vscode.l10n.t('Signing out of {0}', name),
      },
      () => logout(session, context, AbortSignal.timeout(SIGN_OUT_TIMEOUT_MS)),
    );
    onChange();
    if (problem !== undefined) {
      void vscode.window.showWarningMessage(
        vscode.l10n.t('{0}; the login is removed here, and ends at AWS when it expires', problem),
      );
      return;
    }
    void vscode.window.showInformationMessage(
      wasSignedIn
        ? vscode.l10n.t('Signed out of {0}', name)
        : vscode.l10n.t('Not signed in to {0}', name),
    );
  });

  /** Resolves to the name of the new profile. */
  commands.register(Commands.addProfile, async (given: Given) => {
    const known = await choose(given, env(), 'add a profile of');
    const { session } = known ? { session: known } : await addSsoSession(env());
    const name = await addProfile(session, env());
    onChange();
    return name;
  });

  commands.register(Commands.refreshCredentials, () => onChange());

  // Not awaited: the command returns before the user closes the message.
  commands.register(SHOW_FAILURE, (failure: unknown) => void showError(failure));
}

/** Forces a new sign-in, because AWS may have revoked a valid-looking login. */
function signInTo(session: SsoSession, env: Environment): Promise<Date | undefined> {
  const { name, profile } = session;
  const choice = profile === undefined ? { ssoSession: name } : { profile };
  return signIn(choice, { env, force: true });
}

/** @param isNew Whether this is the first login, which no profile uses yet. */
async function showSignedIn(until: Date, isNew: boolean): Promise<void> {
  const add = vscode.l10n.t('Add Profile');
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t('Signed in until {0}', until.toLocaleString()),
    ...(isNew ? [add] : []),
  );
  if (chosen === add) await vscode.commands.executeCommand(Commands.addProfile);
}

/**
 * Returns the SSO session for a command.
 *
 * @returns `undefined` if there is no session yet.
 * @throws {Cancelled} if the user cancels.
 */
async function choose(
  given: Given,
  env: Environment,
  purpose: 'sign in to' | 'sign out of' | 'add a profile of',
): Promise<SsoSession | undefined> {
  if (given && 'kind' in given && given.kind === 'sso') return given.session;
  const { findSsoSession, listSsoSessions } = await import('../../aws/sso/sso-session.ts');
  const profile = getProfileName(given);
  if (profile !== undefined) return findSsoSession({ profile }, env);
  const nodes = (await readOverview(env)).filter((node) => node.kind === 'sso');
  const [only] = nodes;
  if (!only) {
    // Throws if the file is unreadable. Otherwise there is no session.
    await listSsoSessions(env);
    return undefined;
  }
  return nodes.length === 1 ? only.session : pickSsoSession(nodes, purpose);
}

function getProfileName(given: Given): string | undefined {
  if (!given) return undefined;
  if (!('kind' in given)) return given.profile;
  return given.kind === 'profile' ? given.profile.name : undefined;
}

async function pickSsoSession(nodes: readonly SsoNode[], purpose: string): Promise<SsoSession> {
  const placeHolders: Readonly<Record<string, string>> = {
    'sign in to': vscode.l10n.t('SSO session to sign in to'),
    'sign out of': vscode.l10n.t('SSO session to sign out of'),
    'add a profile of': vscode.l10n.t('SSO session to add a profile of'),
  };
  const items = nodes.map(({ session, status }) => ({
    label: session.name ?? session.startUrl,
    description: formatLogin(status, Date.now()),
    detail: session.startUrl,
    session,
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    placeHolder: placeHolders[purpose] ?? '',
    matchOnDetail: true,
  });
  if (!chosen) throw new UserCancelledError();
  return chosen.session;
}
