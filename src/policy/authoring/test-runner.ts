import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import type { JsonObject } from '../../mcp/message.ts';
import { parseHints, type ToolFacts } from '../../relay/tool-catalog.ts';
import { MemoryCounterStore } from '../../state/counters.ts';
import type { Counter, Policy } from '../documents/model.ts';
import { DocumentText, type Problem } from '../documents/source-text.ts';
import { Counters } from '../engine/counters.ts';
import {
  deny,
  type EvaluationInput,
  type Reservation,
  type RuleMatch,
  type Subject,
} from '../engine/decision.ts';
import { evaluate, evaluateWithCounts } from '../engine/evaluate.ts';
import { SchemaValidator } from '../engine/schema-validator.ts';
import { getSubjects } from '../engine/subjects.ts';

/** Tests of policies: decides messages without a server, and runs files of examples. */

/** The decision of the policies about a message. */
interface TestOutcome {
  /** `unknown` if the decision depends on the server's tools, and these are not known. */
  readonly effect: 'allow' | 'ask' | 'deny' | 'unknown';
  /** The rule that denies, asks, or needs more data. */
  readonly match: RuleMatch | undefined;
  /** The limits that count the message. */
  readonly limits: readonly Reservation[];
}

/** Facts about a message. Missing ones have defaults. */
type TestFacts = Partial<Pick<EvaluationInput, 'from' | 'caller' | 'runtime' | 'spent'>> & {
  /** The tool as listed by the server; `undefined` if the server's list is not known. */
  readonly tool?: TestTool | undefined;
};

type TestTool =
  | 'not announced'
  | {
      readonly annotations: unknown;
      /** `undefined` if it is not known. Any other invalid schema counts as no schema. */
      readonly inputSchema: unknown;
    };

/** Finds a tool in the tools of a server. Returns `undefined` if the tools are not known. */
export function findTool(
  listed: readonly JsonObject[] | undefined,
  name: unknown,
): TestTool | undefined {
  if (!listed) return undefined;
  const found = listed.filter((tool) => tool.name === name).at(-1);
  if (!found) return 'not announced';
  return { annotations: found.annotations, inputSchema: found.inputSchema ?? null };
}

/** Decides messages by policies for a test. Sends nothing, and counts in memory only. */
export class PolicyTest {
  readonly #policies: readonly Policy[];
  readonly #schemas = new SchemaValidator();
  readonly #serverName: (address: string) => string;
  readonly #counters: Counters;

  /** @param serverName Converts an address to the server's name in policies, an ARN or URL. */
  constructor(
    policies: readonly Policy[],
    serverName: (address: string) => string,
    now: () => number,
  ) {
    this.#policies = policies;
    this.#serverName = serverName;
    this.#counters = new Counters(new MemoryCounterStore(), now);
  }

  /** Loads the schema validator. Must complete before {@link evaluate}. */
  async prepare(): Promise<this> {
    await this.#schemas.prepare();
    return this;
  }

