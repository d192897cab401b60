import * as vscode from 'vscode';
import type { Account } from '../../aws/sso/portal-client.ts';
import type { SsoSession } from '../../aws/sso/sso-session.ts';
import type { Environment } from '../../base/environment.ts';
import type { WorkspaceCommand } from '../../base/exec.ts';
import { isSecureUrl } from '../../http/secure-url.ts';
import { type CredentialNode, readOverview, type SsoNode } from '../models/profiles-model.ts';
import { UserCancelledError } from '../servers/preparation.ts';
import { Commands } from '../settings/contributions.ts';
import { validateRegion } from '../setup/runtime-draft.ts';
import type { CommandRegistry } from '../ui/command-registry.ts';
import { showError } from '../ui/errors.ts';
import { openAwsLogin, signIn } from '../ui/sign-in.ts';
import { askText, BACK, type FlowStep, type InputQuestion, pick, runWizard } from '../ui/wizard.ts';
import { formatLogin, SHOW_FAILURE } from '../views/credentials-view.ts';

// Commands to sign in, to sign out, and to add profiles and SSO sessions to the AWS config file.

/** Sign-out timeout in milliseconds. */
const SIGN_OUT_TIMEOUT_MS = 30_000;

/** The argument of a command: a tree item or a profile. */
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

  /** Resolves to the expiry of the login. `undefined` if the sign-in continues in a terminal. */
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
    const [{ logout }, { formatSsoSessionName }, { openNetwork }] = await Promise.all([
      import('../../aws/sso/portal-client.ts'),
      import('../../aws/sso/sso-session.ts'),
      import('../../aws/endpoints.ts'),
    ]);
    const name = formatSsoSessionName(session);
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
        vscode.l10n.t(
          '{0}. The login is removed from this machine. At AWS, it is valid until it expires.',
          problem,
        ),
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

/** Signs in even if the login looks valid, because AWS may have revoked it. */
function signInTo(session: SsoSession, env: Environment): Promise<Date | undefined> {
  const { name, profile } = session;
  const choice = profile === undefined ? { ssoSession: name } : { profile };
  return signIn(choice, { env, force: true });
}

/** @param isNew Whether the SSO session is new. No profile uses a new one yet. */
async function showSignedIn(until: Date, isNew: boolean): Promise<void> {
  const add = vscode.l10n.t('Add Profile');
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t('Signed in until {0}', until.toLocaleString()),
    ...(isNew ? [add] : []),
  );
  if (chosen === add) await vscode.commands.executeCommand(Commands.addProfile);
}

/**
 * Chooses the SSO session for a command: from the tree item, the only one, or by a prompt.
 *
 * @returns `undefined` if there is no session yet.
 * @throws {UserCancelledError} if the user cancels.
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
    // Throws if the file is unreadable. Otherwise, there is no session.
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

/** Timeout in milliseconds. AWS throttles the calls, so a large organization takes long. */
const LIST_TIMEOUT_MS = 120_000;

/** Milliseconds to wait for the lock of the config file. */
const WRITE_TIMEOUT_MS = 10_000;

/** The answers for a new profile. */
interface Draft {
  readonly account?: Account;
  readonly role?: string;
  /** Empty if the profile gets no region. */
  readonly region?: string;
  readonly name?: string;
}

/**
 * Writes a profile for an account and role of the SSO session.
 *
 * @returns the name of the profile.
 * @throws {UserCancelledError} if the user presses Escape.
 * @throws {AgentCoreError} if listing the accounts or writing the file fails.
 */
async function addProfile(session: SsoSession, env: Environment): Promise<string> {
  const accounts = await listAccounts(session, env);
  const known = await readProfileNames(env);
  const { account, role, region, name } = (await runWizard<Draft>(
    [
      createAccountStep(accounts),
      createRoleStep(),
      createRegionStep(session, env),
      createNameStep(known),
    ],
    {},
  )) as Required<Draft>;
  const { writeProfile } = await import('../../aws/credentials/profile-writer.ts');
  const profile = {
    name,
    session,
    accountId: account.id,
    roleName: role,
    region: region || undefined,
  };
  const path = await writeProfile(profile, {
    env,
    replace: known.has(name),
    signal: AbortSignal.timeout(WRITE_TIMEOUT_MS),
  });
  void vscode.window.showInformationMessage(vscode.l10n.t('Profile "{0}" is in {1}', name, path));
  return name;
}

