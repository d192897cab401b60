import { describe, expect, it } from 'vitest';
import { RUNTIME_ARN, startProxy } from '../fixtures/proxy-process.ts';
import {
  isCall,
  json,
  result,
  type Seen,
  startUpstream,
  stream,
} from '../fixtures/scripted-upstream.ts';

describe('client messages', () => {
  it('arrive as signed invokes, with the runtime session and the MCP headers', async () => {
    const upstream = await startUpstream((seen) => isCall(seen) && result(seen, { content: [] }));
    const proxy = startProxy(upstream.url, { AGENTCORE_QUALIFIER: 'PROD' });
    await proxy.initialize();
    await proxy.call('echo');

    const [initialize, initialized, call] = upstream.seen as [Seen, Seen, Seen];
    for (const { path, query, headers } of [initialize, initialized, call]) {
      expect(path).toBe(`/runtimes/${encodeURIComponent(RUNTIME_ARN)}/invocations`);
      expect(query.get('qualifier')).toBe('PROD');
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      });
      expect(headers.authorization).toMatch(
        /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-west-2\/bedrock-agentcore\/aws4_request, /,
      );
      expect(headers['x-amzn-bedrock-agentcore-runtime-session-id']).toMatch(
        /^[a-zA-Z0-9][a-zA-Z0-9-_]{32,99}$/,
      );
    }
    expect(
      new Set(
        upstream.seen.map(({ headers }) => headers['x-amzn-bedrock-agentcore-runtime-session-id']),
      ).size,
    ).toBe(1);
    expect(initialize.headers).not.toHaveProperty('mcp-session-id');
    expect(initialize.headers).not.toHaveProperty('mcp-protocol-version');
    for (const { headers } of [initialized, call]) {
      expect(headers['mcp-session-id']).toBe('server-session-1');
      expect(headers['mcp-protocol-version']).toBe('2025-11-25');
    }
  });

  it('keep their bytes except the id, and so do the answers', async () => {
    const answer =
      '{"result":{"n":12345678901234567890,"x":1.0,"s":"\\u00e9\u2028"},"id": 1 ,"jsonrpc":"2.0","extra":[]}';
    const upstream = await startUpstream((seen) => {
      if (seen.message?.method !== 'vendor/unknown') return;
      seen.response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
      return true;
    });
    const proxy = startProxy(upstream.url);
    const raw: Buffer[] = [];
    proxy.child.stdout?.on('data', (text: string) => raw.push(Buffer.from(text)));
    proxy.write(
      '{"method":"vendor/unknown", "params":{"n":98765432109876543210,"u":"\u2028\\u00e9"},"odd":true,"id":"a\\u0062","jsonrpc":"2.0"}\n',
    );
    await proxy.answerTo('ab');

    expect(upstream.seen[0]?.text).toBe(
      '{"method":"vendor/unknown", "params":{"n":98765432109876543210,"u":"\u2028\\u00e9"},"odd":true,"id":1,"jsonrpc":"2.0"}',
    );
    expect(Buffer.concat(raw).toString()).toBe(
      `${answer.replace('"id": 1 ', '"id": "a\\u0062" ')}\n`,
    );
  });

  it('are sent while other calls are open, and a fast answer overtakes a slow one', async () => {
    const open = new Map<string, Seen>();
    const upstream = await startUpstream(
      (seen) => isCall(seen) && open.set(seen.message.params.name, seen),
    );
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const names = Array.from({ length: 200 }, (_, index) => `tool-${index}`);
    const ids = names.map((name) => proxy.begin('tools/call', { name, arguments: {} }));
    await upstream.saw('the last call', () => open.size === names.length);
    for (const name of names.toReversed()) result(open.get(name) as Seen, { name });
    const answers = await Promise.all(ids.map((id) => proxy.answerTo(id)));

    expect(answers.map(({ result }) => result.name)).toEqual(names);
  });

  it('wait for the handshake, so that no message reaches a server before it is ready', async () => {
    let initialize: Seen | undefined;
    let initialized: Seen | undefined;
    const upstream = await startUpstream((seen) => {
      if (seen.message?.method === 'initialize') initialize = seen;
      else if (seen.message?.method === 'notifications/initialized') initialized = seen;
      else return result(seen, {}) ?? true;
      return true;
    });
    const proxy = startProxy(upstream.url);
    const first = proxy.begin('initialize', { protocolVersion: '2025-11-25', capabilities: {} });
    proxy.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    const list = proxy.begin('tools/list');
    await upstream.sawMethod('initialize');
    expect(upstream.seen).toHaveLength(1);
    initialize?.response.setHeader('mcp-session-id', 's');
    result(initialize as Seen, { protocolVersion: '2025-11-25' });
    await proxy.answerTo(first);
    await upstream.sawMethod('notifications/initialized');
    expect(upstream.seen).toHaveLength(2);
    initialized?.response.writeHead(202).end();
    await proxy.answerTo(list);

    expect(upstream.seen.map(({ message }) => message.method)).toEqual([
      'initialize',
      'notifications/initialized',
      'tools/list',
    ]);
  });

  it('keep their order if they are notifications', async () => {
    const upstream = await startUpstream();
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    // More in total than may wait at once, in batches that take less than the time that a message
    // waits for earlier ones.
    for (let progress = 0; progress < 1_200; progress++) {
      const params = { progressToken: 1, progress };
      proxy.send({ jsonrpc: '2.0', method: 'notifications/progress', params });
      if (progress % 25 === 24) {
        await upstream.saw('a wave', ({ message }) => message?.params?.progress === progress);
      }
    }
    const order = upstream.seen.flatMap(({ message }) => message?.params?.progress ?? []);
    expect(order).toEqual(Array.from({ length: 1_200 }, (_, index) => index));
  });
});

