import * as vscode from 'vscode';
import type { Profile } from '../../aws/credentials/profiles.ts';
import type { LoginStatus } from '../../aws/sso/token-cache.ts';
import type { Environment } from '../../base/environment.ts';
import { formatDuration } from '../../base/format.ts';
import { showError } from '../commands/present-error.ts';
import { Commands } from '../contributions.ts';
import { formatProfileKind } from '../credentials/profile-words.ts';
import { UserCancelledError } from '../servers/server-preparation.ts';
import { createSeparator, type PickItem, type PickList, pick } from './quick-steps.ts';
import type { RuntimeDraft } from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';
import { BACK, type Back, type FlowStep, type StepPosition } from './step-flow.ts';

type Answer =
  | { readonly kind: 'profile'; readonly profile: string | undefined }
  | { readonly kind: 'signIn'; readonly profile: string }
  | { readonly kind: 'add' };

/** A profile and the state of its login, if it uses one. */
interface ListedProfile {
  readonly profile: Profile;
  readonly login: LoginStatus | undefined;
}

/** Prompts for the profile of the credentials. */
export function createProfileStep(setup: SetupContext): FlowStep<RuntimeDraft> {
  return {
    applies: ({ authorization }) => authorization.kind === 'iam',
    async ask(draft, position) {
      const chosen = await pickProfile(setup, { profile: draft.profile, position });
      return chosen === BACK ? BACK : { ...draft, profile: chosen.profile };
    },
  };
}

/** @returns `undefined` as `profile` if the user picks the environment's credentials. */
export async function pickProfile(
  setup: SetupContext,
  options: {
    readonly profile: string | undefined;
    readonly position?: StepPosition | undefined;
    readonly placeholder?: string;
  },
): Promise<{ readonly profile: string | undefined } | Back> {
  let { profile } = options;
  const { placeholder = vscode.l10n.t('Pick the AWS profile to call it with') } = options;
  for (;;) {
    const answer = await pick<Answer>({
      title: setup.title,
      position: options.position,
      placeholder,
      isActive: (one) => one.kind === 'profile' && one.profile === profile,
      fill: async (list) => showProfiles(list, setup.env()),
      onItemButton: (one, _tooltip, list) => {
        if (one.kind === 'profile' && one.profile !== undefined) {
          list.answer({ kind: 'signIn', profile: one.profile });
        }
      },
    });
    if (answer === BACK) return BACK;
    if (answer.kind === 'profile') return { profile: answer.profile };
    try {
      if (answer.kind === 'add') profile = (await runAddProfile(setup.env())) ?? profile;
      else {
        profile = answer.profile;
        await setup.signIn(answer.profile);
      }
    } catch (thrown) {
      if (!(thrown instanceof UserCancelledError)) void showError(thrown);
    }
  }
}

async function showProfiles(list: PickList<Answer>, env: Environment): Promise<void> {
  const { listProfiles } = await import('../../aws/credentials/profiles.ts');
  const profiles = await listProfiles(env);
  list.show(
    createProfileItems(
      profiles.map((profile) => ({ profile, login: undefined })),
      env,
    ),
  );
  list.show(
    createProfileItems(await Promise.all(profiles.map((profile) => withLogin(profile, env))), env),
  );
}

async function withLogin(profile: Profile, env: Environment): Promise<ListedProfile> {
  if (!profile.kind.startsWith('sso') || profile.problem) return { profile, login: undefined };
  const [{ findSsoSession }, { readLoginStatus: loginStatus }] = await Promise.all([
    import('../../aws/sso/sso-session.ts'),
    import('../../aws/sso/token-cache.ts'),
  ]);
  try {
    const session = await findSsoSession({ profile: profile.name }, env);
    return { profile, login: await loginStatus(session, { env }) };
  } catch {
    // The error is reported when the profile is used.
    return { profile, login: undefined };
  }
}

function createProfileItems(
  listed: readonly ListedProfile[],
  env: Environment,
): readonly PickItem<Answer>[] {
  const hasKeys = Boolean(env.AWS_ACCESS_KEY_ID);
  return [
    {
      label: vscode.l10n.t('No profile'),
      description: hasKeys
        ? vscode.l10n.t('access key of the environment')
        : vscode.l10n.t('what the environment has'),
      value: { kind: 'profile', profile: undefined },
    },
    createSeparator(vscode.l10n.t('Profiles')),
    ...listed.map(createProfileItem),
    createSeparator(''),
    {
      label: `$(add) ${vscode.l10n.t('Add a Profile…')}`,
      description: vscode.l10n.t('from the accounts and roles of an SSO session'),
      value: { kind: 'add' },
      alwaysShow: true,
    },
  ];
}

function createProfileItem({ profile, login }: ListedProfile): PickItem<Answer> {
  const { name, kind, region, problem } = profile;
  const needsLogin = login?.state === 'expired' || login?.state === 'signed-out';
  return {
    label: name,
    description: [formatProfileKind(kind), login && formatLogin(login), region]
      .filter(Boolean)
      .join(' · '),
    ...(problem && { detail: `$(warning) ${vscode.l10n.t('Cannot be used: it {0}', problem)}` }),
    ...(needsLogin && {
      buttons: [{ iconPath: new vscode.ThemeIcon('sign-in'), tooltip: vscode.l10n.t('Sign In') }],
    }),
    value: { kind: 'profile', profile: name },
  };
}

function formatLogin(login: LoginStatus): string {
  switch (login.state) {
    case 'signed-out':
      return vscode.l10n.t('signed out');
    case 'expired':
      return vscode.l10n.t('login expired');
    case 'refreshable':
      return vscode.l10n.t('signed in');
    case 'signed-in':
      return vscode.l10n.t('signed in for {0}', formatDuration(login.until.getTime() - Date.now()));
  }
}

/** Runs the command and returns the new profile, found by comparison with the profiles before. */
async function runAddProfile(env: Environment): Promise<string | undefined> {
  const { listProfiles } = await import('../../aws/credentials/profiles.ts');
  const before = new Set((await listProfiles(env)).map(({ name }) => name));
  await vscode.commands.executeCommand(Commands.addProfile);
  return (await listProfiles(env)).find(({ name }) => !before.has(name))?.name;
}
