import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createNotification,
  createRequest,
  createRequestId,
  type JsonRpcMessage,
} from '../../src/mcp/message.ts';
import { createContext, type Peer } from '../../src/relay/peer.ts';
import { MAX_WAIT_MS, Outbox } from '../../src/transports/outbox.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function outboxWithClient() {
  const warnings: string[] = [];
  const outbox = new Outbox((level, sentence) => {
    if (level === 'warning') warnings.push(sentence);
  });
  const received: JsonRpcMessage[] = [];
  const call: Peer = {
    request: (request) => {
      received.push(request);
      return new Promise(() => undefined);
    },
    notify: async (notification) => {
      received.push(notification);
    },
  };
  const context = createContext('to-client', { sender: call });
  return { outbox, call, exchange: context, received, warnings };
}
const question = createRequest(createRequestId(1), 'roots/list');
const change = createNotification('notifications/tools/list_changed');

describe('a message for which no client request arrives in time', () => {
  it('fails with an error that names the time if it is a request, and is not sent later', async () => {
    const { outbox, call, exchange: context, received } = outboxWithClient();
    const answer = outbox.request(question, context);
    answer.catch(() => undefined);
    vi.advanceTimersByTime(MAX_WAIT_MS);
    await expect(answer).rejects.toMatchObject({
      code: 'timeout',
      message:
        'Could not deliver roots/list: the client sent no request within 60 s. Send it while a request of the client is open.',
    });
    outbox.deliverTo(call);
    expect(received).toEqual([]);
  });

  it('is dropped with a warning if it is a notification', async () => {
    const { outbox, call, exchange: context, received, warnings } = outboxWithClient();
    await outbox.notify(change, context);
    vi.advanceTimersByTime(MAX_WAIT_MS);
    outbox.deliverTo(call);
    expect(received).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining('notifications/tools/list_changed')]);
  });

  it('is sent once if a request arrives right before the timeout', async () => {
    const { outbox, call, exchange: context, received, warnings } = outboxWithClient();
    void outbox.request(question, context);
    await outbox.notify(change, context);
    vi.advanceTimersByTime(MAX_WAIT_MS - 1);
    outbox.deliverTo(call);
    vi.advanceTimersByTime(MAX_WAIT_MS);
    outbox.deliverTo(call);
    expect(received).toEqual([question, change]);
    expect(warnings).toEqual([]);
  });
});

it('drops progress and subscription messages of finished requests', async () => {
  const { outbox, call, exchange: context, received } = outboxWithClient();
  await outbox.notify(createNotification('notifications/progress', { progressToken: 1 }), context);
  const _meta = { 'io.modelcontextprotocol/subscriptionId': 1 };
  await outbox.notify(createNotification('notifications/resources/updated', { _meta }), context);
  outbox.deliverTo(call);
  expect(received).toEqual([]);
});

it('rejects a message of more than 8 MB, and keeps the others', async () => {
  const { outbox, call, exchange: context, received } = outboxWithClient();
  await outbox.notify(change, context);
  const large = createRequest(createRequestId(2), 'roots/list', {
    data: 'x'.repeat(8 * 1024 * 1024),
  });
  await expect(outbox.request(large, context)).rejects.toThrow(/more than 8 MB/);
  outbox.deliverTo(call);
  expect(received).toEqual([change]);
});
