import type { Network } from '../network.ts';
import { networkFetch } from './network-fetch.ts';

/** What a server says of the tokens that it wants (RFC 6750, 3; RFC 9728, 5.1). */
export interface Challenge {
  readonly error?: string | undefined;
  readonly errorDescription?: string | undefined;
  /** With spaces between. */
  readonly scope?: string | undefined;
  /** The URL of what describes the server, who issues its tokens above all. */
  readonly resourceMetadata?: string | undefined;
}

/** Characters of a server's words that are repeated. */
const LONGEST_WORDS = 300;

/**
 * The `Bearer` challenge of a `WWW-Authenticate` header, which may have others besides; `undefined`
 * where there is none.
 */
export function readChallenge(header: string | null | undefined): Challenge | undefined {
  const text = header?.slice(0, 8_192) ?? '';
  const start = /(?:^|[\s,])bearer(?=\s|,|$)/i.exec(text);
  if (!start) return undefined;
  const members = new Map<string, string>();
  // RFC 9110, 11.2: name=token or name="quoted", with commas between; another scheme ends them.
  const member = /[\s,]*([\w-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/y;
  member.lastIndex = start.index + start[0].length;
  for (let match = member.exec(text); match; match = member.exec(text)) {
    const [, name = '', quoted, plain = ''] = match;
    members.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain);
  }
  const wordsOf = (name: string) => members.get(name)?.slice(0, LONGEST_WORDS) || undefined;
  return {
    error: wordsOf('error'),
    errorDescription: wordsOf('error_description'),
    scope: wordsOf('scope'),
    resourceMetadata: members.get('resource_metadata') || undefined,
  };
}

/** How a server wants to be told who is calling, as far as it says. */
export interface Wanted {
  readonly method: 'iam' | 'bearer' | 'none' | 'unknown';
  readonly challenge: Challenge | undefined;
}

/**
 * Asks an MCP server by a request that says nothing of who is calling: it is refused in the server's
 * own way, before anybody does anything (a server that lets everybody in answers a `ping`).
 *
 * @param signal Bounds the wait.
 * @throws whatever the network throws, and the signal's reason.
 */
export async function wantedBy(url: URL, network: Network, signal: AbortSignal): Promise<Wanted> {
  const response = await networkFetch(network, url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: '{"jsonrpc":"2.0","id":0,"method":"ping"}',
    signal,
  });
  const challenge = readChallenge(response.headers.get('www-authenticate'));
  if (challenge) return { method: 'bearer', challenge };
  if (response.ok) return { method: 'none', challenge };
  // AWS refuses an unsigned request by 403; some services by 401.
  const isRefused = response.status === 403 || response.status === 401;
  return { method: isRefused ? 'iam' : 'unknown', challenge };
}
