import { describe, expect, test } from 'vitest';
import type { Fault } from '../../src/local/config/faults.ts';
import { parseFault } from '../../src/local/core/fault-injector.ts';
import {
  httpAgent,
  INITIALIZE,
  openSession,
  poster,
  read,
  start,
  statefulMcp,
  statelessMcp,
  toolCall,
  toolText,
} from './harness.ts';
import { ManualClock } from './manual-clock.ts';

const COUNT = toolCall('count');

describe('an injected fault', () => {
  test('affects matching requests, as often as configured, after those that it skips', async () => {
    const local = await start({ notes: statefulMcp(), other: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const fault = local.faults.inject({
      kind: 'json-rpc-error',
      code: -32050,
      runtime: 'notes',
      method: 'tools/call',
      tool: 'count',
      skip: 1,
      times: 2,
    });
    const other = poster(local, 'other');
    const otherSession = await openSession(other);
    expect(toolText(await read(other(COUNT, otherSession)))).toBe('1');
    expect(toolText(await read(post(toolCall('echo', { text: 'hi' }), session)))).toBe('hi');
    const codes: (number | undefined)[] = [];
    for (let n = 0; n < 4; n += 1) codes.push((await read(post(COUNT, session))).json.error?.code);
    expect(codes).toEqual([undefined, -32050, -32050, undefined]);
    expect(fault.hits).toBe(2);
  });

  test('affects every request until it is removed', async () => {
    const local = await start({ agent: httpAgent() });
    const post = poster(local, 'agent');
    const fault = local.faults.inject({ kind: 'throttle', times: 'always' });
    expect((await read(post({}))).status).toBe(429);
    expect((await read(post({}))).status).toBe(429);
    fault.remove();
    expect((await read(post({}))).status).toBe(200);
  });

  test('affects one session alone', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const hit = await openSession(post);
    const spared = await openSession(post);
    local.faults.inject({ kind: 'throttle', sessionId: hit['mcp-session-id'], times: 'always' });
    expect((await read(post(COUNT, spared))).json.error).toBeUndefined();
    expect((await read(post(COUNT, hit))).json.error?.code).toBe(-32003);
  });

  test('from the configuration applies from the start', async () => {
    const local = await start(
      { agent: httpAgent() },
      { faults: [{ kind: 'status', status: 503, retryAfter: 7 }] },
    );
    const sent = await read(poster(local, 'agent')({}));
    expect(sent.status).toBe(503);
    expect(sent.headers.get('retry-after')).toBe('7');
  });

  test('is recorded with the affected request', async () => {
    const local = await start({ notes: statelessMcp() });
    local.faults.inject({ kind: 'empty' });
    await read(poster(local, 'notes')(COUNT));
    expect(local.requests).toMatchObject([
      { fault: 'empty', rpcMethod: 'tools/call', tool: 'count', rpcId: 2, status: 200 },
    ]);
  });

  test('can be a JSON-RPC error with exactly the configured content', async () => {
    const local = await start({ notes: statelessMcp() });
    local.faults.inject({ kind: 'json-rpc-error', code: -32042, message: 'no', data: { a: 1 } });
    expect((await read(poster(local, 'notes')(COUNT))).json).toEqual({
      jsonrpc: '2.0',
      id: 2,
      error: { code: -32042, message: 'no', data: { a: 1 } },
    });
  });

  test('can delay a request', async () => {
    const clock = new ManualClock();
    const local = await start({ notes: statelessMcp() }, {}, { clock });
    local.faults.inject({ kind: 'delay', ms: 1000, method: 'tools/call' });
    const post = poster(local, 'notes', { at: new Date(clock.now()) });
    const session = await openSession(post);
    const answer = read(post(COUNT, session));
    await local.until(() => local.sessions()[0]?.invocations === 2);
    expect(toolText(await read(post(COUNT, session)))).toBe('1');
    clock.advance(1000);
    expect(toolText(await answer)).toBe('2');
  });

  test('is rejected if it is invalid', async () => {
    const local = await start({ agent: httpAgent() });
    const wrong = { kind: 'status' } as unknown as Fault;
    expect(() => local.faults.inject(wrong)).toThrow(/Not a fault/);
  });
});

describe('a fault that can have no effect is rejected', () => {
  test.each<[Fault, RegExp]>([
    [{ kind: 'reset', runtime: 'others' }, /runtime: no runtime has this name, only agent/],
    [{ kind: 'reset', method: 'tools/call' }, /method: requests to HTTP runtimes have none/],
    [{ kind: 'reset', tool: 'count', runtime: 'agent' }, /tool: requests to HTTP runtimes/],
    [{ kind: 'cut', operation: 'stop' }, /kind: cut has no effect on stop/],
    [{ kind: 'delay', ms: 1, operation: 'sts' }, /kind: delay has no effect on sts/],
    [{ kind: 'kill-microvm', operation: 'stop' }, /kind: kill-microvm has no effect/],
    [{ kind: 'reset', operation: 'stop', phase: 'after' }, /phase: stop has only before/],
    [{ kind: 'reset', operation: 'stop', method: 'x' }, /method: requests of stop have none/],
    [{ kind: 'reset', operation: 'sts', runtime: 'agent' }, /runtime: requests of sts have none/],
    [{ kind: 'delay', ms: 2 ** 31 }, /ms: 2147483647 milliseconds/],
  ])('%o', async (fault, sentence) => {
    const local = await start({ agent: httpAgent() });
    expect(() => local.faults.inject(fault)).toThrow(sentence);
  });
});

describe('before the container, which gets no request,', () => {
  test.each<[string, Fault, (sent: Awaited<ReturnType<typeof read>>) => void]>([
    [
      'an HTML page of a load balancer',
      { kind: 'status', status: 502, body: '<html>Bad Gateway</html>' },
      (sent) => {
        expect(sent).toMatchObject({ status: 502, text: '<html>Bad Gateway</html>' });
        expect(sent.headers.get('content-type')).toBe('text/html');
        expect(sent.headers.get('x-amzn-errortype')).toBeNull();
      },
    ],
    [
      'an empty answer',
      { kind: 'empty' },
      (sent) => expect(sent).toMatchObject({ status: 200, text: '' }),
    ],
    [
      'half an answer',
      { kind: 'broken-json' },
      (sent) => {
        expect(sent.status).toBe(200);
        expect(() => JSON.parse(sent.text)).toThrow();
      },
    ],
  ])('the client gets %s', async (_, fault, check) => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    local.faults.inject({ ...fault, method: 'tools/call' });
    check(await read(post(COUNT, session)));
    expect(toolText(await read(post(COUNT, session)))).toBe('1');
  });

  test('the connection is reset', async () => {
    const local = await start({ notes: statelessMcp() });
    local.faults.inject({ kind: 'reset' });
    await expect(poster(local, 'notes')(COUNT)).rejects.toMatchObject({
      cause: { code: 'ECONNRESET' },
    });
    expect(local.sessions()).toEqual([]);
  });

  test('no answer arrives until the client gives up', async () => {
    const local = await start({ notes: statelessMcp() });
    local.faults.inject({ kind: 'silence' });
    const leave = new AbortController();
    const call = poster(local, 'notes')(COUNT, {}, { signal: leave.signal });
    call.catch(() => {});
    await local.until(() => local.requests[0]?.fault === 'silence');
    leave.abort();
    await local.until(() => local.requests[0]?.outcome === 'disconnected');
  });
});

