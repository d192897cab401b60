import { createHash } from 'node:crypto';
import { eraOf } from '../../mcp/era.ts';
import { spanAt } from '../../mcp/json-spans.ts';
import type { JsonObject, Request } from '../../mcp/message.ts';
import type { Exchange } from '../../relay/peer.ts';
import type { Ask } from '../decisions/facts.ts';
import { Elicitation, showsForms, showsFormsStateless } from './elicitation.ts';
import { InputRequired } from './input-required.ts';
import type { Answer, Question } from './question.ts';

/** Agreements that are remembered; the oldest give way. */
const MOST_REMEMBERED = 1_000;

export type Review =
  /** The call goes on, as this request. */
  | { readonly request: Request }
  /** The call is answered by a question. */
  | { readonly result: object }
  | { readonly refused: string };

/** What a person is shown beside the request. */
export type Shown = Pick<Question, 'runtime' | 'caller' | 'spent'>;

/** Who else may be asked, such as the person before VS Code. */
export interface Approver {
  ask(question: Question, exchange: Exchange): Promise<Answer>;
}

/** Asks people, and remembers for what they agreed. */
export class Approvals {
  readonly #elicitation = new Elicitation();
  readonly #inputRequired = new InputRequired();
  readonly #other: Approver | undefined;
  readonly #now: () => number;
  /** Tools that were agreed to for the session. */
  readonly #agreed = new Set<string>();
  /** Calls that were not agreed to, with the time until which nobody is asked again. */
  readonly #declined = new Map<string, number>();
  /** Calls that were agreed to, and that the server has asked something about meanwhile. */
  readonly #continued = new Set<string>();
  #clientShowsForms = false;

  /** @param other Asked where the client shows no forms. */
  constructor(now: () => number, other?: Approver) {
    this.#now = now;
    this.#other = other;
  }

  /** Takes in what a client of the handshake era says of itself. */
  learn(initializeParams: JsonObject | undefined): void {
    this.#clientShowsForms = showsForms(initializeParams?.capabilities);
  }

  isOwn(request: Request): boolean {
    return this.#elicitation.isOwn(request);
  }

  isAnswer(request: Request): boolean {
    return this.#inputRequired.isAnswer(request);
  }

  /** Has a call that was agreed to go on when it comes again with what the server asked for. */
  continues(request: Request, requestState: string): void {
    this.#continued.add(continuation(fingerprintOf(request), requestState));
    forgetOldest(this.#continued);
  }

  /** Finds out whether a person agrees to a call; waits for it where the client is asked meanwhile. */
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
    // Good for once, as the agreement was.
    if (this.#continued.delete(continuation(fingerprint, request.params?.requestState))) {
      return { request };
    }
    return this.#ask(request, asks, shown, 'client', exchange);
  }

  /** The same for a request of the server's, whatever it looks like: `exchange.back` is the client. */
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

  /** A yes for this call is used up by it; a no holds for a while, so that nobody is worn down. */
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

/** A multi-round-trip method of MCP 2026-07-28. */
function canAskBack({ method }: Request): boolean {
  return method === 'tools/call' || method === 'prompts/get' || method === 'resources/read';
}

function continuation(fingerprint: string, requestState: unknown): string {
  return JSON.stringify([fingerprint, typeof requestState === 'string' ? requestState : null]);
}

/** An agreement ends if the rule or the tool becomes another one. */
function toolKey(
  { file, pointer, sentence, definition }: Ask,
  { method, params }: Request,
): string {
  return JSON.stringify([file, pointer, sentence, definition, method, params?.name ?? params?.uri]);
}

/** True if a person who agreed to the one has agreed to the other. */
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

/** Of what the call does: method, name and the arguments byte for byte. */
function fingerprintOf(request: Request): string {
  const { method, params, bytes } = request;
  // The params of a request that comes again with an answer are others.
  const span =
    spanAt(bytes, ['params', 'arguments']) ??
    (canAskBack(request) ? undefined : spanAt(bytes, ['params']));
  const hash = createHash('sha256').update(JSON.stringify([method, params?.name, params?.uri]));
  if (span) hash.update(bytes.subarray(span.start, span.end));
  return hash.digest('base64url');
}
