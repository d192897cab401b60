import type { JsonObject } from '../../mcp/message.ts';
import { countIn, NOTHING, sliceAt, type Tally, withAmount } from '../counters/tally.ts';
import { decide } from '../decisions/decide.ts';
import type { Facts, Reservation, Ruling } from '../decisions/facts.ts';
import { SchemaCheck } from '../decisions/schema-check.ts';
import { type Subject, subjectsOf } from '../decisions/subjects.ts';
import type { Policy } from '../documents/policy.ts';

/** What a policy would say to a message. */
export interface Verdict {
  readonly effect: 'allow' | 'ask' | 'deny';
  /** The rule that refuses or asks. */
  readonly ruling: Ruling | undefined;
  /** Limits that the message is counted by. */
  readonly limits: readonly Reservation[];
}

export type TrialFacts = Partial<Pick<Facts, 'from' | 'caller' | 'runtime' | 'tool' | 'spent'>>;

/** Judges messages without sending any, and counts them in memory alone. */
export class Trial {
  readonly #policies: readonly Policy[];
  readonly #tallies = new Map<string, Tally>();
  readonly #schemas = new SchemaCheck();
  readonly #now: () => number;

  constructor(policies: readonly Policy[], now: () => number) {
    this.#policies = policies;
    this.#now = now;
  }

  /** Loads what it takes to check arguments against schemas. */
  async prepare(): Promise<this> {
    await this.#schemas.prepare();
    return this;
  }

  judge(method: string, params: JsonObject, facts: TrialFacts = {}): Verdict {
    const about = subjectsOf(method, params);
    if ('fault' in about) {
      const ruling = {
        file: '',
        pointer: '',
        sentence: `It cannot be judged, because ${about.fault}`,
      };
      return { effect: 'deny', ruling, limits: [] };
    }
    const verdicts = (about.subjects.length > 0 ? about.subjects : [undefined]).map((subject) =>
      this.#judgeOne(method, params, subject, about.arguments, facts),
    );
    const strictest =
      verdicts.find(({ effect }) => effect === 'deny') ??
      verdicts.find(({ effect }) => effect === 'ask') ??
      verdicts[0];
    return strictest as Verdict;
  }

  #judgeOne(
    method: string,
    params: JsonObject,
    subject: Subject | undefined,
    args: JsonObject,
    facts: TrialFacts,
  ): Verdict {
    const decision = decide(this.#policies, {
      from: 'client',
      runtime: '',
      caller: undefined,
      tool: undefined,
      spent: () => ({ usd: 0, sessions: 0 }),
      ...facts,
      method,
      params,
      subject,
      arguments: args,
      count: (file, counter) => this.#count(file, counter),
      schemaFault: (extent) => this.#schemas.fault(facts.tool?.inputSchema, args, extent),
    });
    if (decision.effect === 'deny') return { ...decision, limits: [] };
    const limits = decision.reservations;
    const beyond = limits.find((one) => isBeyond(one, this.#count(one.file, one.counter)));
    if (beyond) return { effect: 'deny', ruling: beyond, limits };
    const [ask] = decision.asks;
    if (ask) return { effect: 'ask', ruling: ask, limits };
    for (const { file, counter, amount } of limits) {
      const key = `${file} ${counter.key}`;
      const tally = this.#tallies.get(key) ?? NOTHING;
      const { slice, until } = sliceAt(tally, counter.window, this.#now());
      this.#tallies.set(key, withAmount(tally, slice, amount, until));
    }
    return { effect: 'allow', ruling: undefined, limits };
  }

  #count(file: string, { key, window }: Reservation['counter']): number {
    return countIn(this.#tallies.get(`${file} ${key}`) ?? NOTHING, window, this.#now());
  }
}

function isBeyond({ amount, most, isExclusive }: Reservation, value: number): boolean {
  if (most === undefined) return false;
  return isExclusive ? value + amount >= most : value + amount > most;
}
