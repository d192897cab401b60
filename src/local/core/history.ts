import type { Clock } from './clock.ts';

// Bounded collections, and the records of requests and their deliveries to containers.

/** The newest `limit` items, oldest first. Empty if `limit` is 0. */
export class Newest<T> {
  readonly items: T[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(item: T): void {
    this.items.push(item);
    if (this.items.length > this.#limit) this.items.shift();
  }
}

/** A map with at most `limit` items. If it is full, the oldest item is dropped. */
export class NewestByKey<V> {
  readonly #items = new Map<string, V>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    return this.#items.get(key);
  }

  set(key: string, item: V): void {
    this.#items.set(key, item);
    if (this.#items.size <= this.#limit) return;
    const [oldest] = this.#items.keys();
    if (oldest !== undefined) this.#items.delete(oldest);
  }

  delete(key: string): void {
    this.#items.delete(key);
  }

  /** Oldest first. */
  all(): V[] {
    return [...this.#items.values()];
  }
}

/** One request to a local runtime. */
export interface RequestRecord {
  /** The `x-amzn-RequestId` of the response. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  /** The query without the values of secret parameters. */
  readonly query: string;
  /** Names in lower case. Without signatures, tokens and cookies. */
  readonly headers: Readonly<Record<string, string>>;
  operation:
    | 'invoke'
    | 'stop'
    | 'sts'
    | 'control'
    | 'oauth'
    | 'gateway'
    | 'sso-oidc'
    | 'sso'
    | undefined;
  /** Name of the runtime in the configuration. */
  runtime: string | undefined;
  /** The JSON-RPC method, or the name of the API, STS action or OAuth endpoint. */
  rpcMethod: string | undefined;
  /** `params.name` or `params.uri`. */
  tool: string | undefined;
  rpcId: string | number | null | undefined;
  requestBytes: number;
  /** `undefined` until the response starts. */
  status: number | undefined;
  /** Process id of the container. */
  pid: number | undefined;
  /** The kind of the injected fault. */
  fault: string | undefined;
  /** The reason for a refusal. It has more details than the response. */
  refusal: string | undefined;
  /**
   * `answered`: response complete. `cut`: ended by the local runtime or the container.
   * `disconnected`: the client closed the connection first.
   */
  outcome: 'open' | 'answered' | 'cut' | 'disconnected';
  durationMs: number | undefined;
}

const SECRET_HEADERS = new Set([
  'authorization',
  'x-amz-security-token',
  'x-amz-sso_bearer_token',
  'cookie',
]);

const SECRET_PARAMETERS = /(^|&)(code|state|user_code)=[^&]*/g;

/** Removes the values of secret parameters. */
export function sanitizeQuery(query: string): string {
  return query.replace(SECRET_PARAMETERS, '$1$2=');
}

export function sanitizeHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && !SECRET_HEADERS.has(name)) {
      kept[name] = typeof value === 'string' ? value : value.join(', ');
    }
  }
  return kept;
}

/** A request that reached a container, regardless of the response. */
export interface Delivery {
  /** Milliseconds since the epoch, at the last byte written to the container's socket. */
  readonly at: number;
  /** The request of the client. The record changes until the response is complete. */
  readonly request: RequestRecord;
  readonly runtimeSessionId: string;
  /** `undefined` for HTTP runtimes, and until a stateful server issues an id. */
  readonly mcpSessionId: string | undefined;
  /** The body as sent to the container, unchanged. */
  readonly body: string;
}

/**
 * The requests received by containers. Tests compare them with the requests of clients and with
 * side effects.
 */
export class Deliveries {
  readonly #newest: Newest<Delivery>;
  readonly #kept: boolean;
  readonly #clock: Clock;

  constructor(limit: number, clock: Clock) {
    this.#newest = new Newest(limit);
    this.#kept = limit > 0;
    this.#clock = clock;
  }

  get all(): readonly Delivery[] {
    return this.#newest.items;
  }

  add(
    request: RequestRecord,
    session: Pick<Delivery, 'runtimeSessionId' | 'mcpSessionId'>,
    body: Buffer,
  ): void {
    // A copy of the body can be expensive.
    if (!this.#kept) return;
    const { runtimeSessionId, mcpSessionId } = session;
    this.#newest.add({
      at: this.#clock.now(),
      request,
      runtimeSessionId,
      mcpSessionId,
      body: body.toString('utf8'),
    });
  }
}
