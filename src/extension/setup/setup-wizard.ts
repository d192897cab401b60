import { type RuntimeEntry, readEntry } from '../runtimes/runtime-entry.ts';
import { createAuthorizationSteps } from './authorization-step.ts';
import { type CheckContext, createCheckStep } from './check-step.ts';
import type { ClientSecrets } from './client-secrets.ts';
import { createEndpointStep } from './endpoint-step.ts';
import { createModeStep, createNameStep } from './last-steps.ts';
import { createProfileStep } from './profile-step.ts';
import { createRoleStep } from './role-step.ts';
import { EMPTY_DRAFT, type RuntimeDraft, toDraft, toWrittenEntry } from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';
import { type FlowStep, runWizard } from './step-flow.ts';
import { createArnStep, createTargetStep } from './target-step.ts';

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
    begin: toDraft(entry),
    edits: entry.name,
  });
}