  /**
   * Decides a message, and counts it if it is allowed.
   *
   * @param given `runtime` may be any address accepted by the proxy.
   * @throws {AgentCoreError} `usage` if the proxy rejects the address.
   */
  async evaluate(method: string, params: JsonObject, given: TestFacts = {}): Promise<TestOutcome> {
    const facts = { ...given, runtime: this.#serverName(given.runtime ?? '') };
    const about = getSubjects(method, params);
    if ('fault' in about) {
      return { ...deny(`It is invalid: ${about.fault}`), limits: [] };
    }
    const outcomes: TestOutcome[] = [];
    for (const subject of about.subjects.length > 0 ? about.subjects : [undefined]) {
      outcomes.push(await this.#evaluateSubject(method, params, subject, about.arguments, facts));
    }
    const strictest =
      outcomes.find(({ effect }) => effect === 'deny') ??
      outcomes.find(({ effect }) => effect === 'unknown') ??
      outcomes.find(({ effect }) => effect === 'ask') ??
      outcomes[0];
    return strictest as TestOutcome;
  }

  async #evaluateSubject(
    method: string,
    params: JsonObject,
    subject: Subject | undefined,
    args: JsonObject,
    facts: TestFacts & Pick<EvaluationInput, 'runtime'>,
  ): Promise<TestOutcome> {
    const scope = { session: '', caller: facts.caller, runtime: facts.runtime };
    const read = (file: string, counter: Counter) => this.#counters.value(file, counter, scope);
    const by = (tool: ToolFacts | undefined, schemaFault: EvaluationInput['schemaFault']) =>
      evaluateWithCounts(read, (count) =>
        evaluate(this.#policies, {
          from: 'client',
          caller: undefined,
          spent: () => ({ usd: 0, sessions: 0 }),
          ...facts,
          tool,
          method,
          params,
          subject,
          arguments: args,
          count,
          schemaFault,
        }),
      );
    // Assume unknown facts once in favor of the call, and once against it.
    const decision = await by(...this.#createFacts(facts.tool, args, 'in favour'));
    if (decision.effect === 'deny') return { ...decision, limits: [] };
    const strict = await by(...this.#createFacts(facts.tool, args, 'against'));
    if (strict.effect === 'deny') {
      return { effect: 'unknown', match: { ...strict.match, message: NOT_GIVEN }, limits: [] };
    }
    const limits = decision.reservations;
    const beyond = await this.#counters.exceeded(limits, scope);
    if (beyond) return { effect: 'deny', match: beyond, limits };
    const [approval] = decision.approvals;
    if (approval) return { effect: 'ask', match: approval, limits };
    await this.#counters.reserve(limits, scope);
    return { effect: 'allow', match: undefined, limits };
  }

  #createFacts(
    tool: TestTool | undefined,
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
}

const NOT_GIVEN = 'its schema was not given. Name a file with the result of tools/list by --tools';

const exampleSchema = z
  .strictObject({
    name: z.string().optional(),
    /** The tool to call. */
    call: z.string().optional(),
    args: z.record(z.string(), z.unknown()).optional(),
    method: z.string().optional(),
    params: z.record(z.string(), z.unknown()).optional(),
    from: z.enum(['client', 'server']).optional(),
    caller: z.string().optional(),
    runtime: z.string().optional(),
    annotations: z.record(z.string(), z.unknown()).optional(),
    inputSchema: z.record(z.string(), z.unknown()).optional(),
    times: z.number().int().min(1).max(100_000).optional(),
    expect: z.enum(['allow', 'ask', 'deny']),
    rule: z.string().optional(),
  })
  .superRefine(({ call, method }, context) => {
    if ((call === undefined) === (method === undefined)) {
      context.addIssue('an example has either "call" with the name of a tool, or "method"');
    }
  });

const fileSchema = z.strictObject({
  policy: z.union([z.string(), z.array(z.string()).min(1)], {
    error: 'expected the path of a document, or a list of them',
  }),
  examples: z
    .array(exampleSchema, { error: 'expected a list of examples' })
    .min(1, 'there is no example')
    .max(10_000),
});

/** A message in an example file, and its expected decision. */
interface Example {
  readonly name: string;
  readonly method: string;
  readonly params: JsonObject;
  readonly from: 'client' | 'server';
  readonly caller: string | undefined;
  readonly runtime: string | undefined;
  /** Annotations of the tool. They override the server's. */
  readonly annotations: JsonObject | undefined;
  readonly inputSchema: JsonObject | undefined;
  /** Number of times to send it. All but the last must be allowed. */
  readonly times: number;
  readonly expect: 'allow' | 'ask' | 'deny';
  /** JSON pointer of the expected rule. */
  readonly rule: string | undefined;
  /** Line in the file. */
  readonly line: number;
}

/** The content of an example file. */
interface ExampleFile {
  /** Absolute paths of the policy documents. */
  readonly policies: readonly string[];
  readonly examples: readonly Example[];
}

/** Parses a file of examples. Relative paths start at its folder. */
export function readExamples(
  text: string,
  file: string,
): ExampleFile | { readonly problems: readonly Problem[] } {
  const source = new DocumentText(text, file);
  if (source.problems.length > 0) return { problems: source.problems };
  const parsed = fileSchema.safeParse(source.value ?? {});
  if (!parsed.success) {
    return {
      problems: parsed.error.issues.flatMap((issue) => source.toProblems(issue)),
    };
  }
  const { policy, examples } = parsed.data;
  const policies = [policy].flat().map((path) => resolve(dirname(resolve(file)), path));
  return {
    policies,
    examples: examples.map((example, index) => {
      const { call, args = {}, method = 'tools/call', params, expect } = example;
      const name =
        example.name ?? `${call ?? method} ${JSON.stringify(call ? args : (params ?? {}))}`;
      return {
        name,
        method,
        params: call === undefined ? (params ?? {}) : { name: call, arguments: args },
        from: example.from ?? 'client',
        caller: example.caller,
        runtime: example.runtime,
        annotations: example.annotations,
        inputSchema: example.inputSchema,
        times: example.times ?? 1,
        expect,
        rule: example.rule,
        line: source.problem(['examples', index], '').line,
      };
    }),
  };
}

/** Settings for all examples of a file. */
interface TestSettings {
  /** The tools listed by the server. */
  readonly tools?: readonly JsonObject[] | undefined;
  /** ARN of the runtime if an example has none. */
  readonly runtime?: string | undefined;
  /** Converts an address to the server's name in policies, an ARN or URL. */
  readonly serverName: (address: string) => string;
}

/**
 * Runs an example. Returns the difference to the expected decision, or `undefined` if there is
 * none.
 */
export async function runExample(
  example: Example,
  policies: readonly Policy[],
  now: number,
  { tools, runtime = '', serverName }: TestSettings,
): Promise<string | undefined> {
  const test = await new PolicyTest(policies, serverName, () => now).prepare();
  const { method, params, times, expect, rule } = example;
  const facts = {
    from: example.from,
    caller: example.caller,
    runtime: example.runtime ?? runtime,
    tool: resolveTool(example, findTool(tools, params.name)),
  };
  for (let time = 1; time < times; time++) {
    const { effect, match } = await test.evaluate(method, params, facts);
    if (effect === 'allow') continue;
    return `time ${time} of ${times}: expected allow, got ${effect} by ${match?.pointer || 'no rule'}: ${match?.message}`;
  }
  const { effect, match } = await test.evaluate(method, params, facts);
  const by = match ? ` by ${match.pointer || 'no rule'}: ${match.message}` : '';
  if (effect !== expect) return `expected ${expect}, got ${effect}${by}`;
  if (rule !== undefined && match?.pointer !== rule) return `expected it by ${rule}, got it${by}`;
  return undefined;
}

/** Merges the tool of an example with the listed one. The example takes precedence. */
function resolveTool(
  { annotations, inputSchema }: Example,
  listed: TestTool | undefined,
): TestTool | undefined {
  if (annotations === undefined && inputSchema === undefined) return listed;
  const other = typeof listed === 'object' ? listed : undefined;
  return {
    annotations: annotations ?? other?.annotations,
    inputSchema: inputSchema ?? other?.inputSchema,
  };
}
