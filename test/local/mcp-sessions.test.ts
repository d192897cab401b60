import { describe, expect, test } from 'vitest';
import type { RuntimeInput } from '../../src/local/config/schema.ts';
import type { Switches } from '../../src/local/config/switches.ts';
import {
  INITIALIZE,
  INVENTED_ID,
  openSession,
  poster,
  RUNTIME_SESSION,
  read,
  start,
  statefulMcp,
  statelessMcp,
  toolCall,
  toolText,
} from './harness.ts';

const COUNT = toolCall('count');

/** Stateful by its configuration, although its server issues no ids. */
const WITHOUT_IDS: RuntimeInput = { ...statelessMcp(), protocol: 'MCP', sessions: 'stateful' };

describe('a stateless MCP runtime', () => {
  test('gets a session id from the platform, which client and container both receive', async () => {
    const local = await start({ notes: statelessMcp() });
    const post = poster(local, 'notes');
    const first = await read(post(INITIALIZE));
    const id = first.headers.get('mcp-session-id') ?? '';
    expect(id).not.toBe('');
    const call = await read(post(toolCall('headers'), { 'mcp-session-id': id }));
    const seen = JSON.parse(toolText(call));
    expect(seen['mcp-session-id']).toBe(id);
    expect(seen[RUNTIME_SESSION]).toBe(first.headers.get(RUNTIME_SESSION));
    expect(call.headers.get('mcp-session-id')).toBe(id);
  });

  test('keeps its memory for requests with the same id', async () => {
    const local = await start({ notes: statelessMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    await read(post(COUNT, session));
    expect(toolText(await read(post(COUNT, session)))).toBe('2');
    expect(local.sessions()).toMatchObject([{ state: 'Idle', invocations: 3, incarnations: 1 }]);
  });

  test('starts a microVM for every request without an id', async () => {
    const local = await start({ notes: statelessMcp() });
    const post = poster(local, 'notes');
    expect(toolText(await read(post(COUNT)))).toBe('1');
    expect(toolText(await read(post(COUNT)))).toBe('1');
    const pids = local.sessions().map(({ pid }) => pid);
    expect(new Set(pids).size).toBe(2);
  });

  test('shares one microVM among requests without an id if the switch is set', async () => {
    const local = await start({
      notes: statelessMcp({ switches: { withoutSessionId: 'shared-microvm' } }),
    });
    const post = poster(local, 'notes');
    await read(post(COUNT));
    expect(toolText(await read(post(COUNT)))).toBe('2');
  });

  test('accepts an id that was never issued', async () => {
    const local = await start({ notes: statelessMcp() });
    const post = poster(local, 'notes');
    const invented = { 'mcp-session-id': INVENTED_ID };
    const first = await read(post(INITIALIZE, invented));
    expect(first.headers.get('mcp-session-id')).toBe(INVENTED_ID);
    await read(post(COUNT, invented));
    expect(toolText(await read(post(COUNT, invented)))).toBe('2');
  });

  test('rejects such an id if the switch is set', async () => {
    const local = await start({
      notes: statelessMcp({ switches: { inventedIdOnStateless: 'refuse' } }),
    });
    const sent = await read(poster(local, 'notes')(COUNT, { 'mcp-session-id': INVENTED_ID }));
    expect(sent.status).toBe(404);
    expect(local.sessions()).toEqual([]);
  });

  test('is started again with an empty memory by its old id', async () => {
    const local = await start({ notes: statelessMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    await read(post(COUNT, session));
    await local.killMicroVm(session['mcp-session-id']);
    expect(local.sessions()).toMatchObject([
      { state: 'Stopped', why: 'microvm-killed', pid: undefined },
    ]);
    expect(toolText(await read(post(COUNT, session)))).toBe('1');
    expect(local.sessions()).toMatchObject([{ state: 'Idle', incarnations: 2 }]);
  });

  test('keeps the runtime session id of the client', async () => {
    const local = await start({ notes: statelessMcp() });
    const sent = await read(poster(local, 'notes')(INITIALIZE, { [RUNTIME_SESSION]: INVENTED_ID }));
    expect(sent.headers.get(RUNTIME_SESSION)).toBe(INVENTED_ID);
    expect(local.sessions()).toMatchObject([{ runtimeSessionId: INVENTED_ID }]);
  });

  test('routes by the runtime session id if the switch is set', async () => {
    const local = await start({
      notes: statelessMcp({ switches: { routeMcpBy: 'runtime-session-id' } }),
    });
    const post = poster(local, 'notes');
    const byRuntime = { [RUNTIME_SESSION]: INVENTED_ID };
    await read(post(COUNT, byRuntime));
    expect(toolText(await read(post(COUNT, byRuntime)))).toBe('2');
    const other = { 'mcp-session-id': local.sessions()[0]?.mcpSessionId ?? '' };
    expect(toolText(await read(post(COUNT, other)))).toBe('1');
  });

  test('routes by either id if the switch is set', async () => {
    const local = await start({ notes: statelessMcp({ switches: { routeMcpBy: 'either' } }) });
    const post = poster(local, 'notes');
    await read(post(COUNT, { [RUNTIME_SESSION]: INVENTED_ID }));
    const both = await read(post(COUNT, { [RUNTIME_SESSION]: INVENTED_ID }));
    expect(toolText(both)).toBe('2');
  });

  test('hides its ids from the client if the switches are set', async () => {
    const local = await start({
      notes: statelessMcp({
        switches: { returnMcpSessionId: false, returnRuntimeSessionId: false },
      }),
    });
    const { headers } = await read(poster(local, 'notes')(INITIALIZE));
    expect(headers.get('mcp-session-id')).toBeNull();
    expect(headers.get(RUNTIME_SESSION)).toBeNull();
  });

  test('can use the runtime session id as its MCP session id', async () => {
    const local = await start({
      notes: statelessMcp({ switches: { mintedMcpSessionId: 'runtime-session-id' } }),
    });
    const { headers } = await read(poster(local, 'notes')(INITIALIZE));
    expect(headers.get('mcp-session-id')).toBe(headers.get(RUNTIME_SESSION));
  });

  test('answers a second request of a starting session with a retryable error', async () => {
    const local = await start({ notes: statelessMcp() });
    const post = poster(local, 'notes');
    const session = { 'mcp-session-id': INVENTED_ID };
    const answers = await Promise.all([read(post(COUNT, session)), read(post(COUNT, session))]);
    const errors = answers.filter(({ json }) => json.error !== undefined);
    expect(errors).toMatchObject([
      {
        status: 200,
        json: {
          id: 2,
          error: { code: -32005, message: 'Session operation in progress, please retry' },
        },
      },
    ]);
  });

  test('delays a second request until the session has started if the switch is set', async () => {
    const local = await start({
      notes: statelessMcp({ switches: { conflictWhileChanging: false } }),
    });
    const post = poster(local, 'notes');
    const session = { 'mcp-session-id': INVENTED_ID };
    const answers = await Promise.all([read(post(COUNT, session)), read(post(COUNT, session))]);
    expect(answers.map(toolText).sort()).toEqual(['1', '2']);
    expect(local.sessions()).toMatchObject([{ incarnations: 1 }]);
  });
});

describe('a stateful MCP runtime', () => {
  test('issues its own id on initialize, and is reached by it afterwards', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    await read(post(COUNT, session));
    const call = await read(post(COUNT, session));
    expect(toolText(call)).toBe('2');
    expect(call.headers.get('mcp-session-id')).toBe(session['mcp-session-id']);
    expect(local.sessions()).toMatchObject([{ mcpSessionId: session['mcp-session-id'] }]);
  });

  test('receives no Mcp-Session-Id on initialize', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const seen = JSON.parse(toolText(await read(post(toolCall('headers'), session))));
    expect(seen['mcp-session-id']).toBe(session['mcp-session-id']);
    const [initialize] = local.requests;
    expect(initialize?.headers['mcp-session-id']).toBeUndefined();
  });

  test('gets an id from the platform if its server issues none on initialize', async () => {
    const local = await start({ notes: WITHOUT_IDS });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    expect(session['mcp-session-id']).toMatch(/^[0-9a-f-]{36}$/);
    await read(post(COUNT, session));
    expect(toolText(await read(post(COUNT, session)))).toBe('2');
    expect(local.sessions()).toMatchObject([{ mcpSessionId: session['mcp-session-id'] }]);
  });

  test.each<[string, RuntimeInput, unknown]>([
    ['a call without an initialize', WITHOUT_IDS, COUNT],
    ['a call that the server rejects because of the missing id', statefulMcp(), COUNT],
    ['an initialize that fails', statefulMcp({ env: { INITIALIZE: 'refused' } }), INITIALIZE],
  ])('has no id after %s', async (_, runtime, message) => {
    const local = await start({ notes: runtime });
    const { headers } = await read(poster(local, 'notes')(message));
    expect(headers.get('mcp-session-id')).toBeNull();
    expect(local.sessions()).toMatchObject([{ mcpSessionId: undefined }]);
  });

  test('starts a separate microVM for each initialize', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const one = await openSession(post);
    const two = await openSession(post);
    await read(post(COUNT, one));
    expect(toolText(await read(post(COUNT, two)))).toBe('1');
  });

  test('rejects an id that was never issued, also on initialize', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const sent = await read(post(INITIALIZE, { 'mcp-session-id': INVENTED_ID }));
    expect(sent).toMatchObject({ status: 404, json: { error: { code: -32001 } } });
    expect(local.sessions()).toEqual([]);
  });

  test('can reject it with a 400, or leave that to the server', async () => {
    const local = await start({
      badRequest: statefulMcp({ switches: { refusedId: 'bad-request' } }),
      forwarded: statefulMcp({ switches: { inventedIdOnStateful: 'forward' } }),
    });
    const invented = { 'mcp-session-id': INVENTED_ID };
    expect(await read(poster(local, 'badRequest')(COUNT, invented))).toMatchObject({
      status: 400,
      json: { error: { code: -32600 } },
    });
    expect(await read(poster(local, 'forwarded')(COUNT, invented))).toMatchObject({
      status: 404,
      json: { error: { message: 'Session not found' } },
    });
    expect(local.sessions()).toMatchObject([{ runtime: 'forwarded', invocations: 1 }]);
  });

  test.each<[Switches['goneSession'], number, number]>([
    ['not-found', 404, -32001],
    ['server-not-initialized', 400, -32000],
    ['invalid-params', 200, -32602],
    ['internal-error', 200, -32603],
    ['fresh-container', 404, -32001],
  ])('answers the id of a lost microVM with %s', async (goneSession, status, code) => {
    const local = await start({ notes: statefulMcp({ switches: { goneSession } }) });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    await local.killMicroVm(session['mcp-session-id']);
    expect(await read(post(COUNT, session))).toMatchObject({ status, json: { error: { code } } });
    const incarnations = goneSession === 'fresh-container' ? 2 : 1;
    expect(local.sessions()).toMatchObject([{ incarnations }]);
  });

  test('works again after an initialize without the old id', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const old = await openSession(post);
    await local.killMicroVm(old['mcp-session-id']);
    const session = await openSession(post);
    expect(session).not.toEqual(old);
    expect(toolText(await read(post(COUNT, session)))).toBe('1');
  });

  test('keeps a session whose container restarted, although its server forgot the session', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const [before] = local.sessions();
    await local.restartContainer(session['mcp-session-id']);
    expect(await read(post(COUNT, session))).toMatchObject({
      status: 404,
      headers: expect.anything(),
      json: { error: { message: 'Session not found' } },
    });
    const [after] = local.sessions();
    expect(after).toMatchObject({ state: 'Idle', incarnations: 2 });
    expect(after?.pid).not.toBe(before?.pid);
  });

  test('keeps its own id if it is routed by runtime session id', async () => {
    const local = await start({
      notes: statefulMcp({ switches: { routeMcpBy: 'runtime-session-id' } }),
    });
    const post = poster(local, 'notes');
    const byRuntime = { [RUNTIME_SESSION]: INVENTED_ID };
    const { headers } = await read(post(INITIALIZE, byRuntime));
    const both = { ...byRuntime, 'mcp-session-id': headers.get('mcp-session-id') ?? '' };
    expect(toolText(await read(post(COUNT, both)))).toBe('1');
    await local.killMicroVm(INVENTED_ID);
    expect((await read(post(COUNT, both))).status).toBe(404);
    expect((await read(post(INITIALIZE, byRuntime))).status).toBe(200);
    expect(local.sessions()).toMatchObject([{ incarnations: 2 }]);
  });
});

