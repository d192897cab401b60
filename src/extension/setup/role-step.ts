import * as vscode from 'vscode';
import { type RoleTarget, RoleTargets } from '../../aws/credentials/recent-roles.ts';
import { type Environment, getStateDirectory } from '../../base/environment.ts';
import type { EntryRole } from '../runtimes/runtime-entry.ts';
import { askText, createSeparator, type PickItem, pick } from './quick-steps.ts';
import type { RuntimeDraft } from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';
import { BACK, type Back, type FlowStep, type StepPosition } from './step-flow.ts';
import {
  readRoleArns,
  validateExternalId,
  validateRequired,
  validateRoleArns,
} from './typed-input.ts';

type RolePick =
  | { readonly kind: 'none' }
  | RoleAnswer
  | { readonly kind: 'enter' }
  | { readonly kind: 'name'; readonly target: RoleTarget };

interface RoleAnswer {
  /** `unidentified` if the role requires an external ID that is not stored here. */
  readonly kind: 'role' | 'unidentified';
  readonly role: EntryRole;
  /** The key in the role history. */
  readonly target?: RoleTarget;
}

/** Prompts for the role to assume with the profile, if any. */
export function createRoleStep(setup: SetupContext): FlowStep<RuntimeDraft> {
  return {
    applies: ({ authorization }) => authorization.kind === 'iam',
    async ask(draft, position) {
      const chosen = await pickRole(setup, { role: draft.role, position });
      return chosen === BACK ? BACK : { ...draft, role: chosen.role };
    },
  };
}

/** @returns `undefined` as `role` if the user picks the profile's own credentials. */
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
 * Adds a role to the history of recent roles. Ignores errors, because this is only a convenience.
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

/** The current role keeps its external ID, which is stored only in the entry. */
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
    /** The text from the list, so that the user can correct a typing error. */
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
      prompt: vscode.l10n.t('The ARN of the role; several with commas between are assumed in turn'),
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
      'The external id that the role asks for; leave it empty if there is none',
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

/** The history contains only whether a role requires an external ID, not its value. */
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
