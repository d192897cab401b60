import * as vscode from 'vscode';
import { type RoleTarget, RoleTargets } from '../../aws/credentials/role-targets.ts';
import { stateFolder } from '../../journal/state-folder.ts';
import type { EntryRole } from '../runtimes/runtime-entry.ts';
import type { Environment } from '../window-environment.ts';
import { input, type PickItem, pick, separator } from './quick-steps.ts';
import type { RuntimeDraft } from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';
import { BACK, type Back, type FlowStep, type StepPosition } from './step-flow.ts';
import {
  externalIdVerdict,
  readRoleArns,
  requiredVerdict,
  roleArnsVerdict,
} from './typed-input.ts';

type Answer =
  | { readonly kind: 'none' }
  | { readonly kind: 'role'; readonly role: EntryRole }
  | { readonly kind: 'enter' }
  | { readonly kind: 'name'; readonly target: RoleTarget };

/** Which role to assume on top of the profile, if any. */
export function roleStep(setup: SetupContext): FlowStep<RuntimeDraft> {
  return {
    applies: ({ authorization }) => authorization.kind === 'iam',
    async ask(draft, position) {
      const chosen = await pickRole(setup, { role: draft.role, position });
      return chosen === BACK ? BACK : { ...draft, role: chosen.role };
    },
  };
}

/** @returns no role where the profile's own credentials are meant. */
export async function pickRole(
  setup: SetupContext,
  options: { readonly role: EntryRole | undefined; readonly position?: StepPosition | undefined },
): Promise<{ readonly role: EntryRole | undefined } | Back> {
  const { role, position } = options;
  const targets = new RoleTargets(stateFolder(setup.env()));
  for (;;) {
    const answer = await pick<Answer>({
      title: setup.title,
      position,
      placeholder: vscode.l10n.t('Pick a role to assume, or type its ARN'),
      items: roleItems([], role),
      isActive: (one) =>
        one.kind === 'none' ? !role : one.kind === 'role' && isSame(one.role, role),
      fill: async (list) => list.show(roleItems(await targets.list(), role)),
      typed: (text) =>
        roleArnsVerdict(text) === undefined
          ? {
              label: `$(check) ${vscode.l10n.t('Assume this role')}`,
              detail: text,
              value: { kind: 'role', role: roleOfArns(readRoleArns(text)) },
            }
          : undefined,
      onItemButton: async (one, _tooltip, list) => {
        const target = one.kind === 'role' && (await find(targets, one.role));
        if (target) list.answer({ kind: 'name', target });
      },
    });
    if (answer === BACK) return BACK;
    switch (answer.kind) {
      case 'none':
        return { role: undefined };
      case 'role':
        return { role: answer.role };
      case 'enter': {
        const entered = await enterRole(setup, role, position);
        if (entered !== BACK) return { role: entered };
        break;
      }
      case 'name':
        await nameTarget(setup, targets, answer.target, position);
    }
  }
}

/** Keeps in mind that a role was used, for the next time. It is a convenience, so it may fail. */
export async function rememberRole(
  { role, profile }: Pick<RuntimeDraft, 'role' | 'profile'>,
  env: Environment,
): Promise<void> {
  if (!role) return;
  const { arns, sessionName = 'mcpAgentCoreProxy', ...rest } = role;
  const chain = arns.slice(0, -1);
  await new RoleTargets(stateFolder(env))
    .touch({
      ...rest,
      arn: arns.at(-1) as string,
      sessionName,
      ...(chain.length > 0 && { chain }),
      ...(profile !== undefined && { sourceProfile: profile }),
    })
    .catch(() => undefined);
}

export function roleItems(
  targets: readonly RoleTarget[],
  current: EntryRole | undefined,
): readonly PickItem<Answer>[] {
  const named = targets.filter(({ name }) => name !== undefined);
  const recent = targets.filter(({ name }) => name === undefined);
  const isListed = targets.some((target) => isSame(roleOfTarget(target), current));
  return [
    {
      label: vscode.l10n.t('No role'),
      description: vscode.l10n.t('the profile as it is'),
      value: { kind: 'none' },
    },
    {
      label: `$(edit) ${vscode.l10n.t('Enter a Role…')}`,
      description: vscode.l10n.t('or several to assume in turn'),
      value: { kind: 'enter' },
      alwaysShow: true,
    },
    ...(current && !isListed
      ? [separator(vscode.l10n.t('Now')), roleItem({ ...targetWords(current), role: current })]
      : []),
    ...(named.length > 0 ? [separator(vscode.l10n.t('Named'))] : []),
    ...named.map(targetItem),
    ...(recent.length > 0 ? [separator(vscode.l10n.t('Recent'))] : []),
    ...recent.map(targetItem),
  ];
}

