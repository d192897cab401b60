import type { JsonObject, JsonRpcRequest } from '../mcp/message.ts';
import type { Passage } from '../relay/interceptors.ts';
import { CancelledError, type Peer } from '../relay/peer.ts';
import { AnnouncedTools } from './announced-tools.ts';
import type { ApprovalDetails } from './approvals/approvals.ts';
import type { Counters, Receipt, ReserveOutcome } from './counters/counters.ts';
import { decide } from './decisions/decide.ts';
import type { Decision, Reservation } from './decisions/facts.ts';
import { SchemaValidator } from './decisions/schema-check.ts';
import { isPlainName, type Subject } from './decisions/subjects.ts';
import type { Policy, SubjectKind } from './documents/policy.ts';
import { FactFinder, type FactFinderOptions, type PolicyInput } from './fact-finder.ts';
import { getRequiredFacts } from './needs.ts';

export interface JudgeOptions extends FactFinderOptions {
  readonly counters: Counters;
  /** ARN of the runtime or gateway. */
  readonly runtime: string;
  /** Identifies the agent's session for counters. */
  readonly session: string;
}

type Caller = Pick<PolicyInput, 'caller'>;

/** Decides messages by the facts about their sender and the server, and counts allowed ones. */
export class Judge {
  /** The tools listed by the server so far. */
  readonly tools = new AnnouncedTools();
  readonly prompts = new AnnouncedTools('prompts/list');
  readonly #options: JudgeOptions;
  readonly #schemas = new SchemaValidator();
  readonly #facts: FactFinder;

  constructor(options: JudgeOptions) {
    this.#options = options;
    this.#facts = new FactFinder(options);
  }

  /** Collects the facts that the documents need about a message and its sender. */
  gather(...message: Parameters<FactFinder['gather']>): Promise<PolicyInput> {
    return this.#facts.gather(...message);
  }

  /** Details for the question to a person. */
  async shown(): Promise<ApprovalDetails> {
    return { runtime: this.#options.runtime, ...(await this.#facts.gatherForPerson()) };
  }

  /**
   * Loads the facts that a decision about a tool or prompt needs.
   *
   * @param isAsking True if a person is asked: the approval covers the tool's current definition.
   */
  async prepare(
    policies: readonly Policy[],
    { kind, name }: Subject,
    request: JsonRpcRequest,
    context: Passage,
    server: Peer,
    isAsking: boolean,
  ): Promise<void> {
    const announced = this.#announced(kind);
    if (!announced) return;
    const { schemas, annotations } = getRequiredFacts(policies);
    if (schemas) await this.#schemas.prepare();
    if (!schemas && !annotations && !isAsking && isPlainName(name)) return;
    // If the listing fails, the tool counts as not listed.
    await announced.find(name, request, server, context).catch((thrown) => {
      if (thrown instanceof CancelledError) throw thrown;
    });
  }

  /**
   * @param subjects The subjects of the message. If there are several, all of them must be allowed.
   */
  decide(
    { from, method, params, caller, spent, policies }: PolicyInput,
    subjects: readonly Subject[],
    args: JsonObject,
  ): Decision {
    const { runtime, counters } = this.#options;
    const asks = [];
    const reservations = [];
    for (const subject of subjects.length > 0 ? subjects : [undefined]) {
      const tool = subject && this.#announced(subject.kind)?.known(subject.name);
      const decision = decide(policies, {
        from,
        method,
        subject,
        params,
        arguments: args,
        caller,
        runtime,
        tool,
        count: (file, counter) => counters.value(file, counter, this.#party({ caller })),
        spent: (window) => spent.get(window.words),
        schemaFault: (extent) => this.#schemas.fault(tool?.inputSchema, args, extent),
      });
      if (decision.effect === 'deny') return decision;
      asks.push(...decision.asks);
      reservations.push(...decision.reservations);
    }
    return { effect: 'allow', asks, reservations };
  }

  /** The first limit that the message would exceed now. Counts nothing. */
  exceeded(reservations: readonly Reservation[], by: Caller): Reservation | undefined {
    return this.#options.counters.exceeded(reservations, this.#party(by));
  }

  /** Counts a message unless it would exceed a limit. */
  reserve(reservations: readonly Reservation[], by: Caller): ReserveOutcome {
    return this.#options.counters.reserve(reservations, this.#party(by));
  }

  /** Takes back a count. If this fails, the message stays counted, the strict choice. */
  release(receipt: Receipt): void {
    try {
      this.#options.counters.release(receipt);
    } catch {
      // The next count reports the problem.
    }
  }

  #announced(kind: SubjectKind): AnnouncedTools | undefined {
    if (kind === 'tool') return this.tools;
    return kind === 'prompt' ? this.prompts : undefined;
  }

  #party({ caller }: Caller) {
    const { session, runtime } = this.#options;
    return { session, caller, runtime };
  }
}
