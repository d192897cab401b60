import { createHash } from 'node:crypto';
import { SingleFlight, withAbort } from '../base/async.ts';
import { AgentCoreError } from '../base/errors.ts';
import { createParamHeaders, type ParamHeader, parseParamHeaders } from '../mcp/http-headers.ts';
import {
  createRequest,
  createRequestId,
  isObject,
  type JsonObject,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseResult,
} from '../mcp/message.ts';
import {
  getProtocolEra,
  LISTS,
  type ListShape,
  parseListItems,
  readPages,
} from '../mcp/protocol.ts';
import { createContext, type Interceptor, type Peer, type RequestContext } from './peer.ts';

/** A tool or prompt as the server lists it. */
export interface ToolFacts {
  readonly hints: Hints;
  readonly inputSchema: unknown;
  /** Stays equal while the server describes the tool in the same way; `undefined` if not known. */
  readonly definition?: string | undefined;
}

/** The possible effects of a tool, from its annotations. */
interface Hints {
  readonly writes: boolean;
  readonly destroys: boolean;
}

/** Missing hints get the defaults of MCP: a tool writes and destroys. */
export function parseHints(annotations: unknown): Hints {
  const given = isObject(annotations) ? annotations : {};
  const writes = given.readOnlyHint !== true;
  return { writes, destroys: writes && given.destructiveHint !== false };
}

/** Maximum stored tools, above any known server. More are not stored: hints must not be lost. */
const MAX_TOOLS = 10_000;

/** Milliseconds for all pages of a list. */
const LIST_TIMEOUT_MS = 60_000;

/** Members of the definition. An approval applies only while none of them changes. */
const DEFINING = [
  'title',
  'description',
  'inputSchema',
  'outputSchema',
  'annotations',
  'arguments',
] as const;

/** Methods without further effect if they run twice. */
const IDEMPOTENT_METHODS = new Set([
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'logging/setLevel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
]);

/**
 * The server's tools or prompts: effects and definitions for policies, idempotence for retries, and
 * headers of calls. As an interceptor, it reads each list result of the server.
 */
export class ToolCatalog implements Interceptor {
  readonly #method: 'tools/list' | 'prompts/list';
  readonly #shape: ListShape;
  readonly #items = new Map<string, ListedItem>();
  readonly #listing = new SingleFlight<void>();
  /** Increases with each `list_changed` notification. */
  #generation = 0;

  constructor(method: 'tools/list' | 'prompts/list' = 'tools/list') {
    this.#method = method;
    this.#shape = LISTS.get(method) as ListShape;
  }

