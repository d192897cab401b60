/** What a step answers when the person wants to see the one before again. */
export const BACK = Symbol('back');
export type Back = typeof BACK;

/** Where a person is among the steps. */
export interface StepPosition {
  /** From 1. */
  readonly step: number;
  /** As far as it is known now: an answer may add steps or spare them. */
  readonly total: number;
  readonly canGoBack: boolean;
}

/** One question. What was answered before stays in the draft, so that Back loses nothing. */
export interface FlowStep<Draft> {
  /** Whether there is anything to ask, by what is known. Default: always. */
  readonly applies?: ((draft: Draft) => boolean) | undefined;
  /** @throws whatever ends the flow, such as `Cancelled`. */
  readonly ask: (draft: Draft, position: StepPosition) => Promise<Draft | Back>;
}

/** Asks one step after the other, and back, until the last is answered. */
export async function runFlow<Draft>(
  steps: readonly FlowStep<Draft>[],
  begin: Draft,
): Promise<Draft> {
  let draft = begin;
  const asked: number[] = [];
  for (let at = nextStep(steps, draft, 0); at < steps.length; ) {
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
      at = nextStep(steps, draft, at + 1);
    }
  }
  return draft;
}

function nextStep<Draft>(steps: readonly FlowStep<Draft>[], draft: Draft, from: number): number {
  const at = steps.findIndex((step, index) => index >= from && isAsked(step, draft));
  return at < 0 ? steps.length : at;
}

function isAsked<Draft>({ applies }: FlowStep<Draft>, draft: Draft): boolean {
  return applies?.(draft) ?? true;
}
