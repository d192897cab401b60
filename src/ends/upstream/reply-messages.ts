import type { Reply } from '../../aws/post.ts';
import { AgentCoreError } from '../../error.ts';
import { isMessageEvent, readEvents, type StreamEvent } from '../../mcp/event-stream.ts';
import {
  type Message,
  type MessageFault,
  parseMessages,
  withoutByteOrderMark,
} from '../../mcp/message.ts';

/**
 * The messages that an answer with a status of 2xx carries, in order, each as soon as it is whole,
 * and a fault in place of what is no message. None for an answer without a body.
 *
 * @param limit The most bytes of one message.
 * @param noun What the server is called in sentences.
 * @throws {AgentCoreError} `protocol` for a message that is larger.
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
        ? parseMessages(Buffer.from(event.data, 'utf8'), 'server')
        : [strayEvent(event)];
    }
  } else {
    const body = withoutByteOrderMark(await reply.whole(limit));
    if (body.length > limit) {
      throw new AgentCoreError('protocol', `The ${noun}'s answer is larger than ${limit} bytes`);
    }
    if (!isBlank(body)) yield* parseMessages(body, 'server');
  }
}

/** Characters of an event's type that a sentence repeats. */
const MAX_TYPE_LENGTH = 100;

function strayEvent({ type }: StreamEvent): MessageFault {
  const quoted = JSON.stringify(type.slice(0, MAX_TYPE_LENGTH));
  const reason = `An event of the type ${quoted} carries no MCP message`;
  return { kind: 'fault', code: -32600, reason, id: undefined };
}

function isBlank(body: Buffer): boolean {
  return body.every((byte) => byte <= 0x20);
}
