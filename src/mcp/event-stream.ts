import { createParser } from 'eventsource-parser';
import { AgentCoreError } from '../error.ts';

/**
 * The data of each event of a `text/event-stream`, in order and as soon as its last byte is here.
 * Events without data (such as the priming event of MCP 2025-11-25) are passed over.
 *
 * @param limit The most characters that one event may have.
 * @throws {AgentCoreError} `protocol` when an event is larger than that or is not UTF-8.
 */
export async function* readEvents(
  body: AsyncIterable<Buffer>,
  limit: number,
): AsyncGenerator<string, void, void> {
  const ready: string[] = [];
  let tooLarge = false;
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data !== '') ready.push(data);
    },
    // Unknown fields and odd retry values are the sender's business; only size ends the stream.
    onError: ({ type }) => {
      tooLarge ||= type === 'max-buffer-size-exceeded';
    },
    maxBufferSize: limit,
  });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let last = '';
  for await (const chunk of body) {
    const text = decode(decoder, chunk);
    last = text.at(-1) ?? last;
    parser.feed(text);
    yield* ready.splice(0);
    if (tooLarge) {
      throw new AgentCoreError(
        'protocol',
        `An event of the stream is larger than ${limit} characters`,
      );
    }
  }
  // A carriage return at the very end may have been half of a line end; now it was all of it.
  if (last === '\r') parser.feed('\n');
  yield* ready;
}

function decode(decoder: InstanceType<typeof TextDecoder>, chunk: Buffer): string {
  try {
    return decoder.decode(chunk, { stream: true });
  } catch (cause) {
    throw new AgentCoreError('protocol', 'The event stream is not UTF-8', { cause });
  }
}
