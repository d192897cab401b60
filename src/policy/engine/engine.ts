import type { JsonObject, JsonRpcRequest } from '../../mcp/message.ts';
import type { SubjectKind } from '../../mcp/protocol.ts';
import type { Conversation } from '../../relay/conversation.ts';
import { CancelledError, type Peer, type RequestContext } from '../../relay/peer.ts';
import type { ToolCatalog } from '../../relay/tool-catalog.ts';
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
  /** Tools and prompts listed by the server so far. */
  readonly catalogs: Readonly<Record<'tool' | 'prompt', ToolCatalog>>;
  /** Its id is the scope of counters for a session. */
  readonly conversation: Pick<Conversation, 'id'>;
}

type Caller = Pick<PolicyInput, 'caller'>;

/**
 * Decides messages by the policy documents, and counts allowed ones. Looks up the facts for the
 * rules: the caller, the tool's annotations and schema, and the usage of sessions.
 */
export class PolicyEngine {
  readonly #options: PolicyEngineOptions;
  readonly #schemas = new SchemaValidator();
  readonly #facts: PolicyInputReader;

  constructor(options: PolicyEngineOptions) {
    this.#options = options;
    this.#facts = new PolicyInputReader(options);
  }

  /** Looks up the facts that the documents need about a message and its sender. */
  gather(...message: Parameters<PolicyInputReader['gather']>): Promise<PolicyInput> {
    return this.#facts.gather(...message);
  }

  /** Returns the details for a question to a person. */
  async shown(): Promise<ApprovalDetails> {
    return { runtime: this.#options.runtime, ...(await this.#facts.gatherForPerson()) };
  }

  /**
   * Loads the tool's list entry and the schema validator, if the decision needs them.
   *
   * @param isAsking True if a person is asked. The approval needs the tool's current definition.
   */
  async prepare(
    policies: readonly Policy[],
    { kind, name }: Subject,
    request: JsonRpcRequest,
    context: RequestContext,
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
   * Decides a message. Does not count it.
   *
   * @param subjects The subjects of the message. If there are several, all must be allowed.
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
      const tool = subject && this.#announced(subject.kind)?.get(subject.name);
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

  /** Returns the first limit that the message would exceed. Counts nothing. */
  exceeded(reservations: readonly Reservation[], by: Caller): Reservation | undefined {
    return this.#options.counters.exceeded(reservations, this.#party(by));
  }

  /** Counts a message unless it would exceed a limit. */
  reserve(reservations: readonly Reservation[], by: Caller): ReserveOutcome {
    return this.#options.counters.reserve(reservations, this.#party(by));
  }

  /** Removes a count. If this fails, the message stays counted, which is the strict choice. */
  release(receipt: Receipt): void {
    try {
      this.#options.counters.release(receipt);
    } catch {
      // The next count reports the problem.
    }
  }

  #announced(kind: SubjectKind): ToolCatalog | undefined {
    return kind === 'tool' || kind === 'prompt' ? this.#options.catalogs[kind] : undefined;
  }

  #party({ caller }: Caller) {
    const { conversation, runtime } = this.#options;
    return { session: conversation.id, caller, runtime };
  }
}

const TODAY = createCalendarWindow('day');

/** A message, and the facts that its decision needs. */
interface PolicyInput {
  readonly policies: readonly Policy[];
  readonly from: EvaluationInput['from'];
  readonly method: string;
  readonly params: JsonObject;
  readonly caller: string | undefined;
  /** Usage of sessions by `words` of the window. */
  readonly spent: ReadonlyMap<string, Spent>;
}

interface PolicyInputReaderOptions {
  /** Returns the ARN of the caller. Called only if it is needed, and again after a failure. */
  readonly caller: () => Promise<string>;
  /** Returns the usage of runtime sessions. Rejects if the usage cannot be determined. */
  readonly spent?: ((window: Window) => Promise<Spent>) | undefined;
}

const NOTHING_SPENT: ReadonlyMap<string, Spent> = new Map();

/** Looks up the facts that the documents need, and no others. */
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

  /** Looks up details for a question to a person. Failed lookups are `undefined`. */
  async gatherForPerson(): Promise<{ caller: string | undefined; spent: Spent | undefined }> {
    const [caller, spent] = await Promise.all([this.#findCaller(), this.#findSpent([TODAY])]);
    return { caller, spent: spent.get(TODAY.words) };
  }

  /** Does not cache a failure, because the user may sign in meanwhile. */
  async #findCaller(): Promise<string | undefined> {
    this.#caller ??= this.#options.caller();
    try {
      return await this.#caller;
    } catch {
      this.#caller = undefined;
      return undefined;
    }
  }

  /** Omits windows if their usage cannot be determined. Their budgets then deny the call. */
  async #findSpent(windows: readonly Window[]): Promise<ReadonlyMap<string, Spent>> {
    const found = new Map<string, Spent>();
    for (const window of windows) {
      const amount = await this.#options.spent?.(window).catch(() => undefined);
      if (amount) found.set(window.words, amount);
    }
    return found;
  }
}

/** The facts that the rules of some documents need. */
interface Needs {
  readonly caller: boolean;
  readonly schemas: boolean;
  /** True if a document has `approve`, which may depend on annotations. */
  readonly annotations: boolean;
  /** Windows of all budgets. */
  readonly windows: readonly Window[];
  /** True if a rule applies to methods. */
  readonly methods: boolean;
}

const known = new WeakMap<readonly Policy[], Needs>();

/** Returns the facts that the documents need. Cached for each list of documents. */
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
