import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** Why a request is refused before its body is read. */
interface RequestRefusal {
  readonly status: 403 | 415;
  readonly reason: string;
}

/**
 * Refuses what a page in a browser could send here: a foreign `Origin`, a body that is not JSON, and,
 * on a loopback address, a `Host` that only a rebound DNS name leads here. A container that listens on
 * all addresses has no name of its own, so it accepts any `Host`.
 *
 * @param host The address that is listened on.
 */
export function refusalOf(
  { headers, method }: Pick<IncomingMessage, 'headers' | 'method'>,
  host: string,
): RequestRefusal | undefined {
  const { host: named, origin } = headers;
  const isLocal = named === undefined || isLoopback(hostnameOf(named));
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

function hostnameOf(host: string): string {
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