/** Lists accounts and roles. If there is no login, the user signs in first. */
async function listAccounts(session: SsoSession, env: Environment): Promise<readonly Account[]> {
  const [portal, { openNetwork }] = await Promise.all([
    import('../../aws/sso/portal-client.ts'),
    import('../../aws/endpoints.ts'),
  ]);
  const { name, profile } = session;
  const choice = profile === undefined ? { ssoSession: name } : { profile };
  // Shows no prompt if the login is valid or refreshable.
  if (!(await signIn(choice, { env }))) throw new UserCancelledError();
  const { accounts, problems } = await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('Listing accounts and roles'),
      cancellable: true,
    },
    async (_, token) => {
      const ending = new AbortController();
      token.onCancellationRequested(() => ending.abort(new UserCancelledError()));
      const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(LIST_TIMEOUT_MS)]);
      const network = await openNetwork(session.profile, env);
      return portal.listAccounts(session, { env, network }, signal);
    },
  );
  if (problems.length > 0) void vscode.window.showWarningMessage(problems.join('; '));
  return accounts;
}

/** @throws an error if the login gives access to no role. */
function createAccountStep(accounts: readonly Account[]): FlowStep<Draft> {
  const withRoles = accounts.filter(({ roles }) => roles.length > 0);
  if (withRoles.length === 0) {
    throw new Error(
      vscode.l10n.t('This login has access to no role. Ask your AWS administrator for one.'),
    );
  }
  return {
    async ask(draft, position) {
      const account = await pick<Account>({
        title: getTitle(),
        position,
        placeholder: vscode.l10n.t('Account'),
        items: withRoles.map((one) => ({
          label: one.name,
          description: one.id,
          ...(one.email !== undefined && { detail: one.email }),
          value: one,
        })),
        isActive: ({ id }) => id === draft.account?.id,
      });
      return account === BACK ? BACK : { ...draft, account };
    },
  };
}

function createRoleStep(): FlowStep<Draft> {
  return {
    async ask(draft, position) {
      const { name = '', roles = [] } = draft.account ?? {};
      const role = await pick<string>({
        title: getTitle(),
        position,
        placeholder: vscode.l10n.t('Role in {0}', name),
        items: roles.map((label) => ({ label, value: label })),
        isActive: (one) => one === draft.role,
      });
      return role === BACK ? BACK : { ...draft, role };
    },
  };
}

function createRegionStep(session: SsoSession, env: Environment): FlowStep<Draft> {
  return {
    async ask(draft, position) {
      const region = await askText({
        title: getTitle(),
        position,
        prompt: vscode.l10n.t('The region of its runtimes. Leave it empty for none.'),
        placeholder: 'us-east-1',
        value: draft.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? session.region,
        check: (text) => (text === '' ? undefined : validateRegion(text)),
      });
      return region === BACK ? BACK : { ...draft, region };
    },
  };
}

function createNameStep(known: ReadonlySet<string>): FlowStep<Draft> {
  return {
    async ask(draft, position) {
      const { account, role } = draft;
      const name = await askText({
        title: getTitle(),
        position,
        prompt: vscode.l10n.t('Name of the profile'),
        placeholder: vscode.l10n.t('Name'),
        value: `${account?.name}-${role}`.replace(/[^\w@+.%:/-]+/g, '-'),
        check: (text) =>
          /^[\w@+.%:/-]+$/.test(text)
            ? undefined
            : vscode.l10n.t('Letters, digits and any of _ @ + . % : / -'),
        caution: (text) =>
          known.has(text)
            ? vscode.l10n.t('There is a profile of this name. It will be replaced.')
            : undefined,
      });
      return name === BACK ? BACK : { ...draft, name };
    },
  };
}

async function readProfileNames(env: Environment): Promise<ReadonlySet<string>> {
  const { listProfiles } = await import('../../aws/credentials/profiles.ts');
  return new Set((await listProfiles(env)).map(({ name }) => name));
}

