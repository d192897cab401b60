import type { JsonObject } from '../mcp/message.ts';
import type { Facts, Spent } from './decisions/facts.ts';
import type { Policy } from './documents/policy.ts';
import { calendarWindow, type Window } from './documents/windows.ts';
import { needsOf } from './needs.ts';

const TODAY = calendarWindow('day');

/** What is known of a message and its sender before it is judged. */
export interface Gathered {
  readonly policies: readonly Policy[];
  readonly from: Facts['from'];
  readonly method: string;
  readonly params: JsonObject;
  readonly caller: string | undefined;
  /** What sessions have come to, by the words of the window. */
  readonly spent: ReadonlyMap<string, Spent>;
}

export interface FactFinderOptions {
  /** ARN of the identity that calls; asked for once, and only where a document needs it. */
  readonly caller: () => Promise<string>;
  /** What runtime sessions have come to. Rejects where that cannot be told. */
  readonly spent?: ((window: Window) => Promise<Spent>) | undefined;
}

const NOTHING_SPENT: ReadonlyMap<string, Spent> = new Map();

/** Finds out what the rules of some documents need to know, and nothing else. */
export class FactFinder {
  readonly #options: FactFinderOptions;
  #caller: Promise<string> | undefined;

  constructor(options: FactFinderOptions) {
    this.#options = options;
  }

  async gather(
    policies: readonly Policy[],
    from: Facts['from'],
    method: string,
    params: JsonObject,
  ): Promise<Gathered> {
    const needs = needsOf(policies);
    const windows = from === 'client' ? needs.windows : [];
    const caller = needs.caller ? this.#findCaller() : undefined;
    const spent = windows.length > 0 ? await this.#findSpent(windows) : NOTHING_SPENT;
    return { policies, from, method, params, caller: await caller, spent };
  }

  /** What a person is told beside the message that they are asked about; what cannot be told is left out. */
  async gatherForPerson(): Promise<{ caller: string | undefined; spent: Spent | undefined }> {
    const [caller, spent] = await Promise.all([this.#findCaller(), this.#findSpent([TODAY])]);
    return { caller, spent: spent.get(TODAY.words) };
  }

  /** Asked again after a failure: credentials may have come meanwhile. */
  async #findCaller(): Promise<string | undefined> {
    this.#caller ??= this.#options.caller();
    try {
      return await this.#caller;
    } catch {
      this.#caller = undefined;
      return undefined;
    }
  }

  /** What cannot be told is left out, and a budget then refuses. */
  async #findSpent(windows: readonly Window[]): Promise<ReadonlyMap<string, Spent>> {
    const found = new Map<string, Spent>();
    for (const window of windows) {
      const amount = await this.#options.spent?.(window).catch(() => undefined);
      if (amount) found.set(window.words, amount);
    }
    return found;
  }
}
