import * as vscode from 'vscode';
import type { Account } from '../../aws/sso/portal-client.ts';
import type { SsoSession } from '../../aws/sso/sso-session.ts';
import type { Environment } from '../../base/environment.ts';
import { UserCancelledError } from '../servers/server-preparation.ts';
import { askText, pick } from '../setup/quick-steps.ts';
import { BACK, type FlowStep, runWizard } from '../setup/step-flow.ts';
import { validateRegion } from '../setup/typed-input.ts';
import { signIn } from './sign-in.ts';

/** In milliseconds. Listing is slow in a large organization, because AWS throttles the calls. */
const LIST_TIMEOUT_MS = 120_000;

/** Milliseconds to wait for the lock of the config file. */
const WRITE_TIMEOUT_MS = 10_000;

/** The answers of the wizard. */
interface Draft {
  readonly account?: Account;
  readonly role?: string;
  /** Empty if the profile gets no region. */
  readonly region?: string;
  readonly name?: string;
}

/**
 * Writes a profile for an account and role of the SSO login.
 *
 * @returns the name of the profile.
 * @throws {Cancelled} if the user presses Escape.
 * @throws {AgentCoreError} if listing the accounts or writing the file fails.
 */
export async function addProfile(session: SsoSession, env: Environment): Promise<string> {
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

/** Prompts the user to sign in first if there is no login. */
async function listAccounts(session: SsoSession, env: Environment): Promise<readonly Account[]> {
  const [portal, { openNetwork }] = await Promise.all([
    import('../../aws/sso/portal-client.ts'),
    import('../../aws/endpoints.ts'),
  ]);
  const { name, profile } = session;
  const choice = profile === undefined ? { ssoSession: name } : { profile };
  // If the login is valid or refreshable, this shows no prompt.
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
      vscode.l10n.t('This login gives access to no role. Ask who manages it for one.'),
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
        prompt: vscode.l10n.t('Region of the runtimes to use with it; leave it empty for none'),
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