  request(request: JsonRpcRequest, context: RequestContext, next: Peer): Promise<JsonRpcResponse> {
    const answer = next.request(request, context);
    if (request.method !== this.#method || context.direction === 'to-client') return answer;
    return answer.then((response) => {
      this.learn(response);
      return response;
    });
  }

  notify(notification: JsonRpcNotification, context: RequestContext, next: Peer): Promise<void> {
    const { method } = notification;
    if (context.direction === 'to-client' && method === `notifications/${this.#method}_changed`) {
      this.#generation++;
    }
    return next.notify(notification, context);
  }

  /** Stores a page of the list. The strictest hints of a tool stay in force if they get weaker. */
  learn(page: JsonRpcResponse): void {
    for (const item of parseListItems(page, this.#shape) ?? []) {
      const name = isObject(item) ? item[this.#shape.named] : undefined;
      if (!isObject(item) || typeof name !== 'string') continue;
      const before = this.#items.get(name);
      if (!before && this.#items.size >= MAX_TOOLS) continue;
      this.#items.set(name, new ListedItem(item, this.#generation, before?.hints));
    }
  }

  /** Returns the entry of a tool; `undefined` if it is missing or outdated. */
  get(name: string): ToolFacts | undefined {
    const item = this.#items.get(name);
    return item?.generation === this.#generation ? item : undefined;
  }

  /** Like {@link get}, but lists the tools first if the entry is missing or outdated. */
  async find(
    name: string,
    call: JsonRpcRequest,
    server: Peer,
    context: RequestContext,
  ): Promise<ToolFacts | undefined> {
    if (!this.get(name)) await this.refresh(call, server, context);
    return this.get(name);
  }

  /**
   * Lists the tools. Concurrent calls share one listing.
   *
   * @param call The call in need of the list. The listing repeats its `_meta`.
   * @param server Must pass the requests through this interceptor.
   */
  async refresh(
    call: JsonRpcRequest,
    server: Peer,
    { sender, signal }: RequestContext,
    timeoutMs = LIST_TIMEOUT_MS,
  ): Promise<void> {
    const listing = this.#listing.run(() => {
      // Other calls wait for the listing too, so it continues if the first call is cancelled.
      const bound = AbortSignal.timeout(timeoutMs);
      return this.#list(call, server, createContext('to-server', { sender, signal: bound }));
    });
    await withAbort(listing, signal);
  }

  /**
   * True if a request may run twice, by its method and the tool's latest annotations. False for a
   * tool without a list entry: it may have any effect.
   */
  isIdempotent({ method, params }: JsonRpcRequest): boolean {
    if (method !== 'tools/call') return IDEMPOTENT_METHODS.has(method);
    return this.#items.get(String(params?.name))?.isIdempotent ?? false;
  }

  /**
   * Creates the `Mcp-Param-*` headers of a stateless call from its arguments, as declared in the
   * tool's schema. Empty if the tool was not listed.
   */
  paramHeaders(request: JsonRpcRequest): Record<string, string> {
    if (request.method !== 'tools/call' || getProtocolEra(request) === 'handshake') return {};
    const item = this.#items.get(String(request.params?.name));
    return item ? createParamHeaders(request, item.paramHeaders) : {};
  }

  async #list(call: JsonRpcRequest, server: Peer, context: RequestContext): Promise<void> {
    for await (const page of listAll(server, this.#method, context, { call })) {
      if (!Array.isArray(page[this.#shape.member])) {
        throw new AgentCoreError('protocol', `The server does not answer ${this.#method}`);
      }
    }
  }
}

/** A tool or prompt as last listed. */
class ListedItem implements ToolFacts {
  readonly generation: number;
  readonly inputSchema: unknown;
  readonly hints: Hints;
  readonly isIdempotent: boolean;
  readonly #defining: readonly unknown[];
  #definition: string | undefined;
  #paramHeaders: readonly ParamHeader[] | undefined;

  /** @param before The strictest hints so far. */
  constructor(item: JsonObject, generation: number, before: Hints | undefined) {
    const { writes, destroys } = parseHints(item.annotations);
    this.generation = generation;
    this.inputSchema = item.inputSchema;
    this.hints = {
      writes: writes || before?.writes === true,
      destroys: destroys || before?.destroys === true,
    };
    this.isIdempotent =
      !writes || (isObject(item.annotations) && item.annotations.idempotentHint === true);
    this.#defining = DEFINING.map((key) => item[key]);
  }

  /** Hash of the defining members. Computed on first use, because it is rarely needed. */
  get definition(): string {
    this.#definition ??= createHash('sha256')
      .update(JSON.stringify(this.#defining))
      .digest('base64url');
    return this.#definition;
  }

  /** Declarations of headers in the schema. Parsed on first use. */
  get paramHeaders(): readonly ParamHeader[] {
    this.#paramHeaders ??= parseParamHeaders(this.inputSchema);
    return this.#paramHeaders;
  }
}

/**
 * Requests all pages of a list from the server, and yields the result of each.
 *
 * @param options.call A call. The requests repeat its `_meta`: the stateless era needs its version.
 * @throws {AgentCoreError} `upstream` if the server answers with an error, `protocol` if a page is
 *   invalid, and the errors of `server`.
 */
export async function* listAll(
  server: Peer,
  method: 'tools/list' | 'prompts/list',
  context: RequestContext,
  { call, maxPages }: { readonly call?: JsonRpcRequest; readonly maxPages?: number } = {},
): AsyncGenerator<JsonObject, void, void> {
  const meta = call ? withoutProgressToken(call) : {};
  const read = async (cursor: string | undefined) => {
    const params = cursor === undefined ? meta : { ...meta, cursor };
    const page = createRequest(createRequestId(0), method, params);
    const response = await server.request(page, context);
    if (response.error) {
      const { code, message, data } = response.error;
      throw new AgentCoreError('upstream', String(message), {
        data: { ...(isObject(data) && data), jsonRpcCode: code },
      });
    }
    const result = parseResult(response);
    if (isObject(result)) return result;
    throw new AgentCoreError('protocol', `The server does not answer ${method}`);
  };
  yield* readPages(read, ({ nextCursor }) => nextCursor, maxPages);
}

function withoutProgressToken({ params }: JsonRpcRequest): JsonObject {
  if (!isObject(params?._meta)) return {};
  const { progressToken: _, ...meta } = params._meta;
  return { _meta: meta };
}
