import { createHash } from 'node:crypto';
import { eraOf } from '../../mcp/era.ts';
import { spanAt } from '../../mcp/json-spans.ts';
import type { JsonObject, Request } from '../../mcp/message.ts';
import type { Exchange } from '../../relay/peer.ts';
import type { Ask } from '../decisions/facts.ts';
import { Elicitation, showsForms, showsFormsStateless } from './elicitation.ts';
import { InputRequired } from './input-required.ts';
import type { Answer, Question } from './question.ts';

/** Maximum remembered approvals; the oldest are removed first. */
const MOST_REMEMBERED = 1_000;

export type Review =
  /** The call continues as this request. */
  | { readonly request: Request }
  /** The response to the call is a question. */
  | { readonly result: object }
  | { readonly refused: string };

/** Details for the person besides the request. */
export type Shown = Pick<Question, 'runtime' | 'caller' | 'spent'>;

/** Another channel to a person, such as VS Code. */
export interface Approver {
  ask(question: Question, exchange: Exchange): Promise<Answer>;
}

/** Asks people for approval and remembers their answers. */
export class Approvals {
  readonly #elicitation = new Elicitation();
  readonly #inputRequired = new InputRequired();
  readonly #other: Approver | undefined;
  readonly #now: () => number;
  /** Tools approved for the session. */
  readonly #agreed = new Set<string>();
  /** Declined calls. The value is the time at which a new question is possible. */
  readonly #declined = new Map<string, number>();
  /** Approved calls that wait for further input of the client. */
  readonly #continued = new Set<string>();
  #clientShowsForms = false;

  /** @param other Fallback if the client does not support form elicitation. */
  constructor(now: () => number, other?: Approver) {
    this.#now = now;
    this.#other = other;
  }

  /** Stores the capabilities of a client with an `initialize` handshake. */
  learn(initializeParams: JsonObject | undefined): void {
    this.#clientShowsForms = showsForms(initializeParams?.capabilities);
  }

  isOwn(request: Request): boolean {
    return this.#elicitation.isOwn(request);
  }

  isAnswer(request: Request): boolean {
    return this.#inputRequired.isAnswer(request);
  }