describe('server messages', () => {
  it('are written as soon as they arrive: progress and log messages before the answer', async () => {
    let call: Seen | undefined;
    const upstream = await startUpstream((seen) => {
      if (isCall(seen)) call = seen;
      return isCall(seen) || undefined;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'slow', _meta: { progressToken: 'p' } });
    await upstream.saw('the call', isCall);
    const send = stream(call as Seen);
    send({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: 'p', progress: 1 },
    });
    expect(
      await proxy.next('progress', (line) => line.method === 'notifications/progress'),
    ).toMatchObject({
      params: { progressToken: 'p', progress: 1 },
    });
    send({
      jsonrpc: '2.0',
      method: 'notifications/message',
      params: { level: 'info', data: 'hi' },
    });
    await proxy.next('a log message', (line) => line.params?.data === 'hi');
    send({ jsonrpc: '2.0', method: 'vendor/notice', params: { any: 1 } });
    await proxy.next('an unknown notification', (line) => line.method === 'vendor/notice');
    send({ jsonrpc: '2.0', id: call?.message.id, result: { done: true } });
    call?.response.end();

    expect((await proxy.answerTo(id)).result).toEqual({ done: true });
  });

  it.each(['sampling/createMessage', 'elicitation/create', 'roots/list', 'ping', 'vendor/ask'])(
    'include requests: %s is answered on the same session while the call is open',
    async (method) => {
      const upstream = await startUpstream((seen) => {
        if (isCall(seen)) {
          stream(seen)({ jsonrpc: '2.0', id: 0, method, params: { x: [1] } });
          return true;
        }
        if (seen.message && 'result' in seen.message) {
          const call = upstream.seen.find((other) => isCall(other)) as Seen;
          call.response.end(
            `data: ${JSON.stringify({ jsonrpc: '2.0', id: call.message.id, result: seen.message.result })}\n\n`,
          );
        }
        return;
      });
      const proxy = startProxy(upstream.url);
      await proxy.initialize();
      const id = proxy.begin('tools/call', { name: 'ask' });
      const asked = await proxy.next(method, (line) => line.method === method);
      expect(asked.params).toEqual({ x: [1] });
      proxy.send({ jsonrpc: '2.0', id: asked.id, result: { said: 'yes' } });

      expect((await proxy.answerTo(id)).result).toEqual({ said: 'yes' });
      const answer = upstream.seen.find(({ message }) => 'result' in message) as Seen;
      expect(answer.message.id).toBe(0);
      expect(answer.headers['mcp-session-id']).toBe('server-session-1');
    },
  );

  it('may include several requests at once, each with its own answer', async () => {
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return;
      const send = stream(seen);
      for (const id of ['a', 'b', 0, 1])
        send({ jsonrpc: '2.0', id, method: 'ask', params: { id } });
      return true;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    proxy.begin('tools/call', { name: 'ask' });
    for (const id of [1, 'b', 0, 'a']) {
      const asked = await proxy.next(
        'a question',
        (line) => line.method === 'ask' && line.params.id === id,
      );
      proxy.send({ jsonrpc: '2.0', id: asked.id, result: { for: id } });
    }
    await upstream.saw(
      'the last answer',
      () => upstream.seen.filter(({ message }) => 'result' in message).length === 4,
    );
    for (const { message } of upstream.seen) {
      if ('result' in message) expect(message.result.for).toBe(message.id);
    }
  });

  it('include cancellations of server requests, with the id that the client knows', async () => {
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return;
      const send = stream(seen);
      send({ jsonrpc: '2.0', id: 7, method: 'elicitation/create', params: {} });
      send({
        jsonrpc: '2.0',
        method: 'notifications/cancelled',
        params: { requestId: 7, reason: 'late' },
      });
      return true;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    proxy.begin('tools/call', { name: 'ask' });
    const asked = await proxy.next('the question', (line) => line.method === 'elicitation/create');
    const cancelled = await proxy.next(
      'its end',
      (line) => line.method === 'notifications/cancelled',
    );
    expect(cancelled.params).toEqual({ requestId: asked.id, reason: 'late' });
  });

  it('get an error if the client cannot answer a request, and the call continues', async () => {
    const upstream = await startUpstream((seen) => {
      if (isCall(seen)) {
        stream(seen)({ jsonrpc: '2.0', id: 1, method: 'sampling/createMessage', params: {} });
        return true;
      }
      if (seen.message && 'result' in seen.message) return json(seen.response, {}, 500) ?? true;
      return;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'ask' });
    const asked = await proxy.next(
      'the question',
      (line) => line.method === 'sampling/createMessage',
    );
    proxy.send({ jsonrpc: '2.0', id: asked.id, result: {} });
    const { error } = await proxy.answerTo(id);
    expect(error.message).toContain('sampling/createMessage could not be delivered');
  });
});

