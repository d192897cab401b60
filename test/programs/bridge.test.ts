import { once } from 'node:events';
import { realpath } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';
import {
  BridgeProcess,
  FOLDER_SERVER,
  MODERN,
  STDIO_SERVER,
  startBridge,
} from '../fixtures/bridge-process.ts';
import { proxyCommand, proxyTo } from '../fixtures/proxied-runtime.ts';
import type { Line } from '../fixtures/proxy-process.ts';
import { endWithTest } from '../fixtures/running.ts';
import { temporaryFolder } from '../fixtures/tls.ts';
import { start } from '../local/harness.ts';

/** The headers of mcp-agentcore-proxy 0.1.5, which has no protocol version. */
const OLD = { accept: 'application/json, text/event-stream' };
const RUNTIME_SESSION = 'x-amzn-bedrock-agentcore-runtime-session-id';

const isGone = (pid: number) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

describe('a POST', () => {
  it('is answered with JSON if there is only the answer', async () => {
    const bridge = await startBridge();
    const { status, type, messages } = await bridge.initialize();
    expect([status, type]).toEqual([200, 'application/json']);
    expect(messages[0].result.serverInfo.name).toBe('stdio');
    for (const id of [0, 'x', 12345]) {
      const params = { name: 'echo', arguments: { id } };
      const answer = await bridge.post({ jsonrpc: '2.0', id, method: 'tools/call', params });
      expect(answer.messages).toEqual([{ jsonrpc: '2.0', id, result: { id } }]);
    }
  });

  it('becomes a stream if the server sends other messages before its answer', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    const params = { name: 'progress', _meta: { progressToken: 'p' } };
    const { type, messages } = await bridge.request('tools/call', params);
    expect(type).toBe('text/event-stream');
    expect(messages.map(({ method, params, result }: Line) => [method, params ?? result])).toEqual([
      ['notifications/progress', { progressToken: 'p', progress: 1 }],
      ['notifications/message', { level: 'info', data: 'half-way' }],
      [undefined, { reported: true }],
    ]);
  });

  it('carries server requests on its stream, and their answers come as POSTs with 202', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    const statuses: Promise<number>[] = [];
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'interview' } };
    const { messages } = await bridge.post(call, MODERN, ({ id, method }) => {
      if (!method) return;
      const answer = bridge.post({ jsonrpc: '2.0', id, result: { to: method } });
      statuses.push(answer.then(({ status }) => status));
    });
    const { result } = messages.at(-1);
    expect(result.first).toMatchObject({ id: 0, result: { to: 'sampling/createMessage' } });
    expect(result.second).toMatchObject({ id: 1, result: { to: 'elicitation/create' } });
    expect(await Promise.all(statuses)).toEqual([202, 202]);
  });

  it('ends with each server request for a client that supports one message per POST', async () => {
    for (const headers of [OLD, { accept: 'application/json' }]) {
      const bridge = await startBridge();
      await bridge.initialize();
      const first = await bridge.call('interview', {}, headers);
      expect(first.messages.map(({ method }: Line) => method)).toEqual(['sampling/createMessage']);
      const answer = (message: Line, to: string) =>
        bridge.post({ jsonrpc: '2.0', id: message.id, result: { to } }, headers);
      const second = await answer(first.messages[0], 'one');
      expect(second.messages.map(({ method }: Line) => method)).toEqual(['elicitation/create']);
      const third = await answer(second.messages[0], 'two');
      expect(third.messages[0].result).toMatchObject({
        first: { result: { to: 'one' } },
        second: { result: { to: 'two' } },
      });
    }
  });

  it('is open next to others, and a fast answer overtakes a slow one', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    const abort = bridge.call('hang').catch(() => undefined);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => bridge.call('echo', { index })),
    );
    expect(answers.map(({ messages }) => messages[0].result.index)).toEqual(
      Array.from({ length: 50 }, (_, index) => index),
    );
    expect((await bridge.ping()).body.status).toBe('HealthyBusy');
    await bridge.stop();
    await abort;
  });

  it('of a notification gets 202', async () => {
    const bridge = await startBridge();
    const { status, messages } = await bridge.post({ jsonrpc: '2.0', method: 'notifications/x' });
    expect([status, messages]).toEqual([202, []]);
  });

  it('that is cancelled sends the server a cancellation with its own id, and gets no answer', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    const call = { jsonrpc: '2.0', id: 'slow', method: 'tools/call', params: { name: 'hang' } };
    const open = bridge.post(call);
    // The bridge is busy as soon as the server has the call.
    while ((await bridge.ping()).body.status !== 'HealthyBusy');
    const params = { requestId: 'slow' };
    await bridge.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params });
    expect((await open).messages).toEqual([]);
    const [{ result }] = (await bridge.call('cancelled')).messages as [Line];
    expect(result.cancelled).toHaveLength(1);
    expect(result.cancelled[0]).not.toBe('slow');
  });

  it('receives the cancellation of a server request', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    const { messages } = await bridge.call('forget', { takeBack: true });
    const [asked, takenBack] = messages as [Line, Line];
    expect(takenBack).toMatchObject({
      method: 'notifications/cancelled',
      params: { requestId: asked.id },
    });
  });

  it('that has ended leaves its server requests open, because other requests of the server may depend on them', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    const { messages } = await bridge.call('forget');
    const [asked] = messages as [Line];
    await bridge.post({ jsonrpc: '2.0', id: asked.id, result: {} });
    const [{ result }] = (await bridge.call('unanswered')).messages as [Line];
    expect(result.unanswered).toEqual([]);
  });

  it('with a batch gets an answer to each of its requests', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    const call = (id: number) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: 'echo', arguments: { id } },
    });
    const { messages } = await bridge.post([call(1), 42, call(2)]);
    expect(messages.map(({ id, error }: Line) => id ?? error.code).sort()).toEqual([-32600, 1, 2]);
  });

  it.each<[string, string | Buffer, number, RegExp]>([
    ['empty', '', 400, /empty/],
    ['blank', ' \n', 400, /empty/],
    ['not UTF-8', Buffer.from('{"a":"\xff"}', 'latin1'), 400, /UTF-8/],
    ['not JSON', '{', 400, /not JSON/],
    ['not a message', '{"a":1}', 400, /jsonrpc/],
    ['too large', Buffer.alloc(100_000_001, 0x20), 413, /100000000/],
  ])('that is %s is rejected with a reason', async (_, body, expected, reason) => {
    const bridge = await startBridge();
    const { status, messages } = await bridge.post(body);
    expect(status).toBe(expected);
    expect(messages[0].error.message).toMatch(reason);
  });

  it('to another path, or with another method, is rejected', async () => {
    const bridge = await startBridge();
    expect((await fetch(`${bridge.url}/other`)).status).toBe(404);
    expect((await fetch(`${bridge.url}/mcp`)).status).toBe(405);
  });
});

