import { createHash } from 'node:crypto';
import { SingleFlight, withAbort } from '../base/async.ts';
import { LruCache } from '../base/cache.ts';
import { AgentCoreError } from '../base/errors.ts';
import { createParamHeaders, type ParamHeader, parseParamHeaders } from '../mcp/http-headers.ts';
import {
  createRequest,
  createRequestId,
  isObject,
  type JsonObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseResult,
} from '../mcp/message.ts';
import { LISTS, type ListShape, parseListItems, readPages } from '../mcp/protocol.ts';
import { createContext, type Peer, type RequestContext } from './peer.ts';

/**
 * Facts from `tools/list` and `prompts/list`: effects and definitions for policies, headers of
 * calls, and idempotence for retries.
 */

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

/** Maximum stored tools. Above any known server. */
const MAX_ANNOUNCED_TOOLS = 10_000;

/** Milliseconds for all pages of a list. */
const LIST_TOOLS_TIMEOUT_MS = 60_000;

/** Members of the definition. An approval applies only while none of them changes. */
const DEFINING = [
  'title',
  'description',
  'inputSchema',
  'outputSchema',
  'annotations',
  'arguments',
] as const;

/**
 * The server's tools or prompts, for policies. Filled from list results for the client, or by a
 * list request of the proxy.
 */
export class ToolCatalog {
  readonly #method: 'tools/list' | 'prompts/list';
  readonly #shape: ListShape;
  readonly #items = new Map<string, AnnouncedItem>();
  /** Increases with each `list_changed` notification. */
  #generation = 0;
  readonly #listing = new SingleFlight<void>();

  constructor(method: 'tools/list' | 'prompts/list' = 'tools/list') {
    this.#method = method;
    this.#shape = LISTS.get(method) as ListShape;
  }