  /** Lets an approved call continue when the client repeats it with the requested input. */
  continues(request: Request, requestState: string): void {
    this.#continued.add(continuation(fingerprintOf(request), requestState));
    forgetOldest(this.#continued);
  }

  /** Asks a person to approve a call. Waits for the answer if the proxy asks through the client. */
  async review(
    request: Request,
    asks: readonly Ask[],
    shown: () => Promise<Shown>,
    exchange: Exchange,
  ): Promise<Review> {
    const fingerprint = fingerprintOf(request);
    if (this.#inputRequired.isAnswer(request)) {
      const taken = this.#inputRequired.take(request, fingerprint);
      const answered = taken.question?.asks ?? [];
      this.#remember(answered, request, fingerprint, taken.answer);
      if ('refused' in taken.answer) return taken.answer;
      const isComplete = asks.every(
        (ask) => answered.some((one) => isSameAsk(one, ask)) || this.#isAgreed(ask, request),
      );
      if (isComplete) return { request: taken.request };
      return { refused: 'The policy has changed since the person was asked.' };
    }
    // Valid once, like the approval.
    if (this.#continued.delete(continuation(fingerprint, request.params?.requestState))) {
      return { request };
    }
    return this.#ask(request, asks, shown, 'client', exchange);
  }

  /**
   * Like {@link review}, for a request of the server in any form. `exchange.back` is the client.
   */
  reviewServers(
    request: Request,
    asks: readonly Ask[],
    shown: () => Promise<Shown>,
    exchange: Exchange,
  ): Promise<Review> {
    return this.#ask(request, asks, shown, 'server', exchange);
  }

  async #ask(
    request: Request,
    asks: readonly Ask[],
    shown: () => Promise<Shown>,
    from: Question['from'],
    exchange: Exchange,
  ): Promise<Review> {
    const { method, params, bytes } = request;
    const fingerprint = fingerprintOf(request);
    const open = asks.filter((ask) => !this.#isAgreed(ask, request));
    if (open.length === 0) return { request };
    if (open.some((ask) => (this.#declined.get(callKey(ask, fingerprint)) ?? 0) > this.#now())) {
      return { refused: 'The person who was asked did not agree to this call a moment ago.' };
    }
    const span =
      spanAt(bytes, ['params', 'arguments']) ??
      (method === 'tools/call' ? undefined : spanAt(bytes, ['params']));
    const question: Question = {
      ...(await shown()),
      from,
      method,
      tool: String(params?.name ?? params?.uri ?? method),
      arguments: span ? bytes.toString('utf8', span.start, span.end) : '{}',
      asks: open,
      mayLast: open.every(({ per }) => per === 'session'),
    };
    if (
      from === 'client' &&
      eraOf(request) === 'stateless' &&
      showsFormsStateless(request) &&
      canAskBack(request)
    ) {
      return { result: this.#inputRequired.ask(request, question, fingerprint) };
    }
    const approver = this.#approverFor(request);
    if (!approver) return { refused: 'The client cannot ask a person (no elicitation).' };
    const answer = await approver.ask(question, exchange);
    this.#remember(open, request, fingerprint, answer);
    return 'refused' in answer ? answer : { request };
  }

  #approverFor(request: Request): Approver | undefined {
    if (eraOf(request) === 'handshake' && this.#clientShowsForms) return this.#elicitation;
    return this.#other;
  }

  #isAgreed(ask: Ask, request: Request): boolean {
    return this.#agreed.has(toolKey(ask, request));
  }

  /**
   * A yes applies to this call or to the session. A no stays valid for a while, so that repeated
   * questions cannot wear the person down.
   */
  #remember(asks: readonly Ask[], request: Request, fingerprint: string, answer: Answer): void {
    for (const ask of asks) {
      if ('refused' in answer) {
        if (ask.dedupe > 0) this.#declined.set(callKey(ask, fingerprint), this.#now() + ask.dedupe);
      } else if (answer.agreed === 'session') {
        this.#agreed.add(toolKey(ask, request));
      }
    }
    forgetOldest(this.#agreed);
    forgetOldest(this.#declined);
  }
}

function forgetOldest(remembered: Map<string, number> | Set<string>): void {
  for (const key of remembered.keys()) {
    if (remembered.size <= MOST_REMEMBERED) return;
    remembered.delete(key);
  }
}

/** Methods with multi-round-trip requests in MCP 2026-07-28. */
function canAskBack({ method }: Request): boolean {
  return method === 'tools/call' || method === 'prompts/get' || method === 'resources/read';
}

function continuation(fingerprint: string, requestState: unknown): string {
  return JSON.stringify([fingerprint, typeof requestState === 'string' ? requestState : null]);
}

/** An approval ends when the rule or the tool definition changes. */
function toolKey(
  { file, pointer, sentence, definition }: Ask,
  { method, params }: Request,
): string {
  return JSON.stringify([file, pointer, sentence, definition, method, params?.name ?? params?.uri]);
}

/** True if an approval of one also covers the other. */
export function isSameAsk(one: Ask, other: Ask): boolean {
  return (
    one.file === other.file &&
    one.pointer === other.pointer &&
    one.sentence === other.sentence &&
    one.definition === other.definition
  );
}

function callKey({ file, pointer }: Ask, fingerprint: string): string {
  return JSON.stringify([file, pointer, fingerprint]);
}

/** Hash of the effect of a call: method, name and the exact bytes of the arguments. */
function fingerprintOf(request: Request): string {
  const { method, params, bytes } = request;
  // Excludes other params: they differ when the client repeats the request with an answer.
  const span =
    spanAt(bytes, ['params', 'arguments']) ??
    (canAskBack(request) ? undefined : spanAt(bytes, ['params']));
  const hash = createHash('sha256').update(JSON.stringify([method, params?.name, params?.uri]));
  if (span) hash.update(bytes.subarray(span.start, span.end));
  return hash.digest('base64url');
}
