import type { PlatformError } from './errors.ts';
import type { HttpExchange } from './exchange.ts';

/**
 * A service on the port of the local runtime: an AWS API, gateways, the OAuth server or sign-in
 * pages.
 */
export interface AwsService {
  /**
   * Whether this service handles the request. Services are checked in order, and the first match
   * applies.
   */
  claims(exchange: HttpExchange): boolean;
  /** Sends the response. If it rejects, the caller gets an internal error. */
  handle(exchange: HttpExchange): Promise<void>;
}

const DEFAULT_RESULTS = 100;

const MAX_TOKEN = 2048;

/** One page of a list and the token of the next page. */
type Page<T> =
  | { readonly ok: true; readonly items: readonly T[]; readonly nextToken: string | undefined }
  | { readonly ok: false; readonly error: PlatformError };

interface PageRequest {
  /** From the query. Default: 100. */
  readonly maxResults: string | undefined;
  readonly nextToken: string | undefined;
  /** Maximum `maxResults`. */
  readonly limit: number;
}

/**
 * Returns the page for `maxResults` and `nextToken`. A token is valid only for the list that issued
 * it. `list` identifies that list.
 */
export function paginate<T>(
  all: readonly T[],
  list: string,
  { maxResults, nextToken, limit }: PageRequest,
): Page<T> {
  const size = maxResults === undefined ? DEFAULT_RESULTS : Number(maxResults);
  if (!Number.isInteger(size) || size < 1 || size > limit) {
    return createInvalidPage(
      `Value '${maxResults}' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and ${limit}, inclusive`,
    );
  }
  const start = nextToken === undefined ? 0 : readToken(nextToken, list);
  if (start === undefined) return createInvalidPage('The nextToken is not valid');
  const end = start + size;
  return {
    ok: true,
    items: all.slice(start, end),
    nextToken: end < all.length ? Buffer.from(`${list} ${end}`).toString('base64url') : undefined,
  };
}

function readToken(token: string, list: string): number | undefined {
  if (token.length > MAX_TOKEN) return undefined;
  const text = Buffer.from(token, 'base64url').toString('utf8');
  const [, name, start] = /^(.+) (\d+)$/.exec(text) ?? [];
  return name === list ? Number(start) : undefined;
}

function createInvalidPage(message: string): Page<never> {
  return { ok: false, error: { kind: 'validation', message } };
}

/** Decodes a path segment. Returns it unchanged if its percent-encoding is invalid. */
export function decodeLabel(label: string): string {
  try {
    return decodeURIComponent(label);
  } catch {
    return label;
  }
}

/** The origin of links in responses of the local runtime. */
export function getOrigin({ request: { socket } }: HttpExchange): string {
  return `http://127.0.0.1:${socket.localPort}`;
}
