import type { Reply } from '../../aws/post.ts';
import { AgentCoreError } from '../../error.ts';
import { readEvents } from '../../mcp/event-stream.ts';
import { type Message, parseMessages } from '../../mcp/message.ts';

/**
 * The messages that an answer with a status of 2xx carries, in order, each as soon as it is whole.
 * None for an answer without a body.
 *
 * @param limit The most bytes of one message.
 * @throws {AgentCoreError} `protocol` where there is something else than messages.
 */
export async function* replyMessages(
  reply: Reply,
  limit: number,
): AsyncGenerator<Message, void, void> {
  const type = String(reply.headers['content-type'] ?? '').toLowerCase();
  if (type.startsWith('text/event-stream')) {
    for await (const data of readEvents(reply.chunks(), limit)) {
      yield* messagesOf(Buffer.from(data, 'utf8'), reply, type);
    }
  } else {
    const body = await reply.whole(limit);
    if (body.length > limit) {
      throw new AgentCoreError('protocol', `The runtime's answer is larger than ${limit} bytes`);
    }
    if (!isBlank(body)) yield* messagesOf(body, reply, type);
  }
}

function* messagesOf(bytes: Buffer, reply: Reply, type: string): Generator<Message, void, void> {
  for (const message of parseMessages(bytes)) {
    if (message.kind === 'fault') {
      throw new AgentCoreError(
        'protocol',
        `The runtime answered with something that is no MCP message (${message.reason}; HTTP ${reply.status}, ${type || 'no content type'}): check that it is an MCP runtime, and its logs`,
        { data: { status: reply.status, requestId: reply.headers['x-amzn-requestid'] } },
      );
    }
    yield message;
  }
}

function isBlank(body: Buffer): boolean {
  return body.every((byte) => byte <= 0x20);
}
