// The known effects of AgentCore on a call, each as a fault: the answer to the client, and whether
// the server had done its work.
import { describe, expect, test } from 'vitest';
import type { Fault } from '../../src/local/config/faults.ts';
import type { Switches } from '../../src/local/config/switches.ts';
import {
  httpAgent,
  openSession,
  poster,
  read,
  type Sent,
  signingFetch,
  start,
  statefulMcp,
  toolCall,
  toolText,
} from './harness.ts';
import { ManualClock } from './manual-clock.ts';

const COUNT = toolCall('count');
const HTML = '<html><body>Bad Gateway</body></html>';
const CONFLICT = 'Session operation in progress, please retry';
const MAX_VMS = 'maxVms limit exceeded for account 123456789012';
const TOO_SLOW =
  'Runtime initialization time exceeded. Please make sure that initialization completes in 30s.';
const CONTAINER_500 =
  'Received error (500) from runtime. Please check your CloudWatch logs for more information.';
const EXPIRED = 'The security token included in the request is expired';

interface Wire {
  readonly status: number;
  readonly type?: string;
  readonly message?: string;
  readonly code?: number;
  readonly text?: string;
  readonly retryAfter?: string;
}

function wireOf({ status, headers, json, text }: Sent): Wire {
  const type = headers.get('x-amzn-errortype');
  const retryAfter = headers.get('retry-after');
  const message = json.message ?? json.error?.message;
  return {
    status,
    ...(type !== null && { type }),
    ...(retryAfter !== null && { retryAfter }),
    ...(message !== undefined && { message }),
    ...(json.error && { code: json.error.code }),
    ...(message === undefined && { text }),
  };
}

const AS_STATUS: readonly (readonly [Fault, Wire])[] = [
  [
    {
      kind: 'status',
      status: 429,
      errorType: 'ThrottlingException',
      message: 'Rate exceeded',
      retryAfter: 1,
    },
    { status: 429, type: 'ThrottlingException', message: 'Rate exceeded', retryAfter: '1' },
  ],
  [
    {
      kind: 'status',
      status: 409,
      errorType: 'ConflictException',
      message: 'Resource conflict - Resource already exists',
    },
    {
      status: 409,
      type: 'ConflictException',
      message: 'Resource conflict - Resource already exists',
    },
  ],
  [
    { kind: 'status', status: 409, errorType: 'RetryableConflictException', message: CONFLICT },
    { status: 409, type: 'RetryableConflictException', message: CONFLICT },
  ],
  [
    { kind: 'status', status: 424, errorType: 'RuntimeClientError', message: TOO_SLOW },
    { status: 424, type: 'RuntimeClientError', message: TOO_SLOW },
  ],
  [
    { kind: 'status', status: 424, errorType: 'RuntimeClientError', message: CONTAINER_500 },
    { status: 424, type: 'RuntimeClientError', message: CONTAINER_500 },
  ],
  [
    { kind: 'status', status: 402, errorType: 'ServiceQuotaExceededException', message: MAX_VMS },
    { status: 402, type: 'ServiceQuotaExceededException', message: MAX_VMS },
  ],
  ...[500, 502, 503, 504].map(
    (status) =>
      [
        { kind: 'status', status, body: HTML },
        { status, text: HTML },
      ] as const,
  ),
  [
    { kind: 'status', status: 403, errorType: 'ExpiredTokenException', message: EXPIRED },
    { status: 403, type: 'ExpiredTokenException', message: EXPIRED },
  ],
  [{ kind: 'empty' }, { status: 200, text: '' }],
  [{ kind: 'broken-json' }, { status: 200, text: '{"jsonrpc":"2.0","id":2,"resu' }],
];

const AS_JSON_RPC: readonly (readonly [Fault, Wire])[] = [
  [
    { kind: 'throttle', retryAfter: 1 },
    {
      status: 200,
      code: -32003,
      message: 'Rate limit exceeded - Too many requests',
      retryAfter: '1',
    },
  ],
  [
    { kind: 'platform-error', error: 'conflict' },
    { status: 200, code: -32005, message: 'Resource conflict - Resource already exists' },
  ],
  [
    { kind: 'platform-error', error: 'retryable-conflict' },
    { status: 200, code: -32005, message: CONFLICT },
  ],
  [
    { kind: 'platform-error', error: 'container-failed' },
    {
      status: 200,
      code: -32010,
      message: 'Tool execution error - Please check your CloudWatch logs for more information',
    },
  ],
  [
    { kind: 'platform-error', error: 'quota-exceeded' },
    { status: 200, code: -32003, message: 'Rate limit exceeded - Too many requests' },
  ],
  [
    { kind: 'expired-credentials' },
    { status: 403, code: -32002, message: 'Authorization error - Insufficient permissions' },
  ],
];

/** A stateful MCP runtime with an open session, whose next tools/call is affected by the fault. */
async function struck(fault: Fault, switches: Partial<Switches> = {}) {
  const local = await start({ notes: statefulMcp({ switches }) });
  const post = poster(local, 'notes');
  const session = await openSession(post);
  local.faults.inject({ ...fault, method: 'tools/call' });
  const call = (message: unknown = COUNT) => read(post(message, session));
  return { local, call };
}

const ALL = [...AS_STATUS, ...AS_JSON_RPC];

describe('before the server has done its work, the client gets the fault', () => {
  test.each(ALL)('%o', async (fault, wire) => {
    const { call } = await struck(fault);
    expect(wireOf(await call())).toEqual(wire);
    expect(toolText(await call())).toBe('1');
  });
});