function targetItem(target: RoleTarget): PickItem<Answer> {
  const role = roleOfTarget(target);
  const words = targetWords(role);
  const from = target.sourceProfile && vscode.l10n.t('from {0}', target.sourceProfile);
  return roleItem({
    label: target.name ?? words.label,
    description: [target.name && words.label, words.description, from].filter(Boolean).join(' · '),
    role,
    canBeNamed: target.name === undefined,
  });
}

function roleItem(options: {
  readonly label: string;
  readonly description: string;
  readonly role: EntryRole;
  readonly canBeNamed?: boolean;
}): PickItem<Answer> {
  const { label, description, role, canBeNamed = false } = options;
  return {
    label,
    description,
    detail: role.arns.join(' → '),
    ...(canBeNamed && {
      buttons: [
        { iconPath: new vscode.ThemeIcon('tag'), tooltip: vscode.l10n.t('Give It a Name') },
      ],
    }),
    value: { kind: 'role', role },
  };
}

function targetWords({ arns }: EntryRole): {
  readonly label: string;
  readonly description: string;
} {
  const arn = arns.at(-1) ?? '';
  const [, , , , account = ''] = arn.split(':');
  return { label: arn.slice(arn.lastIndexOf('/') + 1), description: account };
}

async function enterRole(
  { title }: SetupContext,
  before: EntryRole | undefined,
  position: StepPosition | undefined,
): Promise<EntryRole | Back> {
  const inner = position && { ...position, canGoBack: true };
  let arns = before?.arns.join(', ') ?? '';
  for (;;) {
    const entered = await input({
      title,
      position: inner,
      prompt: vscode.l10n.t('The ARN of the role; several with commas between are assumed in turn'),
      placeholder: 'arn:aws:iam::ACCOUNT:role/NAME',
      value: arns,
      check: roleArnsVerdict,
    });
    if (entered === BACK) return BACK;
    arns = entered;
    const externalId = await input({
      title,
      position: inner,
      prompt: vscode.l10n.t(
        'The external id that the role asks for; leave it empty if there is none',
      ),
      placeholder: vscode.l10n.t('External id'),
      value: before?.externalId,
      check: externalIdVerdict,
    });
    if (externalId === BACK) continue;
    return { ...before, ...roleOfArns(readRoleArns(arns)), externalId: externalId || undefined };
  }
}

async function nameTarget(
  { title }: SetupContext,
  targets: RoleTargets,
  target: RoleTarget,
  position: StepPosition | undefined,
): Promise<void> {
  const name = await input({
    title,
    position: position && { ...position, canGoBack: true },
    prompt: vscode.l10n.t('A name for {0}', target.arn),
    placeholder: vscode.l10n.t('Name of the role'),
    check: requiredVerdict,
  });
  if (name === BACK) return;
  await targets.remove(target);
  await targets.add({ ...target, name });
}

function roleOfArns(arns: readonly string[]): EntryRole {
  return {
    arns,
    sessionName: undefined,
    externalId: undefined,
    mfaSerial: undefined,
    sourceIdentity: undefined,
  };
}

function roleOfTarget(target: RoleTarget): EntryRole {
  // The external id is not kept with it.
  const { chain = [], arn, sessionName, mfaSerial, sourceIdentity } = target;
  return { arns: [...chain, arn], sessionName, externalId: undefined, mfaSerial, sourceIdentity };
}

async function find(targets: RoleTargets, role: EntryRole): Promise<RoleTarget | undefined> {
  return (await targets.list()).find((target) => isSame(roleOfTarget(target), role));
}

function isSame(one: EntryRole, other: EntryRole | undefined): boolean {
  return one.arns.join() === other?.arns.join() && one.externalId === other.externalId;
}
