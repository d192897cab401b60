import type { JsonObject, JsonRpcRequest } from '../../mcp/message.ts';
import type { SubjectKind } from '../../mcp/protocol.ts';
import { CancelledError, type InterceptorContext, type Peer } from '../../relay/peer.ts';
import { ToolCatalog } from '../../relay/tool-catalog.ts';
import type { Policy } from '../documents/model.ts';
import { createCalendarWindow, type Window } from '../documents/windows.ts';
import type { Counters, Receipt, ReserveOutcome } from './counters.ts';
import type { ApprovalDetails, Decision, EvaluationInput, Reservation, Spent } from './decision.ts';
import { decide } from './evaluate.ts';
import { SchemaValidator } from './schema-validator.ts';
import { isPlainName, type Subject } from './subjects.ts';

export interface PolicyEngineOptions extends PolicyInputReaderOptions {
  readonly counters: Counters;
  /** ARN of the runtime or gateway. */
  readonly runtime: string;
  /** Identifies the agent's session for counters. */
  readonly session: string;
}

type Caller = Pick<PolicyInput, 'caller'>;

/** Decides messages by the facts about their sender and the server, and counts allowed ones. */
export class PolicyEngine {
  /** The tools listed by the server so far. */
  readonly tools = new ToolCatalog();
  readonly prompts = new ToolCatalog('prompts/list');
  readonly #options: PolicyEngineOptions;
  readonly #schemas = new SchemaValidator();
  readonly #facts: PolicyInputReader;

  constructor(options: PolicyEngineOptions) {
    this.#options = options;
    this.#facts = new PolicyInputReader(options);
  }

  /** Collects the facts that the documents need about a message and its sender. */
  gather(...message: Parameters<PolicyInputReader['gather']>): Promise<PolicyInput> {
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
    context: InterceptorContext,
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

  #announced(kind: SubjectKind): ToolCatalog | undefined {
    if (kind === 'tool') return this.tools;
    return kind === 'prompt' ? this.prompts : undefined;
  }

  #party({ caller }: Caller) {
    const { session, runtime } = this.#options;
    return { session, caller, runtime };
  }
}

const TODAY = createCalendarWindow('day');

/** The facts about a message and its sender, collected before the decision. */
interface PolicyInput {
  readonly policies: readonly Policy[];
  readonly from: EvaluationInput['from'];
  readonly method: string;
  readonly params: JsonObject;
  readonly caller: string | undefined;
  /** Session usage by `words` of the window. */
  readonly spent: ReadonlyMap<string, Spent>;
}

interface PolicyInputReaderOptions {
  /** Returns the ARN of the calling identity. Called once, and only if a document needs the ARN. */
  readonly caller: () => Promise<string>;
  /** Returns the usage of runtime sessions. Rejects if the usage cannot be determined. */
  readonly spent?: ((window: Window) => Promise<Spent>) | undefined;
}

const NOTHING_SPENT: ReadonlyMap<string, Spent> = new Map();

/** Collects the facts that the rules of some documents need, and no others. */
class PolicyInputReader {
  readonly #options: PolicyInputReaderOptions;
  #caller: Promise<string> | undefined;

  constructor(options: PolicyInputReaderOptions) {
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

/** The facts needed by the rules of some documents. The proxy looks up no others. */
interface Needs {
  readonly caller: boolean;
  readonly schemas: boolean;
  readonly annotations: boolean;
  /** Windows of all budgets. */
  readonly windows: readonly Window[];
  /** True if a rule applies to methods. */
  readonly methods: boolean;
}

const known = new WeakMap<readonly Policy[], Needs>();

export function getRequiredFacts(policies: readonly Policy[]): Needs {
  const before = known.get(policies);
  if (before) return before;
  const bodies = policies.flatMap(({ body, sections }) => [body, ...sections]);
  const entries = bodies.flatMap((body) => body.entries);
  const windows = bodies.flatMap(({ budgets }) => budgets.map(({ window }) => window));
  const needs: Needs = {
    caller: policies.some(({ needsCaller }) => needsCaller),
    schemas: entries.some(({ rules }) => rules.some(({ kind }) => kind === 'schema')),
    annotations: bodies.some(({ approve }) => approve.length > 0),
    windows: [...new Map(windows.map((window) => [window.words, window])).values()],
    methods: entries.some(({ kind }) => kind === 'method'),
  };
  known.set(policies, needs);
  return needs;
}
