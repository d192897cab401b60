import { hkdfSync } from 'node:crypto';
import { runInSlices, yieldToEventLoop } from '../../base/async.ts';
import { AgentCoreError } from '../../base/errors.ts';
import { MAX_LENGTH_AT_ONCE, parseJson } from '../../base/json-parser.ts';
import type {
  JsonObject,
  JsonRpcMessage,
  JsonRpcNotification,
  JsonRpcRequest,
  JsonRpcResponse,
} from '../../mcp/message.ts';
import type { RedactionRules } from '../../redaction/rules.ts';
import { MemoryVault } from '../../redaction/tokens.ts';
import {
  type CallInfo,
  CancelledError,
  type Interceptor,
  type Peer,
  type RequestContext,
} from '../../relay/peer.ts';
import type { StateStore } from '../../state/store.ts';
import { type Redacted, Redactor, type RequestInfo } from './redactor.ts';

/** The format of ordinary method names. Other methods are checked for data to hide. */
const METHOD = /^[A-Za-z$][A-Za-z$/_-]{0,100}$/;

/**
 * Redacts every message of both sides, and restores the values of tokens. Policies, approvals and
 * the audit come before it, and see the original values. Recorders and senders come after it.
 */
export class RedactionInterceptor implements Interceptor {
  readonly #getRedactor: () => Promise<Redactor | undefined>;
  readonly #isOurs: (request: JsonRpcRequest) => boolean;

  /**
   * @param getRedactor Returns the redactor for the rules in force; `undefined` if there are none.
   * @param isOurs True if the policy, not the server, sends a request to the client. Its data is
   *   the client's own, so it is not redacted.
   */
  constructor(
    getRedactor: () => Promise<Redactor | undefined>,
    isOurs: (request: JsonRpcRequest) => boolean = () => false,
  ) {
    this.#getRedactor = getRedactor;
    this.#isOurs = isOurs;
  }