describe('a request that a web page could send', () => {
  it.each([
    ['a foreign Origin', 403, { origin: 'http://evil.example' }],
    ['a body that is not JSON', 415, { 'content-type': 'text/plain' }],
    ['a foreign Host', 403, { host: 'evil.example' }],
  ])('with %s gets %s, and the server is not started', async (_, status, headers) => {
    const bridge = await startBridge({ LOG_LEVEL: 'debug' });
    for (const path of ['/mcp', '/invocations']) {
      const answer = await postRaw(bridge.url + path, headers);
      expect(answer).toBe(status);
    }
    await bridge.initialize();
    const [{ result }] = (await bridge.call('received')).messages as [Line];
    expect(result.received).toEqual(['initialize', 'notifications/initialized', 'tools/call']);
  });

  it('may have any Host if the bridge listens on all addresses', async () => {
    const bridge = await startBridge({ SERVER_HOST: '0.0.0.0' });
    expect(await postRaw(`${bridge.url}/mcp`, { host: 'container.example' })).toBe(200);
  });
});

/** Uses `node:http`, because `fetch` sets `Host` itself. Resolves with the status. */
async function postRaw(url: string, headers: Record<string, string>): Promise<number | undefined> {
  const params = { protocolVersion: '2025-11-25' };
  const request = httpRequest(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
  });
  request.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }));
  const [response] = await once(request, 'response');
  response.resume();
  return response.statusCode;
}

