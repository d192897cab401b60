import * as vscode from 'vscode';
import type { Profile } from '../../aws/credentials/profiles.ts';
import { type RoleTarget, RoleTargets } from '../../aws/credentials/recent-roles.ts';
import type { LoginStatus } from '../../aws/sso/token-cache.ts';
import { type Environment, getStateDirectory } from '../../base/environment.ts';
import { formatDuration } from '../../base/format.ts';
import { UserCancelledError } from '../servers/preparation.ts';
import { Commands } from '../settings/contributions.ts';
import type { EntryRole } from '../settings/runtime-entry.ts';
import { showError } from '../ui/errors.ts';
import { formatProfileKind } from '../ui/labels.ts';
import {
  askText,
  BACK,
  type Back,
  createSeparator,
  type FlowStep,
  type PickItem,
  type PickList,
  pick,
  type StepPosition,
} from '../ui/wizard.ts';
import {
  type RuntimeDraft,
  readRoleArns,
  validateExternalId,
  validateRequired,
  validateRoleArns,
} from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';

// The caller steps of the setup: the profile and the role to assume.

type Answer =
  | { readonly kind: 'profile'; readonly profile: string | undefined }
  | { readonly kind: 'signIn'; readonly profile: string }
  | { readonly kind: 'add' };

/**
 * A profile and the state of its login. The state is absent if the profile uses no SSO login or is
 * not checked yet.
 */
interface ListedProfile {
  readonly profile: Profile;
  readonly login: LoginStatus | undefined;
}

/** Creates the profile step of the setup. */
export function createProfileStep(setup: SetupContext): FlowStep<RuntimeDraft> {
  return {
    applies: ({ authorization }) => authorization.kind === 'iam',
    async ask(draft, position) {
      const chosen = await pickProfile(setup, { profile: draft.profile, position });
      return chosen === BACK ? BACK : { ...draft, profile: chosen.profile };
    },
  };
}

