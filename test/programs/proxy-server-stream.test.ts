import { brotliCompressSync, constants, createGzip, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Line, type ProxyProcess, startProxy } from '../fixtures/proxy-process.ts';
import { isCall, json, type Seen, startUpstream } from '../fixtures/scripted-upstream.ts';

const JSON_BODY = { 'content-type': 'application/json' };
const STREAM = { 'content-type': 'text/event-stream' };

const result = (id: unknown, text = 'ok') => ({
  jsonrpc: '2.0',
  id,
  result: { content: [{ type: 'text', text }] },
});
const event = (message: unknown) => `event: message\ndata: ${JSON.stringify(message)}\n\n`;

/** Calls a tool, and answers every POST of the call with the same bytes. */
async function callWith(
  body: string | Buffer | ((id: number) => string | Buffer),
  headers: Record<string, string> = STREAM,
): Promise<{ answer: Line; proxy: ProxyProcess; calls: Seen[]; seen: Seen[] }> {
  const upstream = await startUpstream((seen) => {
    if (!isCall(seen)) return false;
    const bytes = typeof body === 'function' ? body(seen.message.id) : body;
    seen.response.writeHead(200, headers).end(bytes);
    return true;
  });
  const proxy = startProxy(upstream.url, { AGENTCORE_RETRIES: '0', LOG_LEVEL: 'warning' });
  await proxy.initialize();
  const answer = await proxy.call('tool');
  expect(proxy.noise).toEqual([]);
  // Its last log lines arrive on another pipe.
  await proxy.close();
  return {
    answer,
    proxy,
    calls: upstream.seen.filter((seen) => isCall(seen)),
    seen: upstream.seen,
  };
}

const warnings = ({ stderr }: ProxyProcess) => stderr.match(/warning: .*/g) ?? [];

