import * as vscode from 'vscode';
import type { Account } from '../../aws/sso/portal.ts';
import type { SsoSession } from '../../aws/sso/sso-session.ts';
import { Cancelled } from '../servers/server-preparation.ts';
import type { Environment } from '../window-environment.ts';
import { signIn } from './sign-in.ts';

/** Milliseconds for the accounts and roles of a large organisation, which are throttled. */
const LIST_WITHIN = 120_000;
/** Milliseconds that another program may keep the config file for itself. */
const WRITE_WITHIN = 10_000;

const STEPS = 4;

interface AccountRole {
  readonly account: Account;
  readonly role: string;
}

/**
 * Writes a profile for an account and a role that the login gives access to.
 *
 * @returns its name.
 * @throws {Cancelled} after Escape.
 * @throws {AgentCoreError} as listing and writing do.
 */
export async function addProfile(session: SsoSession, env: Environment): Promise<string> {
  const { account, role } = await pickRole(await listAccounts(session, env));
  const known = await profileNames(env);
  const region = await askRegion(session, env);
  const name = await askName(`${account.name}-${role}`, known);
  const { writeProfile } = await import('../../aws/sso/profile-writer.ts');
  const profile = { name, session, accountId: account.id, roleName: role, region };
  const path = await writeProfile(profile, {
    env,
    replace: known.has(name),
    signal: AbortSignal.timeout(WRITE_WITHIN),
  });
  void vscode.window.showInformationMessage(vscode.l10n.t('Profile "{0}" is in {1}', name, path));
  return name;
}

/** Whoever is not signed in is asked to be, in the step before. */
async function listAccounts(session: SsoSession, env: Environment): Promise<readonly Account[]> {
  const [portal, { Network }] = await Promise.all([
    import('../../aws/sso/portal.ts'),
    import('../../aws/network.ts'),
  ]);
  const { name, profile } = session;
  const choice = profile === undefined ? { ssoSession: name } : { profile };
  // A login that is good, or can be renewed, asks nobody.
  if (!(await signIn(choice, { env }))) throw new Cancelled();
  const { accounts, problems } = await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('Listing accounts and roles'),
      cancellable: true,
    },
    async (_, token) => {
      const ending = new AbortController();
      token.onCancellationRequested(() => ending.abort(new Cancelled()));
      const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(LIST_WITHIN)]);
      return portal.listAccounts(session, { env, network: new Network(env) }, signal);
    },
  );
  if (problems.length > 0) void vscode.window.showWarningMessage(problems.join('; '));
  return accounts;
}

async function pickRole(accounts: readonly Account[]): Promise<AccountRole> {
  const withRoles = accounts.filter(({ roles }) => roles.length > 0);
  if (withRoles.length === 0) {
    throw new Error(
      vscode.l10n.t('This login gives access to no role. Ask who manages it for one.'),
    );
  }
  const account = await pick(
    withRoles.map((one) => ({
      label: one.name,
      description: one.id,
      ...(one.email !== undefined && { detail: one.email }),
      one,
    })),
    { title: title(1), placeHolder: vscode.l10n.t('Account') },
  );
  const { roles } = account.one;
  const role = await pick(
    roles.map((label) => ({ label })),
    { title: title(2), placeHolder: vscode.l10n.t('Role in {0}', account.one.name) },
  );
  return { account: account.one, role: role.label };
}

async function askRegion(session: SsoSession, env: Environment): Promise<string | undefined> {
  const region = await vscode.window.showInputBox({
    title: title(3),
    prompt: vscode.l10n.t('Region of the runtimes to use with it; leave empty for none'),
    value: env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? session.region,
    validateInput: (text) =>
      /^([a-z]{2}(-[a-z]+)+-\d{1,2})?$/.test(text.trim())
        ? undefined
        : vscode.l10n.t('A region such as us-east-1'),
  });
  if (region === undefined) throw new Cancelled();
  return region.trim() || undefined;
}

async function askName(proposal: string, known: ReadonlySet<string>): Promise<string> {
  const name = await vscode.window.showInputBox({
    title: title(4),
    prompt: vscode.l10n.t('Name of the profile'),
    value: proposal.replace(/[^\w@+.%:/-]+/g, '-'),
    validateInput: (text) => {
      if (!/^[\w@+.%:/-]+$/.test(text.trim())) {
        return vscode.l10n.t('Letters, digits and any of _ @ + . % : / -');
      }
      if (!known.has(text.trim())) return undefined;
      return {
        message: vscode.l10n.t('There is a profile of this name. It will be replaced.'),
        severity: vscode.InputBoxValidationSeverity.Warning,
      };
    },
  });
  if (name === undefined) throw new Cancelled();
  return name.trim();
}

async function profileNames(env: Environment): Promise<ReadonlySet<string>> {
  const { listProfiles } = await import('../../aws/credentials/profiles.ts');
  return new Set((await listProfiles(env)).map(({ name }) => name));
}

async function pick<T extends vscode.QuickPickItem>(
  items: readonly T[],
  options: vscode.QuickPickOptions,
): Promise<T> {
  const chosen = await vscode.window.showQuickPick(items, {
    ...options,
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (!chosen) throw new Cancelled();
  return chosen;
}

function title(step: number): string {
  return vscode.l10n.t('Add Profile ({0}/{1})', step, STEPS);
}