describe('on an MCP runtime', () => {
  it('a session begins with initialize, and a request with another session id gets 404', async () => {
    const bridge = await startBridge();
    const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} };
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    const post = (body: object, session?: string) =>
      bridge.post(
        body,
        { ...MODERN, ...(session && { 'mcp-session-id': session }) },
        undefined,
        '/mcp',
      );
    const id = (await post(initialize)).headers.get('mcp-session-id') as string;
    expect(id).toBeTruthy();
    expect((await post(list, id)).status).toBe(200);
    expect((await post(list, 'of-another-life')).status).toBe(404);
    const picked = await post(initialize, 'picked-by-the-platform');
    expect(picked.headers.get('mcp-session-id')).toBe('picked-by-the-platform');
  });
});

describe('the server process', () => {
  it('is started by the first message, in its folder, with the session id', async () => {
    const folder = await realpath(await temporaryFolder());
    const bridge = await startBridge({ MCP_SERVER_CWD: folder });
    expect((await bridge.ping()).body.status).toBe('Healthy');
    await bridge.request('initialize', {}, { ...MODERN, [RUNTIME_SESSION]: 'the-session' });
    const [{ result }] = (await bridge.call('environment')).messages as [Line];
    expect(result).toMatchObject({ session: 'the-session', cwd: folder });
  });

  it('may print lines that are not messages, which are logged and dropped', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    const { messages } = await bridge.call('ramble');
    expect(messages).toEqual([
      { jsonrpc: '2.0', id: expect.any(Number), result: { rambled: true } },
    ]);
    expect(bridge.stderr).toMatch(/Dropped a line that is no message/);
  });

  it('cannot send control characters to the terminal that shows its log', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    await bridge.call('color');
    await bridge.said(/\\x1b\[2Jagentcore-mcp: error: \\u\{202e\}forged\n/);
    expect(bridge.stderr).not.toContain('\u001b');
  });

  it('that exits fails all open requests with its last output, and starts again at the next initialize', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    const [hanging, crashing] = await Promise.all([bridge.call('hang'), bridge.call('crash')]);
    for (const { messages } of [hanging, crashing]) {
      expect(messages[0].error.message).toMatch(/exit code 3.*out of cheese.*initialize again/);
      expect(messages[0].error.data.stderr).toEqual(['about to crash', 'out of cheese']);
    }
    expect((await bridge.call('echo')).messages[0].error.message).toMatch(/exit code 3/);
    expect((await bridge.ping()).status).toBe(200);
    await bridge.initialize();
    expect((await bridge.call('echo', { back: 1 })).messages[0].result).toEqual({ back: 1 });
  });

  it('that exits during a call fails the call with an unknown outcome, which no client retries', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    const call = (name: string) => {
      const request = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } };
      return bridge.post(request, MODERN, undefined, '/mcp');
    };
    const crashed = await call('crash');
    // After a 404, a client would start a new session and send the call again.
    expect(crashed.status).toBe(200);
    expect(crashed.messages[0].error.data.outcome).toBe('unknown');
    expect(crashed.messages[0].error.message).toMatch(/took effect is unknown/);
    expect((await call('echo')).status).toBe(404);
  });

  it('that cannot be started is reported at once, also by ping', async () => {
    const bridge = await startBridge({ MCP_SERVER_CMD: '/no/such/program --flag' });
    const { messages } = await bridge.request('initialize');
    expect(messages[0].error.message).toMatch(/could not be started.*ENOENT/);
    const { status, body } = await bridge.ping();
    expect(status).toBe(503);
    expect(body.reason).toMatch(/could not be started/);
  });

  it('exits with the bridge, even if it ignores the end of its input', async () => {
    for (const tool of ['echo', 'mute']) {
      const bridge = await startBridge();
      await bridge.initialize();
      const [{ result }] = (await bridge.call('environment')).messages as [Line];
      await bridge.call(tool);
      bridge.child.kill('SIGTERM');
      expect(await bridge.exited).toEqual({ code: 0 });
      expect(isGone(result.pid)).toBe(true);
    }
  });
});

describe('a wrong setting', () => {
  it.each([
    [{ MCP_SERVER_CMD: '' }, /MCP_SERVER_CMD is not set/],
    [{ MCP_SERVER_CMD: 'x', SERVER_PORT: 'http' }, /SERVER_PORT is "http"/],
  ])('%o: exit code 2 and one error message', async (env, sentence) => {
    const bridge = new BridgeProcess(env);
    endWithTest(bridge, () => bridge.stop());
    expect((await bridge.exited).code).toBe(2);
    expect(bridge.stderr).toMatch(sentence);
  });

  it('a port in use: exit code 1', async () => {
    const first = await startBridge();
    const second = new BridgeProcess({ MCP_SERVER_CMD: 'x', SERVER_PORT: new URL(first.url).port });
    endWithTest(second, () => second.stop());
    expect((await second.exited).code).toBe(1);
    expect(second.stderr).toMatch(/Could not listen.*SERVER_PORT/);
  });
});