describe('after the server has done its work, the client gets the fault', () => {
  // The AWS front end checks credentials before anything else.
  const late = ALL.filter(([{ kind }]) => kind !== 'expired-credentials');
  test.each(late)('%o', async (fault, wire) => {
    const { call } = await struck({ ...fault, phase: 'after' } as Fault);
    expect(wireOf(await call())).toEqual(wire);
    expect(toolText(await call())).toBe('2');
  });
});

test('each service reports expired credentials in its own format', async () => {
  const local = await start({ agent: httpAgent() });
  local.faults.inject({ kind: 'expired-credentials' });
  expect(wireOf(await read(poster(local, 'agent')({})))).toEqual({
    status: 403,
    type: 'ExpiredTokenException',
    message: EXPIRED,
  });
  local.faults.inject({ kind: 'expired-credentials', operation: 'sts' });
  const body = 'Action=GetCallerIdentity&Version=2011-06-15';
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const sts = signingFetch(local, { service: 'sts' })(local.url, { method: 'POST', headers, body });
  expect(await read(sts)).toMatchObject({
    status: 403,
    text: expect.stringContaining('<Code>ExpiredToken</Code>'),
  });
});

describe('a stream', () => {
  const STREAM = toolCall('stream', { events: 5 });

  /** The content of a stream, and the reason of its end. */
  async function streamed(fault: Fault) {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    local.faults.inject({ ...fault, method: 'tools/call' });
    const response = await post(STREAM, session);
    let text = '';
    let reason: unknown;
    try {
      for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
    } catch (error) {
      reason = ((error as Error).cause as { readonly code?: string } | undefined)?.code;
    }
    return { local, events: text.match(/data: /g)?.length ?? 0, reason };
  }

  test('ends normally after the configured number of events', async () => {
    const { events, reason } = await streamed({ kind: 'cut', afterEvents: 2 });
    expect({ events, reason }).toEqual({ events: 2, reason: 'UND_ERR_SOCKET' });
  });

  test('is reset after the configured number of events', async () => {
    const { events, reason } = await streamed({ kind: 'cut', afterEvents: 2, by: 'reset' });
    expect({ events, reason }).toEqual({ events: 2, reason: 'ECONNRESET' });
  });

  test.each<[Fault, object]>([
    [
      { kind: 'kill-microvm', when: 'during', afterEvents: 3 },
      { state: 'Stopped', why: 'microvm-killed' },
    ],
    [
      { kind: 'restart-container', when: 'during', afterEvents: 3 },
      { state: 'Idle', incarnations: 2 },
    ],
  ])('breaks off when its container stops: %o', async (fault, session) => {
    const { local, events, reason } = await streamed(fault);
    expect({ events, reason }).toEqual({ events: 3, reason: 'UND_ERR_SOCKET' });
    await local.until(() => {
      const [record] = local.sessions();
      return record?.state === 'Stopped' || record?.incarnations === 2;
    });
    expect(local.sessions()).toMatchObject([session]);
  });
});

describe('a call whose microVM is killed while it runs', () => {
  const KILL: Fault = { kind: 'kill-microvm', when: 'during' };

  test('fails as a failed container, and its session is gone', async () => {
    const { local, call } = await struck(KILL);
    expect(wireOf(await call(toolCall('hang')))).toEqual({
      status: 200,
      code: -32010,
      message: 'Tool execution error - Please check your CloudWatch logs for more information',
    });
    await local.until(() => local.sessions()[0]?.pid === undefined);
    expect(local.microVms).toMatchObject([{ why: 'microvm-killed' }]);
    expect((await call()).status).toBe(404);
  });

  test.each<[Switches['lostCall'], Wire]>([
    ['internal', { status: 200, code: -32603, message: 'Internal error - Server error' }],
    ['bad-gateway', { status: 502, text: expect.stringContaining('<html>') }],
  ])('can fail according to the switch: %s', async (lostCall, wire) => {
    const { call } = await struck(KILL, { lostCall });
    expect(wireOf(await call(toolCall('hang')))).toEqual(wire);
  });

  test('can lose its connection', async () => {
    const { call } = await struck(KILL, { lostCall: 'reset' });
    await expect(call(toolCall('hang'))).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
  });

  test('fails in the HTTP format for an HTTP runtime', async () => {
    const local = await start({ agent: httpAgent() });
    local.faults.inject(KILL);
    expect(wireOf(await read(poster(local, 'agent')({ hang: true })))).toEqual({
      status: 424,
      type: 'RuntimeClientError',
      message: CONTAINER_500.replace('500', '502'),
    });
  });

  test('can have run for a configured time', async () => {
    const clock = new ManualClock();
    const local = await start({ notes: statefulMcp() }, {}, { clock, deliveryLimit: 10 });
    const post = poster(local, 'notes', { at: new Date(clock.now()) });
    const session = await openSession(post);
    local.faults.inject({ ...KILL, afterMs: 500, tool: 'hang' });
    const call = read(post(toolCall('hang'), session));
    await local.until(() => local.sessions()[0]?.inFlight === 1);
    expect(toolText(await read(post(COUNT, session)))).toBe('1');
    expect(local.deliveries).toHaveLength(3);
    clock.advance(500);
    expect((await call).json.error?.code).toBe(-32010);
  });

  test.each<[Fault, RegExp]>([
    [{ kind: 'kill-microvm', afterMs: 1 }, /afterMs: only during a request/],
    [{ kind: 'kill-microvm', when: 'after', afterEvents: 1 }, /afterEvents: only during/],
    [{ ...KILL, afterMs: 1, afterEvents: 1 }, /afterEvents: either this or afterMs/],
  ])('rejects other options: %o', async (fault, sentence) => {
    const local = await start({ notes: statefulMcp() });
    expect(() => local.faults.inject(fault)).toThrow(sentence);
  });
});
