import type { Policy } from '../../src/policy/documents/model.ts';
import { parsePolicy } from '../../src/policy/documents/parser.ts';
import { formatProblem } from '../../src/policy/documents/source-text.ts';
import type { EvaluationInput, Reservation } from '../../src/policy/engine/decision.ts';
import { evaluate, findHidingRule } from '../../src/policy/engine/evaluate.ts';
import { SchemaValidator } from '../../src/policy/engine/schema-validator.ts';
import { getSubjects } from '../../src/policy/engine/subjects.ts';

const RUNTIME = 'arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/shop-abcdefghij';

/** Parses a policy. Fails with its mistakes. */
export function policyOf(text: string, file = 'policy.yaml'): Policy {
  const { policy, problems } = parsePolicy(text, file);
  if (!policy) throw new Error(problems.map(formatProblem).join('\n'));
  return policy;
}

/** The mistakes in a text, one per line. */
export function mistakesIn(text: string, file = 'policy.yaml'): string[] {
  return parsePolicy(text, file).problems.map(formatProblem);
}

/** Decides successive calls, and counts them in memory. */
export class Judge {
  readonly schemas = new SchemaValidator();
  readonly #policies: readonly Policy[];
  readonly #facts: Partial<EvaluationInput>;
  readonly #counts = new Map<string, number>();

  constructor(policies: readonly Policy[], facts: Partial<EvaluationInput> = {}) {
    this.#policies = policies;
    this.#facts = facts;
  }

  /** `allow`, `ask POINTER`, or `deny POINTER`. */
  call(
    name: string,
    args: Record<string, unknown> = {},
    facts: Partial<EvaluationInput> = {},
  ): string {
    return this.message('tools/call', { name, arguments: args }, facts);
  }

  message(
    method: string,
    params: Record<string, unknown> = {},
    more: Partial<EvaluationInput> = {},
  ): string {
    const about = getSubjects(method, params);
    if ('fault' in about) return `fault ${about.fault}`;
    const facts = { ...this.#facts, ...more };
    const decision = evaluate(this.#policies, {
      from: 'client',
      method,
      subject: about.subjects[0],
      params,
      arguments: about.arguments,
      caller: undefined,
      runtime: RUNTIME,
      tool: undefined,
      count: (_, { key }) => this.#counts.get(key) ?? 0,
      spent: () => undefined,
      schemaFault: (extent) => this.schemas.fault(facts.tool?.inputSchema, about.arguments, extent),
      ...facts,
    });
    if (decision.effect === 'deny') {
      this.said = decision.match.message;
      return `deny ${decision.match.pointer}`;
    }
    if (decision.approvals.length > 0) return `ask ${decision.approvals[0]?.pointer}`;
    const beyond = decision.reservations.find((one) => this.#isBeyond(one));
    if (beyond) {
      this.said = beyond.message;
      return `deny ${beyond.pointer}`;
    }
    for (const { counter, amount } of decision.reservations) {
      this.#counts.set(counter.key, (this.#counts.get(counter.key) ?? 0) + amount);
    }
    return 'allow';
  }

  /** The message of the last denial. */
  said = '';

  isListed(name: string, caller: string | undefined = this.#facts.caller): boolean {
    return !findHidingRule(this.#policies, { kind: 'tool', name }, { runtime: RUNTIME, caller });
  }

  #isBeyond({ counter, amount, most, isExclusive }: Reservation): boolean {
    const after = (this.#counts.get(counter.key) ?? 0) + amount;
    return most !== undefined && (isExclusive ? after >= most : after > most);
  }
}
