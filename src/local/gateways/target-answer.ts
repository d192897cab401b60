import { createParser } from 'eventsource-parser';

/** The JSON-RPC result or error from a target. */
export type TargetAnswer = { readonly result: unknown } | { readonly error: unknown };

/**
 * Reads the response to request `id` from a JSON body, or from a stream with other messages in it.
 *
 * @throws {Error} if there is no such response.
 */
export async function readTargetAnswer(response: Response, id: number): Promise<TargetAnswer> {
  const found = isStream(response)
    ? await fromStream(response, id)
    : parseTargetResponse(await response.text(), id);
  if (found) return found;
  throw new Error(`the target answered with status ${response.status} and no JSON-RPC answer`);
}

function isStream({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('text/event-stream') ?? false;
}

async function fromStream({ body }: Response, id: number): Promise<TargetAnswer | undefined> {
  let found: TargetAnswer | undefined;
  const parser = createParser({
    onEvent: ({ data }) => {
      found ??= parseTargetResponse(data, id);
    },
  });
  const decoder = new TextDecoder();
  // Leaving the loop closes the stream. Later messages have no recipient.
  for await (const chunk of body ?? []) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (found) break;
  }
  return found;
}

function parseTargetResponse(text: string, id: number): TargetAnswer | undefined {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof message !== 'object' || message === null) return undefined;
  // The id is null if the server failed before it read the request.
  if (!('id' in message) || (message.id !== id && message.id !== null)) return undefined;
  if ('result' in message) return { result: message.result };
  return 'error' in message ? { error: message.error } : undefined;
}
