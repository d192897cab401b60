import type { IncomingMessage } from 'node:http';

/** The body of a POST, or the reason for rejecting it. */
type Body = { readonly bytes: Buffer } | { readonly status: 400 | 413; readonly refusal: string };

/** Reads a body of at most `limit` bytes. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Body> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Read the rest of an oversized body without keeping it, or the client could not read the
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
