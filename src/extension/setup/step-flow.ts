/** The answer of a step if the user presses Back. */
export const BACK = Symbol('back');

export type Back = typeof BACK;

/** The position within the flow. */
export interface StepPosition {
  /** Starts at 1. */
  readonly step: number;
  /** An estimate: an answer may add or skip steps. */
  readonly total: number;
  readonly canGoBack: boolean;
}

/** One question. The draft keeps earlier answers, so Back loses nothing. */
export interface FlowStep<Draft> {
  /** Whether the question applies to the draft. Default: always. */
  readonly applies?: ((draft: Draft) => boolean) | undefined;
  /** @throws an error to end the flow, such as `Cancelled`. */
  readonly ask: (draft: Draft, position: StepPosition) => Promise<Draft | Back>;
}

/** Runs the steps in order and handles Back, until the last step has an answer. */
export async function runWizard<Draft>(
  steps: readonly FlowStep<Draft>[],
  begin: Draft,
): Promise<Draft> {
  let draft = begin;
  const asked: number[] = [];
  for (let at = findNextStep(steps, draft, 0); at < steps.length; ) {
    const answer = await (steps[at] as FlowStep<Draft>).ask(draft, {
      step: asked.length + 1,
      total: asked.length + steps.slice(at).filter((step) => isAsked(step, draft)).length,
      canGoBack: asked.length > 0,
    });
    if (answer === BACK) {
      at = asked.pop() ?? at;
    } else {
      draft = answer;
      asked.push(at);
      at = findNextStep(steps, draft, at + 1);
    }
  }
  return draft;
}

function findNextStep<Draft>(
  steps: readonly FlowStep<Draft>[],
  draft: Draft,
  from: number,
): number {
  const at = steps.findIndex((step, index) => index >= from && isAsked(step, draft));
  return at < 0 ? steps.length : at;
}

function isAsked<Draft>({ applies }: FlowStep<Draft>, draft: Draft): boolean {
  return applies?.(draft) ?? true;
}