  /**
   * Adds listed items. The strictest hints of a tool stay in force, even if the server weakens
   * them. Tools beyond the maximum are not stored, so the strictest assumptions apply to them.
   */
  learn(items: readonly unknown[]): void {
    for (const item of items) {
      const name = isObject(item) ? item[this.#shape.named] : undefined;
      if (!isObject(item) || typeof name !== 'string') continue;
      const before = this.#items.get(name);
      if (!before && this.#items.size >= MAX_ANNOUNCED_TOOLS) continue;
      this.#items.set(name, new AnnouncedItem(item, this.#generation, before?.hints));
    }
  }

  /** Marks all entries as outdated. Their hints stay in force. */
  forget(): void {
    this.#generation++;
  }

  /** Returns the entry of a tool; `undefined` if it is missing or outdated. */
  known(name: string): ToolFacts | undefined {
    const item = this.#items.get(name);
    return item?.generation === this.#generation ? item : undefined;
  }

  /**
   * Like {@link known}, but lists the server's tools first if the entry is missing or outdated.
   * Concurrent calls share one listing.
   *
   * @param call The call that needs the entry. The listing repeats its `_meta`.
   */
  async find(
    name: string,
    call: JsonRpcRequest,
    server: Peer,
    context: RequestContext,
  ): Promise<ToolFacts | undefined> {
    const known = this.known(name);
    if (known) return known;
    const listing = this.#listing.run(() => this.#list(call, server, context));
    await withAbort(listing, context.signal);
    return this.known(name);
  }

  async #list(call: JsonRpcRequest, server: Peer, { sender }: RequestContext): Promise<void> {
    // Other calls wait for the same listing, so it continues if the first call is cancelled.
    const signal = AbortSignal.timeout(LIST_TOOLS_TIMEOUT_MS);
    const context = createContext('to-server', { sender, signal });
    const read = (cursor: string | undefined) => {
      const params = { ...withoutProgressToken(call), ...(cursor !== undefined && { cursor }) };
      return server.request(createRequest(createRequestId(0), this.#method, params), context);
    };
    const next = (page: JsonRpcResponse) => (parseResult(page) as JsonObject).nextCursor;
    for await (const page of readPages(read, next)) {
      const items = parseListItems(page, this.#shape);
      if (!items) {
        throw new AgentCoreError('protocol', `The server does not answer ${this.#method}`);
      }
      this.learn(items);
    }
  }
}

/** A tool or prompt as last listed. */
class AnnouncedItem implements ToolFacts {
  readonly generation: number;
  readonly inputSchema: unknown;
  readonly hints: Hints;
  readonly #defining: readonly unknown[];
  #definition: string | undefined;

  /** @param before The strictest hints so far. */
  constructor(item: JsonObject, generation: number, before: Hints | undefined) {
    const { writes, destroys } = parseHints(item.annotations);
    this.generation = generation;
    this.inputSchema = item.inputSchema;
    this.hints = {
      writes: writes || before?.writes === true,
      destroys: destroys || before?.destroys === true,
    };
    this.#defining = DEFINING.map((key) => item[key]);
  }

  /** Hash of the defining members. Computed on first use, because it is rarely needed. */
  get definition(): string {
    this.#definition ??= createHash('sha256')
      .update(JSON.stringify(this.#defining))
      .digest('base64url');
    return this.#definition;
  }
}

/**
 * Returns params with the call's `_meta`: it contains the protocol version of stateless requests.
 */
function withoutProgressToken({ params }: JsonRpcRequest): JsonObject {
  if (!isObject(params?._meta)) return {};
  const { progressToken: _, ...meta } = params._meta;
  return { _meta: meta };
}

/** Maximum stored tools. Beyond it, the oldest are removed. */
const MAX_TOOLS = 10_000;

/** Derives headers from the arguments of a tool call, as declared in the tool's schema. */
export class ToolHeaderCatalog {
  readonly #declared = new Map<string, readonly ParamHeader[]>();

  /** Stores the declarations of a `tools/list` result. */
  learn(response: JsonRpcResponse): void {
    const result = parseResult(response);
    if (!isObject(result) || !Array.isArray(result.tools)) return;
    for (const tool of result.tools as unknown[]) {
      if (isObject(tool) && typeof tool.name === 'string') this.#set(tool.name, tool);
    }
  }

  /** Returns the `Mcp-Param-*` headers of a call. Empty if the tool was not listed. */
  for(request: JsonRpcRequest): Record<string, string> {
    if (request.method !== 'tools/call') return {};
    const declared = this.#declared.get(String(request.params?.name));
    return declared ? createParamHeaders(request, declared) : {};
  }

  #set(name: string, tool: JsonObject): void {
    this.#declared.delete(name);
    this.#declared.set(name, parseParamHeaders(tool.inputSchema));
    if (this.#declared.size <= MAX_TOOLS) return;
    for (const oldest of this.#declared.keys()) {
      this.#declared.delete(oldest);
      break;
    }
  }
}

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

/** Maximum stored tools. At least the latest half is kept. */
const MAX_IDEMPOTENT_TOOLS = 20_000;

/** Decides by the method and the tool's annotations if a request may run twice. */
export class IdempotenceCatalog {
  readonly #tools = new LruCache<boolean>(MAX_IDEMPOTENT_TOOLS, () => 1);

  /** Records the response to a `tools/list`. */
  learn(response: JsonRpcResponse): void {
    const result = response.error ? undefined : parseResult(response);
    if (!isObject(result) || !Array.isArray(result.tools)) return;
    for (const tool of result.tools as unknown[]) {
      if (!isObject(tool) || typeof tool.name !== 'string') continue;
      const hints = isObject(tool.annotations) ? tool.annotations : {};
      this.#tools.set(tool.name, hints.readOnlyHint === true || hints.idempotentHint === true);
    }
  }

  /** False for a tool that was never listed, because without annotations it may have any effect. */
  isIdempotent({ method, params }: JsonRpcRequest): boolean {
    if (method === 'tools/call') return this.#tools.get(String(params?.name)) ?? false;
    return IDEMPOTENT_METHODS.has(method);
  }
}
