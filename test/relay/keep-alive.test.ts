import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createNotification,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseMessages,
} from '../../src/mcp/message.ts';
import { KeepAliveInterceptor } from '../../src/relay/keep-alive.ts';
import {
  applyInterceptors,
  createContext,
  type Peer,
  type RequestContext,
} from '../../src/relay/peer.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function parsed<M extends JsonRpcRequest | JsonRpcResponse>(text: string): M {
  return parseMessages(Buffer.from(text), 'server')[0] as M;
}

/** A slow call with a keep-alive of one second, the notifications to its client, and its end. */
function slowCall({ meta = '{"progressToken":"t"}', method = 'tools/call' } = {}) {
  const told: JsonRpcNotification[] = [];
  let end: ((response: JsonRpcResponse) => void) | undefined;
  let context: RequestContext | undefined;
  const server: Peer = {
    request: (_, given) => {
      context = given;
      return new Promise((resolve) => {
        end = resolve;
      });
    },
    notify: async () => undefined,
  };
  const client: Peer = {
    request: async () => {
      throw new Error('nobody asks');
    },
    notify: async (notification) => {
      told.push(notification);
    },
  };
  const request = parsed<JsonRpcRequest>(
    `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"name":"slow","_meta":${meta}}}`,
  );
  const peer = applyInterceptors([new KeepAliveInterceptor(1_000)], server);
  const answer = peer.request(request, createContext('to-server', { sender: client }));
  return {
    told,
    /** Resolves with the call's answer. */
    end: async () => {
      end?.(parsed<JsonRpcResponse>('{"jsonrpc":"2.0","id":1,"result":{}}'));
      return answer;
    },
    /** Sends a server notification on the call's stream. */
    say: (said: string, params: Record<string, unknown>) =>
      (context as RequestContext).sender.notify(
        createNotification(said, params),
        createContext('to-client'),
      ),
  };
}

const progressOf = (told: readonly JsonRpcNotification[]) =>
  told.map(({ params }) => params?.progress as number);

describe('a client that sent a progress token', () => {
  it('gets repeated progress while its call is open', async () => {
    const { told } = slowCall();
    await vi.advanceTimersByTimeAsync(3_500);
    expect(told).toHaveLength(3);
    expect(told.every(({ method }) => method === 'notifications/progress')).toBe(true);
    expect(told.map(({ params }) => params?.progressToken)).toEqual(['t', 't', 't']);
    expect(told[2]?.params?.message).toBe('Still running after 3 s');
  });

  it('gets increasing progress below any value that a server starts with', async () => {
    const { told } = slowCall();
    await vi.advanceTimersByTimeAsync(5_000);
    const progress = progressOf(told);
    expect(progress).toEqual([...progress].sort((one, other) => one - other));
    expect(new Set(progress).size).toBe(5);
    expect(Math.max(...progress)).toBeLessThan(0);
  });

  it('gets no progress for a call that is answered in time', async () => {
    const { told, end } = slowCall();
    await vi.advanceTimersByTimeAsync(999);
    await end();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(told).toEqual([]);
  });

  it('gets no more progress once the call is answered', async () => {
    const { told, end } = slowCall();
    await vi.advanceTimersByTimeAsync(2_000);
    await end();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(told).toHaveLength(2);
  });

  it('gets only the server’s progress after its first one, even if the server is silent for long', async () => {
    const { told, say } = slowCall();
    await vi.advanceTimersByTimeAsync(1_000);
    await say('notifications/progress', { progressToken: 't', progress: 0 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(progressOf(told)).toEqual([-1, 0]);
  });

  it('still gets progress if the server sends other notifications', async () => {
    const { told, say } = slowCall();
    await say('notifications/message', { level: 'info', data: 'working' });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told.map(({ method }) => method)).toEqual([
      'notifications/message',
      'notifications/progress',
    ]);
  });

  it.each(['0', '7', '""', '12345678901234567890'])(
    'gets its token back as it sent it: %s',
    async (token) => {
      const { told } = slowCall({ meta: `{"progressToken":${token}}` });
      await vi.advanceTimersByTimeAsync(1_000);
      expect(told[0]?.bytes.toString()).toContain(`"progressToken":${token},`);
    },
  );
});

describe('no progress is sent', () => {
  it.each<[string, Parameters<typeof slowCall>[0]]>([
    ['without a progress token', { meta: '{}' }],
    ['with a subscription, which stays open on purpose', { method: 'subscriptions/listen' }],
  ])('to a client %s', async (_, call) => {
    const { told } = slowCall(call);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(told).toEqual([]);
  });
});
