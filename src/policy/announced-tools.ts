import { createHash } from 'node:crypto';
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
import { type Hints, hintsOf, type ToolFacts } from './decisions/facts.ts';
import { itemsOf, LISTS, type ListShape } from './lists.ts';

/** More tools than any server announces. */
const MOST_TOOLS = 10_000;
/** Milliseconds for all pages together. */
const PATIENCE = 60_000;

/** The members of a tool or prompt that a person agrees to with its name. */
const DEFINING = [
  'title',
  'description',
  'inputSchema',
  'outputSchema',
  'annotations',
  'arguments',
] as const;

/** What the server says of its tools: heard when the client lists them, or asked for where it did not. */
export class AnnouncedTools {
  readonly #method: 'tools/list' | 'prompts/list';
  readonly #shape: ListShape;
  readonly #items = new Map<string, AnnouncedItem>();
  /** Counts how often the server has announced other items. */
  #generation = 0;
  #listing: Promise<void> | undefined;

  constructor(method: 'tools/list' | 'prompts/list' = 'tools/list') {
    this.#method = method;
    this.#shape = LISTS.get(method) as ListShape;
  }

  /**
   * The strictest hints that the server ever gave for a tool stay. If there are more tools than the
   * bound, further ones are not learned, so the strictest assumptions apply to them.
   */
  learn(items: readonly unknown[]): void {
    for (const item of items) {
      const name = isObject(item) ? item[this.#shape.named] : undefined;
      if (!isObject(item) || typeof name !== 'string') continue;
      const before = this.#items.get(name);
      if (!before && this.#items.size >= MOST_TOOLS) continue;
      this.#items.set(name, new AnnouncedItem(item, this.#generation, before?.hints));
    }
  }

  /** The server has other tools now; the hints that it gave before are kept. */
  forget(): void {
    this.#generation++;
  }

  /** What is known of a tool already. */
  known(name: string): ToolFacts | undefined {
    const item = this.#items.get(name);
    return item?.generation === this.#generation ? item : undefined;
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
    const read = (cursor: string | undefined) => {
      const params = { ...withoutProgress(call), ...(cursor !== undefined && { cursor }) };
      return server.request(makeRequest(numericId(0), this.#method, params), exchange);
    };
    const next = (page: Response) => (resultOf(page) as JsonObject).nextCursor;
    for await (const page of readPages(read, next)) {
      const items = itemsOf(page, this.#shape);
      if (!items) {
        throw new AgentCoreError('protocol', `The server does not answer ${this.#method}`);
      }
      this.learn(items);
    }
  }
}

/** A tool or prompt as the server announced it last. */
class AnnouncedItem implements ToolFacts {
  readonly generation: number;
  readonly inputSchema: unknown;
  readonly hints: Hints;
  readonly #defining: readonly unknown[];
  #definition: string | undefined;

  /** @param before The strictest hints so far. */
  constructor(item: JsonObject, generation: number, before: Hints | undefined) {
    const { writes, destroys } = hintsOf(item.annotations);
    this.generation = generation;
    this.inputSchema = item.inputSchema;
    this.hints = {
      writes: writes || before?.writes === true,
      destroys: destroys || before?.destroys === true,
    };
    this.#defining = DEFINING.map((key) => item[key]);
  }

  /** A hash, because few definitions are compared and some are large. */
  get definition(): string {
    this.#definition ??= createHash('sha256')
      .update(JSON.stringify(this.#defining))
      .digest('base64url');
    return this.#definition;
  }
}

/** The stateless era says in each request's `_meta` what it speaks. */
function withoutProgress({ params }: Request): JsonObject {
  if (!isObject(params?._meta)) return {};
  const { progressToken: _, ...meta } = params._meta;
  return { _meta: meta };
}