describe('after the container, which has done its work,', () => {
  test.each<Fault>([
    { kind: 'reset', phase: 'after', method: 'tools/call' },
    { kind: 'status', status: 504, phase: 'after', method: 'tools/call' },
  ])('the answer is lost because of %o', async (fault) => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    local.faults.inject(fault);
    const lost = await read(post(COUNT, session)).catch(() => undefined);
    expect(lost?.json.result).toBeUndefined();
    expect(toolText(await read(post(COUNT, session)))).toBe('2');
  });
});

describe('in the middle of an answer', () => {
  test('a stream is cut after the configured number of events', async () => {
    const local = await start({ notes: statelessMcp() });
    local.faults.inject({ kind: 'cut', afterEvents: 2 });
    const response = await poster(local, 'notes')(toolCall('stream', { events: 5 }));
    let text = '';
    await expect(
      (async () => {
        for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
      })(),
    ).rejects.toThrow();
    expect(text.match(/data: /g)).toHaveLength(2);
    expect(text.endsWith('\n\n')).toBe(true);
  });

  test('an answer is cut after the configured number of bytes', async () => {
    const local = await start({ notes: statelessMcp() });
    local.faults.inject({ kind: 'cut', afterBytes: 10 });
    const response = await poster(local, 'notes')(COUNT);
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
  });

  test('a stream stalls and stays open', async () => {
    const local = await start({ notes: statelessMcp() });
    local.faults.inject({ kind: 'stall', afterEvents: 1 });
    const leave = new AbortController();
    const response = await poster(local, 'notes')(
      toolCall('stream', { events: 5 }),
      {},
      { signal: leave.signal },
    );
    const reader = response.body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    expect(
      Buffer.from(value ?? [])
        .toString()
        .match(/data: /g),
    ).toHaveLength(1);
    expect(local.requests[0]?.outcome).toBe('open');
    leave.abort();
    await local.until(() => local.sessions()[0]?.inFlight === 0);
  });

  test('the container restarts, and the call fails', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    local.faults.inject({ kind: 'restart-container', when: 'during', tool: 'hang' });
    const sent = await read(post(toolCall('hang'), session));
    expect(sent.json.error?.code).toBe(-32010);
    expect((await read(post(COUNT, session))).status).toBe(404);
    expect(local.sessions()).toMatchObject([{ state: 'Idle', incarnations: 2 }]);
  });
});

