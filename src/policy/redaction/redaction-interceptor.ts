import { AgentCoreError } from '../../error.ts';
import { MAX_LENGTH_AT_ONCE, parseJson } from '../../mcp/json-parser.ts';
import type { JsonObject, Message, Notification, Request, Response } from '../../mcp/message.ts';
import type { Interceptor, Passage } from '../../relay/interceptors.ts';
import { Cancelled, type Peer, type Trail } from '../../relay/peer.ts';
import { inSlices, nextTurn } from '../../slices.ts';
import type { About, Redacted, Redactor } from './redactor.ts';

/** What a conversation's method never has in it but by somebody's intention. */
const METHOD = /^[A-Za-z$][A-Za-z$/_-]{0,100}$/;

/**
 * Has every message of both sides redacted on its way, and the originals of tokens put back on
 * theirs. It stands behind whoever may see originals (policies, approvals, the audit's hash), and
 * before whoever may not: recording and whatever sends.
 */
export class RedactionInterceptor implements Interceptor {
  readonly #redactorOf: () => Promise<Redactor | undefined>;
  readonly #isOurs: (request: Request) => boolean;

  /**
   * @param redactorOf The redactor of the rules that hold now; none where there are no rules.
   * @param isOurs Whether a request to the client is no server's but one about what the client
   *   itself has sent, which it may see.
   */
  constructor(
    redactorOf: () => Promise<Redactor | undefined>,
    isOurs: (request: Request) => boolean = () => false,
  ) {
    this.#redactorOf = redactorOf;
    this.#isOurs = isOurs;
  }

  /** @throws {AgentCoreError} where a message cannot be redacted; it is not passed on then. */
  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    // The answer is under the rules of its request, whatever becomes of them meanwhile.
    const redactor = await this.#redactorOf();
    const isOfClient = passage.from === 'client';
    if (!redactor || (!isOfClient && this.#isOurs(request))) return next.request(request, passage);
    const about = isOfClient ? aboutOf(request) : {};
    const [towards, back] = isOfClient ? [toServer, toClient] : [toClient, toServer];
    const sent = await towards(redactor, request, about, passage);
    const cancelling = new Cancelling(passage.signal, (notification) =>
      towards(redactor, notification, {}, passage),
    );
    try {
      const response = await next.request(sent, { ...passage, signal: cancelling.signal });
      return await back(redactor, response, about, passage);
    } catch (thrown) {
      if (!isOfClient || !(thrown instanceof AgentCoreError)) throw cancelling.original(thrown);
      throw await readable(redactor, thrown);
    } finally {
      cancelling.end();
    }
  }

  async notify(notification: Notification, passage: Passage, next: Peer): Promise<void> {
    const redactor = await this.#redactorOf();
    if (!redactor) return next.notify(notification, passage);
    const towards = passage.from === 'client' ? toServer : toClient;
    await next.notify(await towards(redactor, notification, {}, passage), passage);
  }
}

async function toServer<M extends Message>(
  redactor: Redactor,
  message: M,
  about: About,
  { trail }: Passage,
): Promise<M> {
  if (message.kind !== 'response' && !METHOD.test(message.method)) {
    await refuseHidden(redactor, message.method);
  }
  return rewritten(message, trail, (json) => redactor.toServer(json, about));
}

async function toClient<M extends Message>(
  redactor: Redactor,
  message: M,
  about: About,
  { trail }: Passage,
): Promise<M> {
  return rewritten(message, trail, (json) => redactor.toClient(json, about));
}

async function rewritten<M extends Message>(
  message: M,
  trail: Trail | undefined,
  redact: (json: string) => Promise<Redacted>,
): Promise<M> {
  const isLarge = message.bytes.length > MAX_LENGTH_AT_ONCE;
  if (isLarge) await nextTurn();
  const said = message.bytes.toString();
  if (isLarge) await nextTurn();
  const redacted = await redact(said);
  if (trail) count(trail, redacted);
  if (redacted.json === said) return message;
  if (isLarge) await nextTurn();
  const bytes = Buffer.from(redacted.json);
  if (message.kind === 'response' && !message.error) return { ...message, bytes };
  if (isLarge) await nextTurn();
  const { value } = await inSlices(parseJson(redacted.json));
  const { params, error } = value as { params?: JsonObject; error?: JsonObject };
  return message.kind === 'response' ? { ...message, bytes, error } : { ...message, bytes, params };
}

/** A method is not to be changed, and so not to be anything that would have to be. */
async function refuseHidden(redactor: Redactor, method: string): Promise<void> {
  const { json } = await redactor.toServer(JSON.stringify({ params: method }), {});
  if (json === JSON.stringify({ params: method })) return;
  throw new AgentCoreError(
    'usage',
    'The method of the message looks like personal data or a secret, so it was not sent',
  );
}

/** An error that quotes the server, with the client's own values in the quotation. */
async function readable(redactor: Redactor, error: AgentCoreError): Promise<AgentCoreError> {
  const said = JSON.stringify({ error: { message: error.message, data: error.data } });
  const { json } = await redactor.toClient(said, {});
  if (json === said) return error;
  const { message, data } = (JSON.parse(json) as { error: JsonObject }).error as {
    message: string;
    data?: Readonly<Record<string, unknown>>;
  };
  return new AgentCoreError(error.code, message, { cause: error.cause, ...(data && { data }) });
}

/** Passes a cancellation on in other words: what its reason says is hidden as well. */
class Cancelling {
  readonly #outer: AbortSignal;
  readonly #inner = new AbortController();
  readonly #giveUp: () => void;

  constructor(outer: AbortSignal, rewrite: (notification: Notification) => Promise<Notification>) {
    this.#outer = outer;
    this.#giveUp = () => {
      const { reason } = outer;
      const notification = reason instanceof Cancelled ? reason.notification : undefined;
      if (!notification) return this.#inner.abort(reason);
      rewrite(notification).then(
        (rewritten) => this.#inner.abort(new Cancelled(rewritten)),
        // It cannot be told why, but that it is over.
        () => this.#inner.abort(new Cancelled()),
      );
    };
    if (outer.aborted) this.#giveUp();
    else outer.addEventListener('abort', this.#giveUp, { once: true });
  }

  get signal(): AbortSignal {
    return this.#inner.signal;
  }

  /** The sender's own cancellation, for whoever is on its side. */
  original(thrown: unknown): unknown {
    return thrown instanceof Cancelled && this.#outer.reason instanceof Cancelled
      ? this.#outer.reason
      : thrown;
  }

  end(): void {
    this.#outer.removeEventListener('abort', this.#giveUp);
  }
}

function aboutOf({ method, params }: Request): About {
  const name = method === 'tools/call' ? params?.name : undefined;
  return { method, ...(typeof name === 'string' && { tool: name }) };
}

function count(trail: Trail, { counts, issuedIds, restoredIds }: Redacted): void {
  for (const [kind, times] of Object.entries(counts)) {
    trail.redactions ??= {};
    trail.redactions[kind] = (trail.redactions[kind] ?? 0) + times;
  }
  if (issuedIds.size + restoredIds.size === 0) return;
  trail.tokens ??= { issued: new Set(), restored: new Set() };
  for (const id of issuedIds) trail.tokens.issued.add(id);
  for (const id of restoredIds) trail.tokens.restored.add(id);
}
