import type { Reply } from '../../aws/post.ts';
import { AgentCoreError } from '../../error.ts';
import { isMessageEvent, readEvents, type StreamEvent } from '../../mcp/event-stream.ts';
import {
  type Message,
  type MessageFault,
  readMessages,
  withoutByteOrderMark,
} from '../../mcp/message.ts';
import { inSlices } from '../../slices.ts';

/**
 * Parses the messages of a 2xx reply, in order and as soon as each is complete. Yields a fault for
 * each invalid message, and nothing for an empty body.
 *
 * @param limit Maximum bytes of one message.
 * @param noun Name of the server in messages.
 * @throws {AgentCoreError} `protocol` if a message is larger.
 */
export async function* replyMessages(
  reply: Reply,
  limit: number,
  noun: string,
): AsyncGenerator<Message | MessageFault, void, void> {
  const type = String(reply.headers['content-type'] ?? '').toLowerCase();
  if (type.startsWith('text/event-stream')) {
    for await (const event of readEvents(reply.chunks(), limit)) {
      yield* isMessageEvent(event)
        ? await inSlices(readMessages(event.data, 'server'))
        : [strayEvent(event)];
    }
  } else {
    const body = withoutByteOrderMark(await reply.whole(limit));
    if (body.length > limit) {
      throw new AgentCoreError('protocol', `The ${noun}'s answer is larger than ${limit} bytes`);
    }
    if (!isBlank(body)) yield* await inSlices(readMessages(body, 'server'));
  }
}

/** Maximum characters of an event type in an error message. */
const MAX_TYPE_LENGTH = 100;

function strayEvent({ type }: StreamEvent): MessageFault {
  const quoted = JSON.stringify(type.slice(0, MAX_TYPE_LENGTH));
  const reason = `An event of the type ${quoted} carries no MCP message`;
  return { kind: 'fault', code: -32600, reason, id: undefined };
}

function isBlank(body: Buffer): boolean {
  return body.every((byte) => byte <= 0x20);
}