describe('other content next to an answer', () => {
  it.each<[string, string]>([
    ['a heartbeat', 'data: {"type":"heartbeat","timestamp":"t"}\n\n'],
    ['ten heartbeats', 'data: {"type":"heartbeat"}\n\n'.repeat(10)],
    ['text', 'data: still here\n\n'],
    ['an event of another type', 'event: ping\ndata: 2026-01-01 00:00:00\n\n'],
    ['a message in an event of another type', `event: x\ndata: ${JSON.stringify(result(2))}\n\n`],
    ['a notification whose params are a list', event({ jsonrpc: '2.0', method: 'n', params: [] })],
    ['a notification whose params are null', event({ jsonrpc: '2.0', method: 'n', params: null })],
    ['a notification with the id null', event({ jsonrpc: '2.0', id: null, method: 'n' })],
    [
      'a request whose params are null',
      event({ jsonrpc: '2.0', id: 5, method: 'roots/list', params: null }),
    ],
  ])('is dropped with one warning, and the answer is delivered: %s', async (_, stray) => {
    const { answer, proxy, calls } = await callWith((id) => stray + event(result(id)));
    expect(answer.result).toEqual(result(0).result);
    expect(calls).toHaveLength(1);
    expect(warnings(proxy)).toEqual([
      expect.stringMatching(/Ignored an invalid message of the runtime: /),
    ]);
    expect(
      proxy.lines.filter(({ method }) => method && method !== 'notifications/message'),
    ).toEqual([]);
  });

  it('is dropped before initialize is answered', async () => {
    const upstream = await startUpstream(({ message, response }) => {
      if (message?.method !== 'initialize') return false;
      const { protocolVersion } = message.params;
      const answer = { protocolVersion, capabilities: {}, serverInfo: { name: 's', version: '1' } };
      const { id } = message;
      response
        .writeHead(200, STREAM)
        .end(`event: ping\ndata: {}\n\n${event({ jsonrpc: '2.0', id, result: answer })}`);
      return true;
    });
    const { result } = await startProxy(upstream.url).initialize();
    expect(result.serverInfo.name).toBe('s');
  });

  it('gets an error if it is a malformed request, so that the server continues', async () => {
    const request = event({ jsonrpc: '2.0', id: 5, method: 'roots/list', params: null });
    let call: Seen | undefined;
    const upstream = await startUpstream((seen) => {
      if (isCall(seen)) {
        call = seen;
        seen.response.writeHead(200, STREAM).write(request);
        return true;
      }
      if (seen.message?.error && seen.message.id === 5) {
        call?.response.end(event(result(call.message.id, seen.message.error.message)));
      }
      return false;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    expect((await proxy.call('ask')).result.content[0].text).toMatch(/params/);
  });
});

describe('an ambiguous answer', () => {
  it.each<[string, (id: number) => string | Buffer, object]>([
    [
      'with a duplicate key',
      (id) =>
        `{"jsonrpc":"2.0","id":${id},"result":{"big":12345678901234567890,"a":{"b":1,"b":2}}}`,
      { big: 12345678901234567890n, a: { b: 2 } },
    ],
    [
      'with a byte order mark',
      (id) => `\ufeff{"jsonrpc":"2.0","id":${id},"result":{"a":1}}`,
      { a: 1 },
    ],
    [
      'with a byte that is not UTF-8',
      (id) => Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":{"a":"caf\xe9"}}`, 'latin1'),
      { a: 'caf\ufffd' },
    ],
  ])('is rewritten with one meaning: %s', async (_, body, right) => {
    const written: string[] = [];
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return false;
      seen.response.writeHead(200, JSON_BODY).end(body(seen.message.id));
      return true;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    proxy.child.stdout?.on('data', (text: string) => written.push(text));
    await proxy.call('tool');
    const text = JSON.stringify(right, (_key, value) => (typeof value === 'bigint' ? 0 : value));
    const big = text.replace('"big":0', '"big":12345678901234567890');
    expect(written.join('')).toContain(`"result":${big}}`);
  });

  it('is rejected if it has a duplicate key at the top level', async () => {
    const { answer } = await callWith(
      (id) => `{"jsonrpc":"2.0","id":${id},"result":{},"result":{"a":1}}`,
      JSON_BODY,
    );
    expect(answer.error.data.outcome).toBe('unknown');
    expect(answer.error.message).toMatch(/"result" twice.*took effect is unknown/);
  });
});

describe('a compressed answer', () => {
  it('is decoded, even if the proxy did not accept compression', async () => {
    for (const [encoding, compress] of Object.entries({ gzip: gzipSync, br: brotliCompressSync })) {
      const { answer } = await callWith((id) => compress(JSON.stringify(result(id))), {
        ...JSON_BODY,
        'content-encoding': encoding,
      });
      expect(answer.result).toEqual(result(0).result);
    }
  });

  it('is decoded event by event', async () => {
    let next: (() => void) | undefined;
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return false;
      seen.response.writeHead(200, { ...STREAM, 'content-encoding': 'gzip' });
      const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
      gzip.pipe(seen.response);
      gzip.write(event({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 1 } }));
      next = () => gzip.end(event(result(seen.message.id)));
      return true;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const call = proxy.call('tool');
    await proxy.next('the first event', ({ params }) => params?.data === 1);
    next?.();
    expect((await call).result).toEqual(result(0).result);
  });

  it('is decoded if it is an error reply', async () => {
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return false;
      const headers = { ...JSON_BODY, 'content-encoding': 'gzip' };
      seen.response.writeHead(400, { ...headers, 'x-amzn-errortype': 'ValidationException' });
      seen.response.end(gzipSync('{"message":"the payload is wrong in field x"}'));
      return true;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    expect((await proxy.call('a')).error.message).toContain('the payload is wrong in field x');
  });

  it('ends the call with an unknown outcome if it cannot be decoded', async () => {
    const { answer } = await callWith('{}', { ...JSON_BODY, 'content-encoding': 'gzip' });
    expect(answer.error.data.outcome).toBe('unknown');
    expect(answer.error.message).toMatch(/content encoding "gzip".*took effect is unknown/);
  });
});

describe('an answer with another id', () => {
  const error = (id: unknown, message = 'its own words') => ({
    jsonrpc: '2.0',
    id,
    error: { code: -32055, message },
  });

  it('is accepted if only the type of the id differs', async () => {
    const { answer } = await callWith((id) => JSON.stringify(result(String(id))), JSON_BODY);
    expect(answer.result).toEqual(result(0).result);
  });

  it.each<[string, (id: number) => string]>([
    ['two whose type differs', (id) => event(result(`${id}`)) + event(result(`${id}`))],
    ['one of another request', () => event(result(999))],
    ['two errors of other requests', () => event(error(998)) + event(error(999))],
  ])('is not accepted if it may belong to another request: %s', async (_, body) => {
    const { answer, proxy } = await callWith(body);
    expect(answer.error).toMatchObject({ code: -32000, data: { outcome: 'unknown' } });
    expect(warnings(proxy)[0]).toMatch(/Dropped an answer to another request/);
  });

  it('ends the call if it is a single error', async () => {
    const { answer } = await callWith(() => event(error(999)));
    expect(answer.error).toEqual({ code: -32055, message: 'its own words' });
  });

  it('ends the call if it is an error without a request id and no answer follows', async () => {
    const { answer } = await callWith(() => event(error(null)) + event(error(999, 'no')));
    expect(answer.error).toEqual({ code: -32055, message: 'its own words' });
  });

  it('indicates a lost session if it is an error without a request id', async () => {
    let initialized = 0;
    const upstream = await startUpstream(({ message, response }) => {
      if (message?.method === 'initialize') initialized++;
      const { id, method } = message ?? {};
      if (id === undefined || method === 'initialize') return false;
      if (initialized === 2) json(response, result(id));
      else if (method !== 'tools/list') json(response, error(null, 'odd'));
      else json(response, { jsonrpc: '2.0', id, error: { code: -32602, message: 'odd too' } });
      return true;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    expect((await proxy.call('a')).result).toEqual(result(0).result);
    expect(initialized).toBe(2);
  });

  it('is ignored if the right answer follows', async () => {
    const { answer } = await callWith((id) => event(error(null)) + event(result(id)));
    expect(answer.result).toEqual(result(0).result);
  });
});
