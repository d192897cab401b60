import { createParser } from 'eventsource-parser';
import { AgentCoreError } from '../error.ts';

/** What an event is if nothing says its type, and what those are that carry MCP messages. */
const MESSAGE = 'message';

export interface StreamEvent {
  readonly type: string;
  readonly data: string;
}

/**
 * The events of a `text/event-stream`, in order and as soon as the last byte of each is here. Events
 * without data (such as the priming event of MCP 2025-11-25) are passed over. A byte that is not
 * UTF-8 becomes U+FFFD, as the specification of event streams asks.
 *
 * @param limit The most characters that one event may have.
 * @throws {AgentCoreError} `protocol` when an event is larger than that.
 */
export async function* readEvents(
  body: AsyncIterable<Buffer>,
  limit: number,
): AsyncGenerator<StreamEvent, void, void> {
  const ready: StreamEvent[] = [];
  let tooLarge = false;
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (data !== '') ready.push({ type: event || MESSAGE, data });
    },
    // Unknown fields and odd retry values are the sender's business; only size ends the stream.
    onError: ({ type }) => {
      tooLarge ||= type === 'max-buffer-size-exceeded';
    },
    maxBufferSize: limit,
  });
  const decoder = new TextDecoder('utf-8');
  let last = '';
  for await (const chunk of body) {
    const text = decoder.decode(chunk, { stream: true });
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

/** True for an event that carries an MCP message. */
export function isMessageEvent({ type }: StreamEvent): boolean {
  return type === MESSAGE;
}