describe('the proxy in front of the bridge, on a local AgentCore', () => {
  const bridgeCommand = {
    command: [process.execPath, 'dist/bridge.js'],
    env: { MCP_SERVER_CMD: STDIO_SERVER, SERVER_PORT: '{port}', SERVER_HOST: '127.0.0.1' },
  };

  it.each([
    ['HTTP', { ...bridgeCommand, protocol: 'HTTP' as const }],
    ['MCP, stateful', { ...bridgeCommand, sessions: 'stateful' as const }],
  ])('supports sampling and elicitation on an %s runtime', async (_, runtime) => {
    const local = await start({ server: runtime });
    const proxy = proxyTo(local);
    expect((await proxy.initialize()).result.serverInfo.name).toBe('stdio');
    const id = proxy.begin('tools/call', { name: 'interview' });
    for (const method of ['sampling/createMessage', 'elicitation/create']) {
      const asked = await proxy.next(method, (line) => line.method === method);
      proxy.send({ jsonrpc: '2.0', id: asked.id, result: { to: method } });
    }
    const { result } = await proxy.answerTo(id);
    expect(result.second.result).toEqual({ to: 'elicitation/create' });
    const reported = await proxy.call('progress', {}, { progressToken: 7 });
    expect(reported.result).toEqual({ reported: true });
    expect(proxy.lines.some((line) => line.params?.progressToken === 7)).toBe(true);
    await proxy.close();
    expect(local.sessions().map(({ state }) => state)).toEqual(['Stopped']);
  });
});