function getTitle(): string {
  return vscode.l10n.t('Add Profile');
}

/** Milliseconds to wait for the lock of the config file. */
const SESSION_WRITE_TIMEOUT_MS = 10_000;

/** The answers for a new SSO session. The questions are those of `aws configure sso`. */
interface SsoSessionDraft {
  readonly startUrl?: string;
  readonly region?: string;
  readonly name?: string;
}

/**
 * Prompts for a new SSO session, signs in to it and writes it to the AWS config file. If the
 * sign-in or the writing fails, shows the error and repeats the prompts.
 *
 * @returns the session and the expiry of its login.
 * @throws {UserCancelledError} if the user presses Escape.
 */
async function addSsoSession(
  env: Environment,
): Promise<{ readonly session: SsoSession; readonly until: Date }> {
  const [{ ACCOUNT_SCOPE }, { writeSsoSession }] = await Promise.all([
    import('../../aws/sso/sso-session.ts'),
    import('../../aws/credentials/profile-writer.ts'),
  ]);
  let draft: SsoSessionDraft = {};
  for (;;) {
    draft = await runWizard(createSteps(), draft);
    const { startUrl, region, name } = draft as Required<SsoSessionDraft>;
    const session = { startUrl, region, name, scopes: [ACCOUNT_SCOPE], profile: undefined };
    try {
      const until = await signIn({ session }, { env, force: true });
      if (!until) throw new UserCancelledError();
      await writeSsoSession(session, {
        env,
        signal: AbortSignal.timeout(SESSION_WRITE_TIMEOUT_MS),
      });
      return { session, until };
    } catch (thrown) {
      if (thrown instanceof UserCancelledError) throw thrown;
      void showError(thrown);
    }
  }
}

function createSteps(): readonly FlowStep<SsoSessionDraft>[] {
  return [
    createFieldStep({
      prompt: vscode.l10n.t('The start URL of your AWS access portal'),
      placeholder: 'https://NAME.awsapps.com/start',
      read: ({ startUrl }) => startUrl,
      write: (text) => ({ startUrl: normalizeStartUrl(text) }),
      check: validateStartUrl,
    }),
    createFieldStep({
      prompt: vscode.l10n.t('The region of its IAM Identity Center'),
      placeholder: 'us-east-1',
      read: ({ region }) => region,
      write: (region) => ({ region }),
      check: validateRegion,
    }),
    createFieldStep({
      prompt: vscode.l10n.t('A name for it in the AWS config file'),
      placeholder: vscode.l10n.t('Name'),
      read: ({ name, startUrl = '' }) => name ?? suggestSessionName(startUrl),
      write: (name) => ({ name }),
      check: (text) =>
        /^[\w@+.%:/-]+$/.test(text)
          ? undefined
          : vscode.l10n.t('Letters, digits and any of _ @ + . % : / -'),
    }),
  ];
}

function createFieldStep(
  field: Pick<InputQuestion, 'prompt' | 'placeholder' | 'check'> & {
    readonly read: (draft: SsoSessionDraft) => string | undefined;
    readonly write: (text: string) => SsoSessionDraft;
  },
): FlowStep<SsoSessionDraft> {
  const { read, write, ...question } = field;
  return {
    async ask(draft, position) {
      const title = vscode.l10n.t('Sign In');
      const text = await askText({ ...question, title, position, value: read(draft) });
      return text === BACK ? BACK : { ...draft, ...write(text) };
    },
  };
}

/** Removes the fragment added by the portal in the browser: `/start/#/?tab=…`. */
function normalizeStartUrl(text: string): string {
  return text.replace(/#.*$/s, '').replace(/\/+$/, '');
}

function validateStartUrl(text: string): string | undefined {
  const isOne = /^[!-~]+$/.test(text) && URL.canParse(text) && isSecureUrl(new URL(text));
  return isOne
    ? undefined
    : vscode.l10n.t('Expected an https URL such as https://NAME.awsapps.com/start');
}

/** Suggests `corp` for `https://corp.awsapps.com/start`. */
function suggestSessionName(startUrl: string): string {
  const [, name = 'sso'] = /^https:\/\/([a-z\d-]+)\.awsapps\./.exec(startUrl) ?? [];
  return name;
}