describe('MCP 2026-07-28, which has no sessions', () => {
  const version = { 'mcp-protocol-version': '2026-07-28' };
  const hinted = { ...version, 'mcp-session-id': INVENTED_ID };

  test('is routed by the client’s Mcp-Session-Id, also to a stateful runtime', async () => {
    const local = await start({ notes: statelessMcp(), state: statefulMcp() });
    const post = poster(local, 'notes');
    await read(post(COUNT, hinted));
    expect(toolText(await read(post(COUNT, hinted)))).toBe('2');
    const discover = { jsonrpc: '2.0', id: 1, method: 'server/discover' };
    expect((await read(poster(local, 'state')(discover, hinted))).status).toBe(200);
  });

  test('is recognized by the version in _meta if there is no version header', async () => {
    const local = await start({ notes: statefulMcp() });
    const params = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } };
    const message = { jsonrpc: '2.0', id: 1, method: 'server/discover', params };
    const sent = await read(poster(local, 'notes')(message, { 'mcp-session-id': INVENTED_ID }));
    expect(sent.status).toBe(200);
  });

  test('gets a new microVM for each message without a session hint', async () => {
    const local = await start({ notes: statelessMcp() });
    const post = poster(local, 'notes');
    await read(post(COUNT, version));
    expect(toolText(await read(post(COUNT, version)))).toBe('1');
  });

  test('can ignore the hint, or be routed by the runtime session id', async () => {
    const local = await start({
      none: statelessMcp({ switches: { sessionlessAffinity: 'none' } }),
      runtime: statelessMcp({ switches: { sessionlessAffinity: 'runtime-session-id' } }),
    });
    const none = poster(local, 'none');
    await read(none(COUNT, hinted));
    expect(toolText(await read(none(COUNT, hinted)))).toBe('1');
    const runtime = poster(local, 'runtime');
    const byRuntime = { ...version, [RUNTIME_SESSION]: INVENTED_ID };
    await read(runtime(COUNT, byRuntime));
    expect(toolText(await read(runtime(COUNT, byRuntime)))).toBe('2');
  });
});
