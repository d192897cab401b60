import { AgentCoreError } from '../../error.ts';
import { MAX_LENGTH_AT_ONCE, parseJson } from '../../mcp/json-parser.ts';
import type { JsonObject, Message, Notification, Request, Response } from '../../mcp/message.ts';
import type { Interceptor, Passage } from '../../relay/interceptors.ts';
import { Cancelled, type Peer, type Trail } from '../../relay/peer.ts';
import { inSlices, nextTurn } from '../../slices.ts';
import type { About, Redacted, Redactor } from './redactor.ts';

/** The format of ordinary method names. Others may contain data on purpose. */
const METHOD = /^[A-Za-z$][A-Za-z$/_-]{0,100}$/;

/**
 * Redacts every message of both sides, and restores the originals of tokens. Interceptors that may
 * see originals (policies, approvals, the audit's hash) come before it. Recorders and senders come
 * after it.
 */
export class RedactionInterceptor implements Interceptor {
  readonly #redactorOf: () => Promise<Redactor | undefined>;
  readonly #isOurs: (request: Request) => boolean;

  /**
   * @param redactorOf Returns the redactor for the rules in force, or undefined if there are none.
   * @param isOurs Whether a request to the client comes from the policy and not from the server. It
   *   is about the client's own data, which the client may see.
   */
  constructor(
    redactorOf: () => Promise<Redactor | undefined>,
    isOurs: (request: Request) => boolean = () => false,
  ) {
    this.#redactorOf = redactorOf;
    this.#isOurs = isOurs;
  }

  /** @throws {AgentCoreError} If a message cannot be redacted. It is not sent in that case. */
  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    // The rules of the request also apply to its answer, even if they change meanwhile.
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

/** A method cannot be changed, so a method with data to hide is refused. */
async function refuseHidden(redactor: Redactor, method: string): Promise<void> {
  const { json } = await redactor.toServer(JSON.stringify({ params: method }), {});
  if (json === JSON.stringify({ params: method })) return;
  throw new AgentCoreError(
    'usage',
    'The method of the message looks like personal data or a secret, so it was not sent',
  );
}

/** Restores the client's own values in an error that quotes the server. */
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

/** Forwards a cancellation with a redacted reason. */
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
        // If the reason cannot be redacted, the cancellation is sent without it.
        () => this.#inner.abort(new Cancelled()),
      );
    };
    if (outer.aborted) this.#giveUp();
    else outer.addEventListener('abort', this.#giveUp, { once: true });
  }

  get signal(): AbortSignal {
    return this.#inner.signal;
  }

  /** Returns the original cancellation for the sender's side. */
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