describe('a server message while no request is open', () => {
  const METHODS = ['roots/list', 'sampling/createMessage', 'elicitation/create'];
  const NOTIFICATIONS = [
    'notifications/tools/list_changed',
    'notifications/resources/updated',
    'notifications/message',
  ];

  /** Resolves when all these server messages wait in the bridge. */
  async function sendLater(
    bridge: BridgeProcess,
    { methods, count = 1, bytes = 0 }: { methods: string[]; count?: number; bytes?: number },
  ): Promise<void> {
    await bridge.call('later', { methods, count, bytes });
    const waiting = methods.filter((method) => method !== 'notifications/cancelled').length * count;
    const logged = () => bridge.stderr.split("waits for the client's next request").length - 1;
    await expect.poll(logged).toBe(waiting);
  }

  it.each([
    ['stateful /mcp', '/mcp'],
    ['/invocations', '/invocations'],
  ])(
    'is sent in order on the stream of the next request of %s, and answered after it',
    async (_, path) => {
      const bridge = await startBridge({ LOG_LEVEL: 'debug' });
      await bridge.initialize();
      await sendLater(bridge, { methods: [...METHODS, ...NOTIFICATIONS] });
      const echo = { jsonrpc: '2.0', id: 'e', method: 'tools/call', params: { name: 'echo' } };
      const { messages } = await bridge.post(echo, MODERN, undefined, path);
      expect(messages.map(({ method }: Line) => method)).toEqual([
        ...METHODS,
        ...NOTIFICATIONS,
        undefined,
      ]);
      const statuses = messages.slice(0, 3).map(async ({ id, method }: Line) => {
        const answer = { jsonrpc: '2.0', id, result: { to: method } };
        return (await bridge.post(answer, MODERN, undefined, path)).status;
      });
      expect(await Promise.all(statuses)).toEqual([202, 202, 202]);
      const [{ result }] = (await bridge.call('answers')).messages as [Line];
      expect(result.answers.map(({ result }: Line) => result.to)).toEqual(METHODS);
    },
  );

  it('is sent as one request per POST to a client that supports one message per POST', async () => {
    for (const headers of [OLD, { accept: 'application/json' }]) {
      const bridge = await startBridge({ LOG_LEVEL: 'debug' });
      await bridge.initialize();
      await sendLater(bridge, { methods: METHODS });
      let { messages } = await bridge.call('echo', { is: 'answered' }, headers);
      for (const method of METHODS) {
        const [asked] = messages as [Line];
        expect(messages.map((message: Line) => message.method)).toEqual([method]);
        ({ messages } = await bridge.post({ jsonrpc: '2.0', id: asked.id, result: {} }, headers));
      }
      expect(messages[0].result).toEqual({ is: 'answered' });
    }
  });

  it('is bounded: notifications are dropped first, and a request without room gets an error', async () => {
    const bridge = await startBridge({ LOG_LEVEL: 'debug' });
    await bridge.initialize();
    await sendLater(bridge, { methods: ['notifications/message', 'roots/list'], count: 300 });
    const { messages } = await bridge.call('answers');
    expect(messages.filter(({ method }: Line) => method === 'roots/list')).toHaveLength(256);
    expect(messages.filter(({ method }: Line) => method === 'notifications/message')).toEqual([]);
    const { result } = (await bridge.call('answers')).messages.at(-1);
    expect(result.answers).toHaveLength(44);
    expect(result.answers[0].error.message).toMatch(/^Could not deliver roots\/list: 256 messages/);
  });

  it('may have 8 MB', async () => {
    const bridge = await startBridge({ LOG_LEVEL: 'debug' });
    await bridge.initialize();
    const megabytes = { methods: ['roots/list'], count: 10, bytes: 1024 * 1024 };
    await sendLater(bridge, megabytes);
    const { messages } = await bridge.call('answers');
    expect(messages.filter(({ method }: Line) => method === 'roots/list')).toHaveLength(7);
  });

  it('is not sent with initialize, nor after the server has exited', async () => {
    const bridge = await startBridge({ LOG_LEVEL: 'debug' });
    await bridge.initialize();
    await sendLater(bridge, { methods: ['roots/list'] });
    const again = await bridge.initialize();
    expect(again.messages.map(({ method }: Line) => method)).toEqual([undefined]);
    await bridge.call('crash');
    await bridge.initialize();
    expect((await bridge.call('echo')).messages).toHaveLength(1);
  });

  it('is cancelled by the server before it is sent', async () => {
    const bridge = await startBridge({ LOG_LEVEL: 'debug' });
    await bridge.initialize();
    await sendLater(bridge, { methods: ['roots/list', 'notifications/cancelled'] });
    // The bridge must read the cancellation before it reads the next line.
    await bridge.call('echo');
    expect((await bridge.call('echo')).messages).toHaveLength(1);
    const [{ result }] = (await bridge.call('answers')).messages as [Line];
    expect(result.answers).toEqual([]);
  });

  it.each([
    ['HTTP', { protocol: 'HTTP' as const }],
    ['stateful MCP', { sessions: 'stateful' as const }],
  ])('reaches an official client through the proxy on an %s runtime', async (_, settings) => {
    const local = await start({
      server: {
        ...settings,
        command: [process.execPath, 'dist/bridge.js'],
        env: { MCP_SERVER_CMD: FOLDER_SERVER, SERVER_PORT: '{port}', SERVER_HOST: '127.0.0.1' },
      },
    });
    const transport = new StdioClientTransport(proxyCommand(local));
    const client = new Client(
      { name: 'test', version: '1' },
      { capabilities: { roots: { listChanged: true } } },
    );
    let uri = 'file:///first';
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri }] }));
    endWithTest(client, () => client.close());
    await client.connect(transport as Parameters<Client['connect']>[0]);
    await client.listTools();
    const folders = async () => {
      const { content } = await client.callTool({ name: 'list_folders' });
      return (content as { text: string }[])[0]?.text;
    };
    await expect.poll(folders).toBe('file:///first');
    uri = 'file:///second';
    await client.sendRootsListChanged();
    await expect.poll(folders).toBe('file:///second');
  });
});

// In the stateless era, a client cancels a request by closing its POST.
describe('a client that disconnects', () => {
  it('cancels its call in the stateless era', async () => {
    const bridge = await startBridge();
    await bridge.initialize();
    const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
    const params = { name: 'hang', _meta };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    const { port } = new URL(bridge.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      `POST /invocations HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    while ((await bridge.ping()).body.status !== 'HealthyBusy');
    socket.destroy();
    while ((await bridge.ping()).body.status !== 'Healthy');
    const [{ result }] = (await bridge.call('cancelled')).messages as [Line];
    expect(result.cancelled).toHaveLength(1);
  });
});
