import type { Reply } from '../../aws/post.ts';
import { AgentCoreError } from '../../error.ts';
import { readEvents } from '../../mcp/event-stream.ts';
import { type Message, parseMessages } from '../../mcp/message.ts';

/**
 * The messages that an answer with a status of 2xx carries, in order, each as soon as it is whole.
 * None for an answer without a body.
 *
 * @param limit The most bytes of one message.
 * @param noun What the server is called in sentences.
 * @throws {AgentCoreError} `protocol` where there is something else than messages.
 */
export async function* replyMessages(
  reply: Reply,
  limit: number,
  noun: string,
): AsyncGenerator<Message, void, void> {
  const type = String(reply.headers['content-type'] ?? '').toLowerCase();
  if (type.startsWith('text/event-stream')) {
    for await (const data of readEvents(reply.chunks(), limit)) {
      yield* messagesOf(Buffer.from(data, 'utf8'), reply, noun);
    }
  } else {
    const body = await reply.whole(limit);
    if (body.length > limit) {
      throw new AgentCoreError('protocol', `The ${noun}'s answer is larger than ${limit} bytes`);
    }
    if (!isBlank(body)) yield* messagesOf(body, reply, noun);
  }
}

function* messagesOf(bytes: Buffer, reply: Reply, noun: string): Generator<Message, void, void> {
  for (const message of parseMessages(bytes)) {
    if (message.kind === 'fault') {
      const type = reply.headers['content-type'] || 'no content type';
      throw new AgentCoreError(
        'protocol',
        `The ${noun} answered with something that is no MCP message (${message.reason}; HTTP ${reply.status}, ${type}): check that it is an MCP ${noun}, and its logs`,
        { data: { status: reply.status, requestId: reply.headers['x-amzn-requestid'] } },
      );
    }
    yield message;
  }
}

function isBlank(body: Buffer): boolean {
  return body.every((byte) => byte <= 0x20);
}
