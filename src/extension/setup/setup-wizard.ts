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
 * How the person says which runtime it is: of those that are found, or by its ARN alone. One that is
 * `given` is known already, and one that is `local` stays as it is.
 */
export type TargetChoice = 'discovered' | 'arn' | 'given' | 'local';

/**
 * Asks for all that makes an entry, from the runtime to the name, and checks it on the way. Nothing
 * is written meanwhile.
 *
 * @throws {Cancelled} after Escape.
 */
export function askForRuntime(
  setup: SetupContext,
  options: {
    readonly check: CheckContext;
    readonly secrets: ClientSecrets;
    readonly choice: TargetChoice;
    /** What is known to begin with. */
    readonly begin?: RuntimeDraft | undefined;
    /** The name of the entry that is edited. */
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

/** The same for an entry that is there, with what it says filled in. A local one stays where it is. */
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
