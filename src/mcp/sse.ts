import { createParser } from 'eventsource-parser';
import { AgentCoreError } from '../base/errors.ts';

/** The event type of MCP messages, and the default if an event has no type. */
const MESSAGE = 'message';

/** An event with data. */
export interface StreamEvent {
  readonly type: string;
  readonly data: string;
}

/**
 * Parses the events of a `text/event-stream`, each as soon as its last byte arrives. Skips events
 * without data, such as the priming event of MCP 2025-11-25. Invalid UTF-8 becomes U+FFFD, as the
 * event stream specification requires.
 *
 * @param limit Maximum characters of one event.
 * @throws {AgentCoreError} `protocol` if an event is larger.
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
    // Ignore unknown fields and invalid retry values. Only an oversized event ends the stream.
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
  // A final carriage return may be half of a CRLF. At the end of the body it is a whole line end.
  if (last === '\r') parser.feed('\n');
  yield* ready;
}

/** True if the event carries an MCP message. */
export function isMessageEvent({ type }: StreamEvent): boolean {
  return type === MESSAGE;
}