/**
 * Prompts for a profile. The user can also sign in or add a profile.
 *
 * @returns `undefined` as `profile` if the user picks the credentials of the environment.
 */
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
  const [{ findSsoSession }, { readLoginStatus }] = await Promise.all([
    import('../../aws/sso/sso-session.ts'),
    import('../../aws/sso/token-cache.ts'),
  ]);
  try {
    const session = await findSsoSession({ profile: profile.name }, env);
    return { profile, login: await readLoginStatus(session, { env }) };
  } catch {
    // The error is shown when the profile is used.
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
        : vscode.l10n.t('credentials of the environment'),
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

/**
 * Runs the command "Add Profile". Returns the new profile, found by comparison with the profiles
 * before.
 */
async function runAddProfile(env: Environment): Promise<string | undefined> {
  const { listProfiles } = await import('../../aws/credentials/profiles.ts');
  const before = new Set((await listProfiles(env)).map(({ name }) => name));
  await vscode.commands.executeCommand(Commands.addProfile);
  return (await listProfiles(env)).find(({ name }) => !before.has(name))?.name;
}

type RolePick =
  | { readonly kind: 'none' }
  | RoleAnswer
  | { readonly kind: 'enter' }
  | { readonly kind: 'name'; readonly target: RoleTarget };

interface RoleAnswer {
  /** `unidentified` if the role requires an external ID and the entry does not contain it. */
  readonly kind: 'role' | 'unidentified';
  readonly role: EntryRole;
  /** The entry in the history of roles. */
  readonly target?: RoleTarget;
}

/** Creates the role step of the setup. */
export function createRoleStep(setup: SetupContext): FlowStep<RuntimeDraft> {
  return {
    applies: ({ authorization }) => authorization.kind === 'iam',
    async ask(draft, position) {
      const chosen = await pickRole(setup, { role: draft.role, position });
      return chosen === BACK ? BACK : { ...draft, role: chosen.role };
    },
  };
}

/**
 * Prompts for a role to assume.
 *
 * @returns `undefined` as `role` if the user picks the credentials of the profile itself.
 */
export async function pickRole(
  setup: SetupContext,
  options: { readonly role: EntryRole | undefined; readonly position?: StepPosition | undefined },
): Promise<{ readonly role: EntryRole | undefined } | Back> {
  const { role, position } = options;
  const targets = new RoleTargets(getStateDirectory(setup.env()));
  for (;;) {
    let text = '';
    const answer = await pick<RolePick>({
      title: setup.title,
      position,
      placeholder: vscode.l10n.t('Pick a role to assume, or type its ARN'),
      items: createRoleItems([], role),
      isActive: (one) =>
        one.kind === 'none' ? !role : one.kind === 'role' && isSame(one.role, role),
      fill: async (list) => list.show(createRoleItems(await targets.list(), role)),
      typed: (now) => {
        text = now;
        return validateRoleArns(now) === undefined
          ? {
              label: `$(check) ${vscode.l10n.t('Assume this role')}`,
              detail: now,
              value: { kind: 'role', role: createEntryRole(readRoleArns(now)) },
            }
          : undefined;
      },
      onItemButton: (one, _tooltip, list) => {
        if (one.kind !== 'name' && 'target' in one && one.target) {
          list.answer({ kind: 'name', target: one.target });
        }
      },
    });
    if (answer === BACK) return BACK;
    switch (answer.kind) {
      case 'none':
        return { role: undefined };
      case 'role':
        return { role: answer.role };
      case 'unidentified': {
        const externalId = await askExternalId(setup, undefined, position);
        if (externalId !== BACK) return { role: { ...answer.role, externalId } };
        break;
      }
      case 'enter': {
        const entered = await askRole(setup, role, { position, text });
        if (entered !== BACK) return { role: entered };
        break;
      }
      case 'name':
        await askTargetName(setup, targets, answer.target, position);
    }
  }
}

/**
 * Adds a role to the history of recent roles. Ignores errors, because the history is only a
 * convenience.
 */
export async function addRecentRole(
  { role, profile }: Pick<RuntimeDraft, 'role' | 'profile'>,
  env: Environment,
): Promise<void> {
  if (!role) return;
  const { arns, sessionName = 'mcpAgentCoreProxy', externalId, ...rest } = role;
  const chain = arns.slice(0, -1);
  await new RoleTargets(getStateDirectory(env))
    .touch({
      ...rest,
      arn: arns.at(-1) as string,
      sessionName,
      wantsExternalId: externalId === undefined ? undefined : true,
      ...(chain.length > 0 && { chain }),
      ...(profile !== undefined && { sourceProfile: profile }),
    })
    .catch(() => undefined);
}

export function createRoleItems(
  targets: readonly RoleTarget[],
  current: EntryRole | undefined,
): readonly PickItem<RolePick>[] {
  const named = targets.filter(({ name }) => name !== undefined);
  const recent = targets.filter(({ name }) => name === undefined);
  const isListed = targets.some((target) => isTarget(target, current));
  return [
    {
      label: vscode.l10n.t('No role'),
      description: vscode.l10n.t('credentials of the profile'),
      value: { kind: 'none' },
    },
    {
      label: `$(edit) ${vscode.l10n.t('Enter a Role…')}`,
      description: vscode.l10n.t('or a chain of roles'),
      value: { kind: 'enter' },
      alwaysShow: true,
    },
    ...(current && !isListed
      ? [createSeparator(vscode.l10n.t('Now')), createRoleItem({ kind: 'role', role: current })]
      : []),
    ...(named.length > 0 ? [createSeparator(vscode.l10n.t('Named'))] : []),
    ...named.map((target) => createTargetItem(target, current)),
    ...(recent.length > 0 ? [createSeparator(vscode.l10n.t('Recent'))] : []),
    ...recent.map((target) => createTargetItem(target, current)),
  ];
}

function createTargetItem(target: RoleTarget, current: EntryRole | undefined): PickItem<RolePick> {
  const answer = toRoleAnswer(target, current);
  const words = formatRoleTarget(answer.role);
  const from = target.sourceProfile && vscode.l10n.t('from {0}', target.sourceProfile);
  const asks = answer.kind === 'unidentified' && vscode.l10n.t('takes an external id');
  return {
    ...createRoleItem(answer),
    label: target.name ?? words.label,
    description: [target.name && words.label, words.description, from, asks]
      .filter(Boolean)
      .join(' · '),
    ...(target.name === undefined && {
      buttons: [
        { iconPath: new vscode.ThemeIcon('tag'), tooltip: vscode.l10n.t('Give It a Name') },
      ],
    }),
  };
}

function createRoleItem(value: RoleAnswer): PickItem<RolePick> {
  return { ...formatRoleTarget(value.role), detail: value.role.arns.join(' → '), value };
}

/**
 * Converts a role of the history to an answer. If it is the current role, uses the entry, because
 * only the entry contains the external ID.
 */
function toRoleAnswer(target: RoleTarget, current: EntryRole | undefined): RoleAnswer {
  if (current && isTarget(target, current)) return { kind: 'role', role: current, target };
  const kind = target.wantsExternalId ? 'unidentified' : 'role';
  return { kind, role: toEntryRole(target), target };
}

function formatRoleTarget({ arns }: EntryRole): {
  readonly label: string;
  readonly description: string;
} {
  const arn = arns.at(-1) ?? '';
  const [, , , , account = ''] = arn.split(':');
  return { label: arn.slice(arn.lastIndexOf('/') + 1), description: account };
}

async function askRole(
  setup: SetupContext,
  before: EntryRole | undefined,
  options: {
    readonly position: StepPosition | undefined;
    /** The text typed in the list, for correction. */
    readonly text: string;
  },
): Promise<EntryRole | Back> {
  const { position, text } = options;
  let arns = text.startsWith('arn:') ? text : (before?.arns.join(', ') ?? '');
  for (;;) {
    const entered = await askText({
      title: setup.title,
      position,
      canGoBack: true,
      prompt: vscode.l10n.t(
        'The ARN of the role, or the ARNs of a role chain, separated by commas',
      ),
      placeholder: 'arn:aws:iam::ACCOUNT:role/NAME',
      value: arns,
      check: validateRoleArns,
    });
    if (entered === BACK) return BACK;
    arns = entered;
    const externalId = await askExternalId(setup, before?.externalId, position);
    if (externalId === BACK) continue;
    return { ...before, ...createEntryRole(readRoleArns(arns)), externalId };
  }
}

async function askExternalId(
  { title }: SetupContext,
  value: string | undefined,
  position: StepPosition | undefined,
): Promise<string | undefined | Back> {
  const entered = await askText({
    title,
    position,
    canGoBack: true,
    prompt: vscode.l10n.t(
      'The external ID that the role requires. Leave it empty if there is none.',
    ),
    placeholder: vscode.l10n.t('External id'),
    value,
    check: validateExternalId,
  });
  return entered === BACK ? BACK : entered || undefined;
}

async function askTargetName(
  { title }: SetupContext,
  targets: RoleTargets,
  target: RoleTarget,
  position: StepPosition | undefined,
): Promise<void> {
  const name = await askText({
    title,
    position,
    canGoBack: true,
    prompt: vscode.l10n.t('A name for {0}', target.arn),
    placeholder: vscode.l10n.t('Name of the role'),
    check: validateRequired,
  });
  if (name === BACK) return;
  await targets.remove(target);
  await targets.add({ ...target, name });
}

function createEntryRole(arns: readonly string[]): EntryRole {
  return {
    arns,
    sessionName: undefined,
    externalId: undefined,
    mfaSerial: undefined,
    sourceIdentity: undefined,
  };
}

function toEntryRole(target: RoleTarget): EntryRole {
  const { chain = [], arn, sessionName, mfaSerial, sourceIdentity } = target;
  return { arns: [...chain, arn], sessionName, externalId: undefined, mfaSerial, sourceIdentity };
}

/**
 * Compares a role of the history with the role of an entry. The history contains only whether the
 * role requires an external ID, not its value.
 */
function isTarget(target: RoleTarget, role: EntryRole | undefined): boolean {
  const takesOne = role?.externalId !== undefined;
  return (
    Boolean(target.wantsExternalId) === takesOne &&
    isSame(toEntryRole(target), role && { ...role, externalId: undefined })
  );
}

function isSame(one: EntryRole, other: EntryRole | undefined): boolean {
  return one.arns.join() === other?.arns.join() && one.externalId === other.externalId;
}
