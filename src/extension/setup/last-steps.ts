import * as vscode from 'vscode';
import type { SessionMode } from '../../sessions/runtime-session.ts';
import { askText, type PickItem, pick } from './quick-steps.ts';
import { isGateway, type RuntimeDraft, suggestName } from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';
import { BACK, type Back, type FlowStep, type StepPosition } from './step-flow.ts';
import { validateName } from './typed-input.ts';

/** Prompts for the session mode: the lifetime and the sharing of the runtime's sessions. */
export function createModeStep(setup: SetupContext): FlowStep<RuntimeDraft> {
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
      detail: vscode.l10n.t('The server keeps its session while it runs, and stops it in the end.'),
      value: 'session',
    },
    ...(canShare ? [shared] : []),
    {
      label: vscode.l10n.t('One for each request'),
      description: 'request',
      detail: vscode.l10n.t('Each request gets a session of its own, which is stopped after it.'),
      value: 'request',
    },
  ];
}

/** @param own The current name of the edited entry, which counts as free. */
export function createNameStep(
  { title, store }: SetupContext,
  own?: string,
): FlowStep<RuntimeDraft> {
  return {
    async ask(draft, position) {
      const taken = store.entries.flatMap(({ name }) => (name === own ? [] : [name]));
      const name = await askText({
        title,
        position,
        prompt: vscode.l10n.t('The name of the server, as chat and the views show it'),
        placeholder: vscode.l10n.t('Name'),
        value: draft.name ?? suggestName(draft, taken),
        check: (text) => validateName(text, taken),
      });
      return name === BACK ? BACK : { ...draft, name };
    },
  };
}
