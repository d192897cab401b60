import { createParser } from 'eventsource-parser';

/** What a target says to a request: a result, or an error of its own. */
export type TargetAnswer = { readonly result: unknown } | { readonly error: unknown };

/** Reads the answer to the request `id` of a JSON body, or of a stream that may hold other messages. */
export async function readTargetAnswer(response: Response, id: number): Promise<TargetAnswer> {
  const found = isStream(response)
    ? await fromStream(response, id)
    : answerIn(await response.text(), id);
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
      found ??= answerIn(data, id);
    },
  });
  const decoder = new TextDecoder();
  // Leaving the loop closes the stream, for what comes after the answer is nobody's.
  for await (const chunk of body ?? []) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (found) break;
  }
  return found;
}

function answerIn(text: string, id: number): TargetAnswer | undefined {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof message !== 'object' || message === null) return undefined;
  // An error before the request was read has no id.
  if (!('id' in message) || (message.id !== id && message.id !== null)) return undefined;
  if ('result' in message) return { result: message.result };
  return 'error' in message ? { error: message.error } : undefined;
}