describe('a microVM', () => {
  test('that is killed before a request is gone for that request', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    local.faults.inject({ kind: 'kill-microvm', method: 'tools/call' });
    expect((await read(post(COUNT, session))).status).toBe(404);
    expect(local.sessions()).toMatchObject([{ state: 'Stopped', why: 'microvm-killed' }]);
  });

  test('that is killed after a request is gone for the next one', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    local.faults.inject({ kind: 'kill-microvm', when: 'after', method: 'tools/call' });
    expect(toolText(await read(post(COUNT, session)))).toBe('1');
    await local.until(() => local.sessions()[0]?.state === 'Stopped');
    expect((await read(post(INITIALIZE))).status).toBe(200);
  });

  test('can restart its container before a request, without an effect for a stateless client', async () => {
    const local = await start({ notes: statelessMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    await read(post(COUNT, session));
    local.faults.inject({ kind: 'restart-container' });
    expect(toolText(await read(post(COUNT, session)))).toBe('1');
    expect(local.sessions()).toMatchObject([{ incarnations: 2 }]);
  });
});

describe('the short form of a fault', () => {
  test.each<[string, Partial<Fault>]>([
    ['throttle', { kind: 'throttle', times: 1 }],
    ['throttle=3*5', { kind: 'throttle', retryAfter: 3, times: 5 }],
    [
      'status=503@tools/call:add*',
      { kind: 'status', status: 503, method: 'tools/call', tool: 'add', times: 'always' },
    ],
    ['after:reset@initialize', { kind: 'reset', phase: 'after', method: 'initialize' }],
    ['during:kill-microvm', { kind: 'kill-microvm', when: 'during' }],
    ['json-rpc-error=-32010', { kind: 'json-rpc-error', code: -32010 }],
    ['platform-error=retryable-conflict', { kind: 'platform-error', error: 'retryable-conflict' }],
    ['cut=2@tools/call', { kind: 'cut', afterEvents: 2, method: 'tools/call' }],
    ['delay=20', { kind: 'delay', ms: 20 }],
    ['{"kind":"empty","times":2}', { kind: 'empty', times: 2 }],
  ])('is parsed: %s', (text, fault) => {
    expect(parseFault(text)).toMatchObject(fault);
  });

  test.each(['', 'explode', 'status', 'status=abc', 'reset=1', '{"kind":', 'throttle*0'])(
    'is rejected: %s',
    (text) => {
      expect(() => parseFault(text)).toThrow(expect.objectContaining({ code: 'usage' }));
    },
  );

  test.each(['explode', 'status=abc', 'after:throttle=x@'])(
    'is rejected with the whole syntax on one line of the error: %s',
    (text) => {
      expect(() => parseFault(text)).toThrow(/^Not a fault.*\[before:\|during:\|after:\]KIND.*$/);
    },
  );
});
