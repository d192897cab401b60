import { fetchViaNetwork } from '../../http/fetch.ts';
import type { Network } from '../../http/network.ts';

/** The token requirements in a server's response (RFC 6750, 3; RFC 9728, 5.1). */
interface Challenge {
  readonly error?: string | undefined;
  readonly errorDescription?: string | undefined;
  /** Separated by spaces. */
  readonly scope?: string | undefined;
  /** URL of the server's metadata, with the token issuer. */
  readonly resourceMetadata?: string | undefined;
}

/** Maximum characters of a server's text in messages. */
const MAX_PARAMETER_LENGTH = 300;

/**
 * Parses the `Bearer` challenge of a `WWW-Authenticate` header, which may contain other challenges.
 * Returns `undefined` if there is none.
 */
export function readChallenge(header: string | null | undefined): Challenge | undefined {
  const text = header?.slice(0, 8_192) ?? '';
  const start = /(?:^|[\s,])bearer(?=\s|,|$)/i.exec(text);
  if (!start) return undefined;
  const members = new Map<string, string>();
  // RFC 9110, 11.2: name=token or name="quoted", separated by commas. Another scheme ends them.
  const member = /[\s,]*([\w-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/y;
  member.lastIndex = start.index + start[0].length;
  for (let match = member.exec(text); match; match = member.exec(text)) {
    const [, name = '', quoted, plain = ''] = match;
    members.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain);
  }
  const readParameter = (name: string) =>
    members.get(name)?.slice(0, MAX_PARAMETER_LENGTH) || undefined;
  return {
    error: readParameter('error'),
    errorDescription: readParameter('error_description'),
    scope: readParameter('scope'),
    resourceMetadata: members.get('resource_metadata') || undefined,
  };
}

/** The authorization method of a server, as far as it can be detected. */
export interface AuthProbeResult {
  readonly method: 'iam' | 'bearer' | 'none' | 'unknown';
  readonly challenge: Challenge | undefined;
}

/**
 * Detects the authorization method of an MCP server with an unauthenticated `ping`. The server
 * rejects it in its own way before any work starts, or responds if it needs no authorization.
 *
 * @param signal Limits the wait.
 * @throws network errors, and the signal's reason.
 */
export async function probeAuthMethod(
  url: URL,
  network: Network,
  signal: AbortSignal,
): Promise<AuthProbeResult> {
  const response = await fetchViaNetwork(network, url, {
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
  // AWS rejects an unsigned request with 403, some services with 401.
  const isRefused = response.status === 403 || response.status === 401;
  return { method: isRefused ? 'iam' : 'unknown', challenge };
}
