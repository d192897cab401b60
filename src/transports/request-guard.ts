import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** A rejection of a request, before its body is read. */
interface RequestRefusal {
  readonly status: 403 | 415;
  readonly reason: string;
}

/**
 * Rejects requests from web pages: a foreign `Origin`, or a body other than JSON. On a loopback
 * address it also rejects a foreign `Host`, against DNS rebinding. On other addresses, as in a
 * container, any `Host` is accepted.
 *
 * @param host Listening address.
 */
export function checkRequest(
  { headers, method }: Pick<IncomingMessage, 'headers' | 'method'>,
  host: string,
): RequestRefusal | undefined {
  const { host: named, origin } = headers;
  const isLocal = named === undefined || isLoopback(parseHostname(named));
  if (isLoopback(host) && !isLocal) {
    const reason = `The Host header names ${named}, but only this machine is served. Use http://127.0.0.1`;
    return { status: 403, reason };
  }
  if (origin !== undefined && !(isLocal && origin === `http://${named}`)) {
    return {
      status: 403,
      reason: `The Origin ${origin} is not allowed: no page may send messages here`,
    };
  }
  const type = headers['content-type'];
  if (method === 'POST' && type !== undefined && !isJson(type)) {
    const reason = `The Content-Type is ${type}. Send the message as application/json`;
    return { status: 415, reason };
  }
  return undefined;
}

function parseHostname(host: string): string {
  return URL.parse(`http://${host}`)?.hostname ?? host;
}

function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '');
  return (
    address === 'localhost' ||
    address === '::1' ||
    (isIP(address) === 4 && address.startsWith('127.'))
  );
}

function isJson(type: string): boolean {
  return /^application\/([\w.+-]+\+)?json$/i.test(type.split(';')[0]?.trim() ?? '');
}

/** The body of a POST, or the reason for rejecting it. */
type Body = { readonly bytes: Buffer } | { readonly status: 400 | 413; readonly refusal: string };

/** Reads a body of at most `limit` bytes. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Body> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Read and discard the rest of an oversized body. Otherwise the client cannot read the
    // response.
    if (length > limit) chunks.length = 0;
    else chunks.push(chunk);
  }
  if (length > limit) {
    return {
      status: 413,
      refusal: `The body has ${length} bytes, more than the ${limit} that fit`,
    };
  }
  const bytes = Buffer.concat(chunks, length);
  if (bytes.toString('latin1').trim() === '') return { status: 400, refusal: 'The body is empty' };
  return { bytes };
}
