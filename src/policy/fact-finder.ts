import type { JsonObject } from '../mcp/message.ts';
import type { EvaluationInput, Spent } from './decisions/facts.ts';
import type { Policy } from './documents/policy.ts';
import { createCalendarWindow, type Window } from './documents/windows.ts';
import { getRequiredFacts } from './needs.ts';

const TODAY = createCalendarWindow('day');

/** The facts about a message and its sender, collected before the decision. */
export interface PolicyInput {
  readonly policies: readonly Policy[];
  readonly from: EvaluationInput['from'];
  readonly method: string;
  readonly params: JsonObject;
  readonly caller: string | undefined;
  /** Session usage by `words` of the window. */
  readonly spent: ReadonlyMap<string, Spent>;
}

export interface FactFinderOptions {
  /** Returns the ARN of the calling identity. Called once, and only if a document needs the ARN. */
  readonly caller: () => Promise<string>;
  /** Returns the usage of runtime sessions. Rejects if the usage cannot be determined. */
  readonly spent?: ((window: Window) => Promise<Spent>) | undefined;
}

const NOTHING_SPENT: ReadonlyMap<string, Spent> = new Map();

/** Collects the facts that the rules of some documents need, and no others. */
export class FactFinder {
  readonly #options: FactFinderOptions;
  #caller: Promise<string> | undefined;

  constructor(options: FactFinderOptions) {
    this.#options = options;
  }

  async gather(
    policies: readonly Policy[],
    from: EvaluationInput['from'],
    method: string,
    params: JsonObject,
  ): Promise<PolicyInput> {
    const needs = getRequiredFacts(policies);
    const windows = from === 'client' ? needs.windows : [];
    const caller = needs.caller ? this.#findCaller() : undefined;
    const spent = windows.length > 0 ? await this.#findSpent(windows) : NOTHING_SPENT;
    return { policies, from, method, params, caller: await caller, spent };
  }

  /** Details for the question to a person. Facts without a result are left out. */
  async gatherForPerson(): Promise<{ caller: string | undefined; spent: Spent | undefined }> {
    const [caller, spent] = await Promise.all([this.#findCaller(), this.#findSpent([TODAY])]);
    return { caller, spent: spent.get(TODAY.words) };
  }

  /** Retries after a failure, because the user may have signed in since. */
  async #findCaller(): Promise<string | undefined> {
    this.#caller ??= this.#options.caller();
    try {
      return await this.#caller;
    } catch {
      this.#caller = undefined;
      return undefined;
    }
  }

  /** Leaves out windows without a result; a budget then denies the call. */
  async #findSpent(windows: readonly Window[]): Promise<ReadonlyMap<string, Spent>> {
    const found = new Map<string, Spent>();
    for (const window of windows) {
      const amount = await this.#options.spent?.(window).catch(() => undefined);
      if (amount) found.set(window.words, amount);
    }
    return found;
  }
}
