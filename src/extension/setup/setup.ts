import * as vscode from 'vscode';
import type { SessionMode } from '../../sessions/runtime-session.ts';
import type { ClientSecrets } from '../servers/secrets.ts';
import { type RuntimeEntry, readEntry } from '../settings/runtime-entry.ts';
import {
  askText,
  BACK,
  type Back,
  type FlowStep,
  type PickItem,
  pick,
  runWizard,
  type StepPosition,
} from '../ui/wizard.ts';
import { createAuthorizationSteps } from './authorization-step.ts';
import { createCheckStep } from './check-step.ts';
import { createProfileStep, createRoleStep } from './identity-steps.ts';
import {
  EMPTY_DRAFT,
  isGateway,
  type RuntimeDraft,
  suggestName,
  toDraft,
  toWrittenEntry,
  validateName,
} from './runtime-draft.ts';
import type { CheckContext, SetupContext } from './setup-context.ts';
import { createArnStep, createEndpointStep, createTargetStep } from './target-step.ts';

/**
 * The first question of the wizard. `discovered`: the discovered targets. `arn`: an ARN. `given`:
 * none, because the draft has a target. `local`: none, because the entry stays on a local
 * AgentCore.
 */
export type TargetChoice = 'discovered' | 'arn' | 'given' | 'local';

/**
 * Prompts for all fields of an entry, from the target to the name, and checks the access. Writes no
 * settings.
 *
 * @throws {UserCancelledError} if the user presses Escape.
 */
export function askForRuntime(
  setup: SetupContext,
  options: {
    readonly check: CheckContext;
    readonly secrets: ClientSecrets;
    readonly choice: TargetChoice;
    /** The initial draft. */
    readonly begin?: RuntimeDraft | undefined;
    /** The name of the edited entry. */
    readonly edits?: string | undefined;
  },
): Promise<RuntimeDraft> {
  const { check, secrets, choice, begin = EMPTY_DRAFT, edits } = options;
  const targets: readonly FlowStep<RuntimeDraft>[] = {
    discovered: [createTargetStep(setup)],
    arn: [createArnStep(setup)],
    given: [],
    local: [],
  }[choice];
  const onAws = [
    createEndpointStep(setup),
    ...createAuthorizationSteps(setup, async (draft) => {
      if (edits === undefined) return false;
      const written = toWrittenEntry({ ...draft, name: edits }, setup.store.written(edits));
      return secrets.has(readEntry(written));
    }),
    createProfileStep(setup),
    createRoleStep(setup),
    createCheckStep(setup, check),
  ];
  const steps = [...targets, ...(choice === 'local' ? [] : onAws)];
  return runWizard([...steps, createModeStep(setup), createNameStep(setup, edits)], begin);
}

/**
 * Prompts for changes of an existing entry. The questions show its values. A local entry cannot get
 * another target.
 */
export function askForChanges(
  setup: SetupContext,
  entry: RuntimeEntry,
  options: { readonly check: CheckContext; readonly secrets: ClientSecrets },
): Promise<RuntimeDraft> {
  return askForRuntime(setup, {
    ...options,
    choice: entry.target.kind === 'local' ? 'local' : 'discovered',
    begin: toDraft(entry),
    edits: entry.name,
  });
}

/** Creates the session mode step of the setup. */
function createModeStep(setup: SetupContext): FlowStep<RuntimeDraft> {
  return {
    async ask(draft, position) {
      const mode = await pickMode(setup, draft, position);
      return mode === BACK ? BACK : { ...draft, sessionMode: mode };
    },
  };
}

export function pickMode(
  { title }: SetupContext,
  draft: Pick<RuntimeDraft, 'arn' | 'sessionMode'>,
  position?: StepPosition,
): Promise<SessionMode | Back> {
  return pick<SessionMode>({
    title,
    position,
    placeholder: vscode.l10n.t('Pick how sessions of the runtime are used'),
    items: createModeItems(!isGateway(draft)),
    isActive: (mode) => mode === draft.sessionMode,
  });
}

/** @param canShare `false` for a gateway, which has no sessions to share. */
function createModeItems(canShare: boolean): readonly PickItem<SessionMode>[] {
  const shared = {
    label: vscode.l10n.t('One for each identity'),
    description: 'identity',
    detail: vscode.l10n.t('All windows and machines of the same AWS identity share a session.'),
    value: 'identity' as const,
  };
  return [
    {
      label: vscode.l10n.t('One for each server'),
      description: 'session',
      detail: vscode.l10n.t('The server keeps its session while it runs, and stops it on exit.'),
      value: 'session',
    },
    ...(canShare ? [shared] : []),
    {
      label: vscode.l10n.t('One for each request'),
      description: 'request',
      detail: vscode.l10n.t(
        'Each request gets its own session, which is stopped after the response.',
      ),
      value: 'request',
    },
  ];
}

/** @param own The name of the edited entry. It counts as unused. */
function createNameStep({ title, store }: SetupContext, own?: string): FlowStep<RuntimeDraft> {
  return {
    async ask(draft, position) {
      const taken = store.entries.flatMap(({ name }) => (name === own ? [] : [name]));
      const name = await askText({
        title,
        position,
        prompt: vscode.l10n.t('The name of the server in chat and in the views'),
        placeholder: vscode.l10n.t('Name'),
        value: draft.name ?? suggestName(draft, taken),
        check: (text) => validateName(text, taken),
      });
      return name === BACK ? BACK : { ...draft, name };
    },
  };
}
