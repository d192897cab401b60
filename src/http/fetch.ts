import { type IncomingMessage, request } from 'node:http';
import type { Network } from './network.ts';

/** Maximum bytes of a response. Expected responses have a few thousand. */
const MAX_BODY_BYTES = 256 * 1024;

interface SmallRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * A `fetch` for small responses with the configured network settings. Node's own `fetch` ignores
 * them. This function follows no redirects, because requests may contain secrets. The response has
 * no headers except `content-type` and `www-authenticate`. Rejects if the body is too large.
 */
export async function fetchViaNetwork(
  network: Network,
  url: URL,
  { method, headers, body, signal }: SmallRequest,
): Promise<Response> {
  const agent = await network.agentFor(url);
  try {
    return await new Promise<Response>((resolve, reject) => {
      const outgoing = request(
        url,
        { method, headers: { ...headers }, agent, signal },
        (answer) => {
          readWhole(answer).then((bytes) => resolve(toFetchResponse(answer, bytes)), reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  } finally {
    agent.destroy();
  }
}

async function readWhole(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer) {
    length += (chunk as Buffer).length;
    if (length > MAX_BODY_BYTES)
      throw new Error(`its answer has more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function toFetchResponse({ statusCode = 500, headers }: IncomingMessage, bytes: Buffer): Response {
  const { 'content-type': type, 'www-authenticate': challenge } = headers;
  const isEmpty = statusCode === 204 || statusCode === 304;
  return new Response(isEmpty ? null : new Uint8Array(bytes), {
    status: statusCode,
    headers: {
      ...(type !== undefined && { 'content-type': type }),
      ...(challenge !== undefined && { 'www-authenticate': challenge }),
    },
  });
}
