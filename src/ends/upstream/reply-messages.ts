import type { HttpReply } from '../../aws/post.ts';
import { AgentCoreError } from '../../error.ts';
import { isMessageEvent, readEvents, type StreamEvent } from '../../mcp/event-stream.ts';
import {
  type InvalidMessage,
  type JsonRpcMessage,
  readMessages,
  withoutByteOrderMark,
} from '../../mcp/message.ts';
import { runInSlices } from '../../slices.ts';

/**
 * Parses the messages of a 2xx reply, in order and as soon as each is complete. Yields a fault for
 * each invalid message, and nothing for an empty body.
 *
 * @param limit Maximum bytes of one message.
 * @param noun Name of the server in messages.
 * @throws {AgentCoreError} `protocol` if a message is larger.
 */
export async function* readReplyMessages(
  reply: HttpReply,
  limit: number,
  noun: string,
): AsyncGenerator<JsonRpcMessage | InvalidMessage, void, void> {
  const type = String(reply.headers['content-type'] ?? '').toLowerCase();
  if (type.startsWith('text/event-stream')) {
    for await (const event of readEvents(reply.chunks(), limit)) {
      yield* isMessageEvent(event)
        ? await runInSlices(readMessages(event.data, 'server'))
        : [createInvalidEventMessage(event)];
    }
  } else {
    const body = withoutByteOrderMark(await reply.whole(limit));
    if (body.length > limit) {
      throw new AgentCoreError('protocol', `The ${noun}'s answer is larger than ${limit} bytes`);
    }
    if (!isBlank(body)) yield* await runInSlices(readMessages(body, 'server'));
  }
}

/** Maximum characters of an event type in an error message. */
const MAX_TYPE_LENGTH = 100;

function createInvalidEventMessage({ type }: StreamEvent): InvalidMessage {
  const quoted = JSON.stringify(type.slice(0, MAX_TYPE_LENGTH));
  const reason = `An event of the type ${quoted} carries no MCP message`;
  return { kind: 'fault', code: -32600, reason, id: undefined };
}

function isBlank(body: Buffer): boolean {
  return body.every((byte) => byte <= 0x20);
}
