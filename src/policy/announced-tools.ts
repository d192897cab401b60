import { AgentCoreError } from '../error.ts';
import {
  isObject,
  type JsonObject,
  makeRequest,
  numericId,
  type Request,
  type Response,
  resultOf,
} from '../mcp/message.ts';
import { readPages } from '../mcp/pages.ts';
import type { Exchange, Peer } from '../relay/peer.ts';
import { unlessAborted } from '../relay/peer.ts';
import type { ToolFacts } from './decisions/facts.ts';
import { itemsOf, LISTS, type ListShape } from './lists.ts';

/** More tools than any server announces. */
const MOST_TOOLS = 10_000;
/** Milliseconds for all pages together. */
const PATIENCE = 60_000;

/** What the server says of its tools: heard when the client lists them, or asked for where it did not. */
export class AnnouncedTools {
  readonly #tools = new Map<string, ToolFacts>();
  #listing: Promise<void> | undefined;

  learn(items: readonly unknown[]): void {
    for (const tool of items) {
      if (!isObject(tool) || typeof tool.name !== 'string') continue;
      this.#tools.delete(tool.name);
      const annotations = isObject(tool.annotations) ? tool.annotations : {};
      this.#tools.set(tool.name, { annotations, inputSchema: tool.inputSchema });
      if (this.#tools.size > MOST_TOOLS) this.#tools.delete(this.#tools.keys().next().value ?? '');
    }
  }

  /** The server has other tools now. */
  forget(): void {
    this.#tools.clear();
  }

  /** What is known of a tool already. */
  known(name: string): ToolFacts | undefined {
    return this.#tools.get(name);
  }

  /** The same, after asking the server where nothing is known. Calls that need it wait together. */
  async find(
    name: string,
    call: Request,
    server: Peer,
    exchange: Exchange,
  ): Promise<ToolFacts | undefined> {
    const known = this.known(name);
    if (known) return known;
    if (!this.#listing) {
      const listing = this.#list(call, server, exchange).finally(() => {
        this.#listing = undefined;
      });
      listing.catch(() => undefined);
      this.#listing = listing;
    }
    await unlessAborted(this.#listing, exchange.signal);
    return this.known(name);
  }

  async #list(call: Request, server: Peer, { back }: Exchange): Promise<void> {
    // Others wait for it as well, so it goes on when the call that began it is cancelled.
    const exchange = { back, signal: AbortSignal.timeout(PATIENCE) };
    const shape = LISTS.get('tools/list') as ListShape;
    const read = (cursor: string | undefined) => {
      const params = { ...withoutProgress(call), ...(cursor !== undefined && { cursor }) };
      return server.request(makeRequest(numericId(0), 'tools/list', params), exchange);
    };
    const next = (page: Response) => (resultOf(page) as JsonObject).nextCursor;
    for await (const page of readPages(read, next)) {
      const items = itemsOf(page, shape);
      if (!items) throw new AgentCoreError('protocol', 'The server does not list its tools');
      this.learn(items);
    }
  }
}

/** The stateless era says in each request's `_meta` what it speaks. */
function withoutProgress({ params }: Request): JsonObject {
  if (!isObject(params?._meta)) return {};
  const { progressToken: _, ...meta } = params._meta;
  return { _meta: meta };
}
