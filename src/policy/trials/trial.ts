import type { JsonObject } from '../../mcp/message.ts';
import { getCount, getSliceAt, NOTHING, type Tally, withAmount } from '../counters/tally.ts';
import { decide } from '../decisions/decide.ts';
import {
  type EvaluationInput,
  parseHints,
  type Reservation,
  type RuleMatch,
  type ToolFacts,
} from '../decisions/facts.ts';
import { SchemaValidator } from '../decisions/schema-check.ts';
import { getSubjects, type Subject } from '../decisions/subjects.ts';
import type { Policy } from '../documents/policy.ts';

/** The decision of a policy about a message. */
interface TestOutcome {
  /** `unknown` if it depends on the server's tool list and none was given. */
  readonly effect: 'allow' | 'ask' | 'deny' | 'unknown';
  /** The rule that denies, asks, or needs more data. */
  readonly ruling: RuleMatch | undefined;
  /** Limits that count the message. */
  readonly limits: readonly Reservation[];
}

type TrialFacts = Partial<Pick<EvaluationInput, 'from' | 'caller' | 'runtime' | 'spent'>> & {
  /** The tool as the server lists it; `undefined` if it is unknown whether the server lists it. */
  readonly tool?: TrialTool | undefined;
};

export type TrialTool =
  | 'not announced'
  | {
      readonly annotations: unknown;
      /** `undefined` if unknown. Any other invalid schema counts as no schema. */
      readonly inputSchema: unknown;
    };

/** The tool in a `tools/list` result; `undefined` if there is no result. */
export function findTool(
  listed: readonly JsonObject[] | undefined,
  name: unknown,
): TrialTool | undefined {
  if (!listed) return undefined;
  const found = listed.filter((tool) => tool.name === name).at(-1);
  if (!found) return 'not announced';
  return { annotations: found.annotations, inputSchema: found.inputSchema ?? null };
}

/** Decides messages without sending them. Counts in memory only. */
export class PolicyTest {
  readonly #policies: readonly Policy[];
  readonly #tallies = new Map<string, Tally>();
  readonly #schemas = new SchemaValidator();
  readonly #serverName: (address: string) => string;
  readonly #now: () => number;

  /** @param serverName Returns the ARN or URL by which policies name the server at an address. */
  constructor(
    policies: readonly Policy[],
    serverName: (address: string) => string,
    now: () => number,
  ) {
    this.#policies = policies;
    this.#serverName = serverName;
    this.#now = now;
  }

  /** Loads the schema validator. */
  async prepare(): Promise<this> {
    await this.#schemas.prepare();
    return this;
  }

  /**
   * @param given `runtime` may be any address accepted by the proxy.
   * @throws {AgentCoreError} `usage` if the proxy rejects the address.
   */
  judge(method: string, params: JsonObject, given: TrialFacts = {}): TestOutcome {
    const facts = { ...given, runtime: this.#serverName(given.runtime ?? '') };
    const about = getSubjects(method, params);
    if ('fault' in about) {
      const ruling = {
        file: '',
        pointer: '',
        message: `It cannot be judged, because ${about.fault}`,
      };
      return { effect: 'deny', ruling, limits: [] };
    }
    const verdicts = (about.subjects.length > 0 ? about.subjects : [undefined]).map((subject) =>
      this.#judgeOne(method, params, subject, about.arguments, facts),
    );
    const strictest =
      verdicts.find(({ effect }) => effect === 'deny') ??
      verdicts.find(({ effect }) => effect === 'unknown') ??
      verdicts.find(({ effect }) => effect === 'ask') ??
      verdicts[0];
    return strictest as TestOutcome;
  }

  #judgeOne(
    method: string,
    params: JsonObject,
    subject: Subject | undefined,
    args: JsonObject,
    facts: TrialFacts & Pick<EvaluationInput, 'runtime'>,
  ): TestOutcome {
    const by = (tool: ToolFacts | undefined, schemaFault: EvaluationInput['schemaFault']) =>
      decide(this.#policies, {
        from: 'client',
        caller: undefined,
        spent: () => ({ usd: 0, sessions: 0 }),
        ...facts,
        tool,
        method,
        params,
        subject,
        arguments: args,
        count: (file, counter) => this.#count(file, counter),
        schemaFault,
      });
    // Unknown facts are assumed once in favor of the call, and once against it.
    const decision = by(...this.#factsOf(facts.tool, args, 'in favour'));
    if (decision.effect === 'deny') return { ...decision, limits: [] };
    const strict = by(...this.#factsOf(facts.tool, args, 'against'));
    if (strict.effect === 'deny') {
      const ruling = { ...strict.ruling, message: NOT_GIVEN };
      return { effect: 'unknown', ruling, limits: [] };
    }
    const limits = decision.reservations;
    const beyond = limits.find((one) => isBeyond(one, this.#count(one.file, one.counter)));
    if (beyond) return { effect: 'deny', ruling: beyond, limits };
    const [ask] = decision.asks;
    if (ask) return { effect: 'ask', ruling: ask, limits };
    for (const { file, counter, amount } of limits) {
      const key = `${file} ${counter.key}`;
      const tally = this.#tallies.get(key) ?? NOTHING;
      const { slice, until } = getSliceAt(counter.window, this.#now());
      this.#tallies.set(key, withAmount(tally, slice, amount, until));
    }
    return { effect: 'allow', ruling: undefined, limits };
  }

  #factsOf(
    tool: TrialTool | undefined,
    args: JsonObject,
    side: 'in favour' | 'against',
  ): [tool: ToolFacts | undefined, schemaFault: EvaluationInput['schemaFault']] {
    const given = typeof tool === 'object' ? tool : undefined;
    const isAnnounced = given !== undefined || (tool === undefined && side === 'in favour');
    const inputSchema = tool === 'not announced' ? null : given?.inputSchema;
    const unknown = () => (side === 'against' ? NOT_GIVEN : undefined);
    return [
      isAnnounced ? { hints: parseHints(given?.annotations), inputSchema } : undefined,
      inputSchema === undefined
        ? unknown
        : (extent) => this.#schemas.fault(inputSchema, args, extent),
    ];
  }

  #count(file: string, { key, window }: Reservation['counter']): number {
    return getCount(this.#tallies.get(`${file} ${key}`) ?? NOTHING, window, this.#now());
  }
}

const NOT_GIVEN = 'its schema was not given. Name a file with the result of tools/list by --tools';

function isBeyond({ amount, most, isExclusive }: Reservation, value: number): boolean {
  if (most === undefined) return false;
  return isExclusive ? value + amount >= most : value + amount > most;
}