  /** @throws {AgentCoreError} if a message cannot be redacted. Then it is not sent. */
  async request(
    request: JsonRpcRequest,
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    // Use the rules of the request for its response too, even if they change meanwhile.
    const redactor = await this.#getRedactor();
    const isOfClient = context.direction === 'to-server';
    if (!redactor || (!isOfClient && this.#isOurs(request))) return next.request(request, context);
    const about = isOfClient ? getRequestInfo(request) : {};
    const [towards, back] = isOfClient ? [toServer, toClient] : [toClient, toServer];
    const sent = await towards(redactor, request, about, context);
    const cancelling = new Cancelling(context.signal, (notification) =>
      towards(redactor, notification, {}, context),
    );
    try {
      const response = await next.request(sent, { ...context, signal: cancelling.signal });
      return await back(redactor, response, about, context);
    } catch (thrown) {
      if (!isOfClient || !(thrown instanceof AgentCoreError)) throw cancelling.original(thrown);
      throw await restoreErrorValues(redactor, thrown);
    } finally {
      cancelling.end();
    }
  }

  async notify(
    notification: JsonRpcNotification,
    context: RequestContext,
    next: Peer,
  ): Promise<void> {
    const redactor = await this.#getRedactor();
    if (!redactor) return next.notify(notification, context);
    const towards = context.direction === 'to-server' ? toServer : toClient;
    await next.notify(await towards(redactor, notification, {}, context), context);
  }
}

async function toServer<M extends JsonRpcMessage>(
  redactor: Redactor,
  message: M,
  about: RequestInfo,
  { call }: RequestContext,
): Promise<M> {
  if (message.kind !== 'response' && !METHOD.test(message.method)) {
    await refuseHidden(redactor, message.method);
  }
  return rewriteMessage(message, call, (json) => redactor.toServer(json, about));
}

async function toClient<M extends JsonRpcMessage>(
  redactor: Redactor,
  message: M,
  about: RequestInfo,
  { call }: RequestContext,
): Promise<M> {
  return rewriteMessage(message, call, (json) => redactor.toClient(json, about));
}

async function rewriteMessage<M extends JsonRpcMessage>(
  message: M,
  callInfo: CallInfo,
  redact: (json: string) => Promise<Redacted>,
): Promise<M> {
  const isLarge = message.bytes.length > MAX_LENGTH_AT_ONCE;
  if (isLarge) await yieldToEventLoop();
  const text = message.bytes.toString();
  if (isLarge) await yieldToEventLoop();
  const redacted = await redact(text);
  recordRedactions(callInfo, redacted);
  if (redacted.json === text) return message;
  if (isLarge) await yieldToEventLoop();
  const bytes = Buffer.from(redacted.json);
  if (message.kind === 'response' && !message.error) return { ...message, bytes };
  if (isLarge) await yieldToEventLoop();
  const { value } = await runInSlices(parseJson(redacted.json));
  const { params, error } = value as { params?: JsonObject; error?: JsonObject };
  return message.kind === 'response' ? { ...message, bytes, error } : { ...message, bytes, params };
}

/** Refuses a method with data to hide, because a method cannot be redacted. */
async function refuseHidden(redactor: Redactor, method: string): Promise<void> {
  const { json } = await redactor.toServer(JSON.stringify({ params: method }), {});
  if (json === JSON.stringify({ params: method })) return;
  throw new AgentCoreError(
    'usage',
    'The method of the message looks like personal data or a secret, so it was not sent',
  );
}

/** Restores the client's own values in an error, which may quote the server. */
async function restoreErrorValues(
  redactor: Redactor,
  error: AgentCoreError,
): Promise<AgentCoreError> {
  const text = JSON.stringify({ error: { message: error.message, data: error.data } });
  const { json } = await redactor.toClient(text, {});
  if (json === text) return error;
  const { message, data } = (JSON.parse(json) as { error: JsonObject }).error as {
    message: string;
    data?: Readonly<Record<string, unknown>>;
  };
  return new AgentCoreError(error.code, message, { cause: error.cause, ...(data && { data }) });
}

/** The abort signal of a redacted request. A cancellation has a redacted reason. */
class Cancelling {
  readonly #outer: AbortSignal;
  readonly #inner = new AbortController();
  readonly #giveUp: () => void;

  constructor(
    outer: AbortSignal,
    rewrite: (notification: JsonRpcNotification) => Promise<JsonRpcNotification>,
  ) {
    this.#outer = outer;
    this.#giveUp = () => {
      const { reason } = outer;
      const notification = reason instanceof CancelledError ? reason.notification : undefined;
      if (!notification) return this.#inner.abort(reason);
      rewrite(notification).then(
        (rewritten) => this.#inner.abort(new CancelledError(rewritten)),
        // If the reason cannot be redacted, cancel without it.
        () => this.#inner.abort(new CancelledError()),
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
    return thrown instanceof CancelledError && this.#outer.reason instanceof CancelledError
      ? this.#outer.reason
      : thrown;
  }

  end(): void {
    this.#outer.removeEventListener('abort', this.#giveUp);
  }
}

function getRequestInfo({ method, params }: JsonRpcRequest): RequestInfo {
  const name = method === 'tools/call' ? params?.name : undefined;
  return { method, ...(typeof name === 'string' && { tool: name }) };
}

function recordRedactions(callInfo: CallInfo, { counts, issuedIds, restoredIds }: Redacted): void {
  for (const [kind, times] of Object.entries(counts)) {
    callInfo.redactions ??= {};
    callInfo.redactions[kind] = (callInfo.redactions[kind] ?? 0) + times;
  }
  if (issuedIds.size + restoredIds.size === 0) return;
  callInfo.tokens ??= { issued: new Set(), restored: new Set() };
  for (const id of issuedIds) callInfo.tokens.issued.add(id);
  for (const id of restoredIds) callInfo.tokens.restored.add(id);
}

/** Options of the redaction of one conversation. */
export interface RedactionOptions {
  /** Returns the rules of all policies in force. Must return the same list until they change. */
  readonly rules: () => readonly RedactionRules[];
  readonly store: Pick<StateStore, 'openVault' | 'getOrCreateSecret'>;
  /**
   * Key of the vault, 32 bytes in base64. If set, the vault is on disk and outlives the program.
   */
  readonly vaultKey?: string | undefined;
  /** True if a request to the client is an approval question of the policy. */
  readonly isOurs?: (request: JsonRpcRequest) => boolean;
}

/**
 * Creates the redaction of one conversation. The salt is the same for all programs of a user, so
 * equal values have equal hashes.
 *
 * @throws {AgentCoreError} `config` if a rule cannot be used, or if the salt or the vault cannot be
 *   stored; `usage` if the key is invalid.
 */
export async function openRedaction(options: RedactionOptions): Promise<RedactionInterceptor> {
  const { rules, store, vaultKey, isOurs } = options;
  const key = vaultKey === undefined ? undefined : parseVaultKey(vaultKey);
  const secret = key ?? (await store.getOrCreateSecret('audit-salt', KEY_BYTES));
  const salt = deriveKey(secret, 'redaction salt');
  const vault = key ? await store.openVault(deriveKey(key, 'redaction vault')) : new MemoryVault();
  const getRedactor = createRedactorGetter(rules, (of) =>
    Redactor.create({ rules: of, vault, salt }),
  );
  await getRedactor();
  return new RedactionInterceptor(getRedactor, isOurs);
}

/** Length of the vault key, of the salt and of keys derived from them. */
const KEY_BYTES = 32;

/** Returns a function for the redactor of the rules in force; `undefined` before the first rule. */
function createRedactorGetter(
  rules: () => readonly RedactionRules[],
  create: (rules: readonly RedactionRules[]) => Promise<Redactor>,
): () => Promise<Redactor | undefined> {
  let of: readonly RedactionRules[] = [];
  let redactor: Promise<Redactor> | undefined;
  return async () => {
    const now = rules();
    if (now !== of && (now.length > 0 || redactor)) {
      of = now;
      redactor = create(now);
    }
    return redactor;
  };
}

function parseVaultKey(text: string): Buffer {
  const key = Buffer.from(text, 'base64');
  if (key.length === KEY_BYTES) return key;
  throw new AgentCoreError(
    'usage',
    'The key of the redaction vault must be 32 bytes in base64; `openssl rand -base64 32` makes one',
  );
}

function deriveKey(secret: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `agentcore-mcp ${purpose}`, KEY_BYTES));
}
