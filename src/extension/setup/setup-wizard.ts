import { type RuntimeEntry, readEntry } from '../runtimes/runtime-entry.ts';
import { authorizationSteps } from './authorization-step.ts';
import { type CheckContext, checkStep } from './check-step.ts';
import type { ClientSecrets } from './client-secrets.ts';
import { endpointStep } from './endpoint-step.ts';
import { modeStep, nameStep } from './last-steps.ts';
import { profileStep } from './profile-step.ts';
import { roleStep } from './role-step.ts';
import { draftOf, EMPTY_DRAFT, type RuntimeDraft, writtenOf } from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';
import { type FlowStep, runFlow } from './step-flow.ts';
import { arnStep, targetStep } from './target-step.ts';

/**
 * How the target is chosen: from the discovered runtimes, or only by ARN. `given` and `local` skip
 * the question: the target is already known, or stays a local AgentCore.
 */
export type TargetChoice = 'discovered' | 'arn' | 'given' | 'local';

/**
 * Prompts for all fields of an entry, from the target to the name, and checks the access. Writes no
 * settings.
 *
 * @throws {Cancelled} if the user presses Escape.
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
    discovered: [targetStep(setup)],
    arn: [arnStep(setup)],
    given: [],
    local: [],
  }[choice];
  const onAws = [
    endpointStep(setup),
    ...authorizationSteps(setup, async (draft) => {
      if (edits === undefined) return false;
      const written = writtenOf({ ...draft, name: edits }, setup.store.written(edits));
      return secrets.has(readEntry(written));
    }),
    profileStep(setup),
    roleStep(setup),
    checkStep(setup, check),
  ];
  const steps = [...targets, ...(choice === 'local' ? [] : onAws)];
  return runFlow([...steps, modeStep(setup), nameStep(setup, edits)], begin);
}

/**
 * Prompts for changes of an existing entry, with its values filled in. A local entry keeps its
 * target.
 */
export function askForChanges(
  setup: SetupContext,
  entry: RuntimeEntry,
  options: { readonly check: CheckContext; readonly secrets: ClientSecrets },
): Promise<RuntimeDraft> {
  return askForRuntime(setup, {
    ...options,
    choice: entry.target.kind === 'local' ? 'local' : 'discovered',
    begin: draftOf(entry),
    edits: entry.name,
  });
}