describe('cancellation', () => {
  it('is forwarded in the handshake era, and the cancelled call gets no answer', async () => {
    let call: Seen | undefined;
    const upstream = await startUpstream((seen) => {
      if (isCall(seen, 'slow')) call = seen;
      else if (isCall(seen)) return result(seen, {}) ?? true;
      return isCall(seen) || undefined;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    proxy.send({ jsonrpc: '2.0', id: 'x', method: 'tools/call', params: { name: 'slow' } });
    await upstream.saw('the call', (seen) => isCall(seen));
    proxy.send({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 'x', reason: 'enough', _meta: { a: 1 } },
    });
    const cancelled = await upstream.sawMethod('notifications/cancelled');
    expect(cancelled.message.params).toEqual({
      requestId: call?.message.id,
      reason: 'enough',
      _meta: { a: 1 },
    });
    result(call as Seen, { late: true });
    await call?.closed;
    await proxy.call('quick');

    expect(proxy.lines.filter(({ id }) => id === 'x')).toEqual([]);
  });

  it('closes the POST of a server that does not answer the cancelled call', async () => {
    const upstream = await startUpstream((seen) => isCall(seen) || undefined);
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'slow' });
    const call = await upstream.saw('the call', isCall);
    proxy.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
    await call.closed;
    expect(call.response.writableFinished).toBe(false);
  });

  it('closes the POST in the stateless era, and is not forwarded', async () => {
    const upstream = await startUpstream((seen) => isCall(seen) || undefined);
    const proxy = startProxy(upstream.url);
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
    const id = proxy.begin('tools/call', { name: 'slow', _meta: meta });
    const call = await upstream.saw('the call', isCall);
    proxy.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
    await call.closed;
    expect(call.response.writableFinished).toBe(false);
    expect((await proxy.close()).code).toBe(0);
    expect(proxy.lines).toEqual([]);
    expect(
      upstream.seen.filter(({ message }) => message?.method === 'notifications/cancelled'),
    ).toEqual([]);
  });

  it('of a call that is not sent yet prevents its sending', async () => {
    let initialize: Seen | undefined;
    const upstream = await startUpstream((seen) => {
      if (seen.message?.method !== 'initialize') return isCall(seen) && (result(seen, {}) ?? true);
      initialize = seen;
      return true;
    });
    const proxy = startProxy(upstream.url);
    proxy.begin('initialize', { protocolVersion: '2025-11-25' });
    const id = proxy.begin('tools/call', { name: 'never' });
    proxy.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
    const kept = proxy.begin('tools/call', { name: 'kept' });
    await upstream.sawMethod('initialize');
    result(initialize as Seen, {});
    await proxy.answerTo(kept);
    expect(upstream.seen.some((seen) => isCall(seen, 'never'))).toBe(false);
    expect(upstream.seen.some(({ message }) => message?.method === 'notifications/cancelled')).toBe(
      false,
    );
  });

  it('cancels the server requests of the cancelled call at the client', async () => {
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return;
      stream(seen)({ jsonrpc: '2.0', id: 3, method: 'elicitation/create', params: {} });
      return true;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'ask' });
    const asked = await proxy.next('the question', (line) => line.method === 'elicitation/create');
    proxy.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
    const cancelled = await proxy.next(
      'its end',
      (line) => line.method === 'notifications/cancelled',
    );
    expect(cancelled.params.requestId).toBe(asked.id);
  });
});

describe('a server that sends one message per POST', () => {
  it('sends its request in the body of the call, and its answer in the body of the client’s answer', async () => {
    let call: Seen | undefined;
    const upstream = await startUpstream((seen) => {
      if (isCall(seen)) {
        call = seen;
        json(seen.response, {
          jsonrpc: '2.0',
          id: 0,
          method: 'sampling/createMessage',
          params: {},
        });
      } else if (seen.message?.result?.said === 'first') {
        json(seen.response, { jsonrpc: '2.0', id: 1, method: 'elicitation/create', params: {} });
      } else if (seen.message?.result?.said === 'second') {
        json(seen.response, { jsonrpc: '2.0', id: call?.message.id, result: { done: true } });
      }
      return seen.response.headersSent;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'ask' });
    for (const [method, said] of [
      ['sampling/createMessage', 'first'],
      ['elicitation/create', 'second'],
    ]) {
      const asked = await proxy.next('a question', (line) => line.method === method);
      proxy.send({ jsonrpc: '2.0', id: asked.id, result: { said } });
    }
    expect((await proxy.answerTo(id)).result).toEqual({ done: true });
  });
});
